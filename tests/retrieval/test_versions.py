"""Versions and copies of one document are one voice, and the newest speaks."""

from dataclasses import replace

import pytest

from sovereign_rag.domain import Chunk, PageSpan, Passage
from sovereign_rag.retrieval.versions import Edition, is_older, newest_first, same_voice, stem

TEXT = "You decide up front how much money you want to put in the account, at most {} a year."


def passage(uri: str, text: str, score: float = 1.0) -> Passage:
    chunk = Chunk(uri, "1", 0, text, (PageSpan(1, 0, len(text)),), language="en")
    return Passage(chunk, "Benefits", uri, False, score, {})


CURRENT = passage("file:///house/benefits.md", TEXT.format("3,300"))
OLD = passage("file:///house/archive/benefits-2021.md", TEXT.format("2,750"))
OLDEST = passage("file:///house/archive/benefits-2019.md", TEXT.format("2,650"))
OTHER = passage("file:///house/travel.md", TEXT.format("900"))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("benefits.md", "archive/benefits-2021.md"),
        ("policy.docx", "policy_v2_final.docx"),
        ("de/licences.md", "en/licences.md"),
    ],
)
def test_versions_and_translations_share_a_name(one: str, other: str) -> None:
    assert stem(one) == stem(other) != ""


def test_documents_of_other_names_are_other_voices() -> None:
    assert same_voice(CURRENT, OLD)
    assert not same_voice(CURRENT, OTHER)
    assert not same_voice(passage("floor-1.md", "one"), passage("floor-2.md", "two"))
    assert not same_voice(passage("a/readme.md", "one"), passage("b/readme.md", "two"))


def test_the_newest_version_comes_first_and_the_others_are_marked() -> None:
    ordered = newest_first([OLDEST, OTHER, OLD, CURRENT], "What is the maximum for the account?")

    assert ordered[0] == CURRENT
    assert [is_older(found) for found in ordered] == [False, True, True, False]
    assert ordered[-1] == OTHER


def test_a_question_that_names_a_year_gets_the_version_of_that_year() -> None:
    ordered = newest_first([CURRENT, OLD, OLDEST], "What was the maximum in 2021?")

    assert ordered[0] == OLD
    assert is_older(ordered[1])


@pytest.mark.parametrize(
    ("newer", "older"),
    [
        ("policy-v3.md", "policy-v2.1.md"),
        ("policy.md", "old/policy.md"),
        ("policy.md", "Entwürfe/policy-v4.md"),
        ("policy-v2.1.md", "policy-v2.md"),
        ("policy.md", "policy-2021.md"),
        ("policy-2023.md", "policy-2021.md"),
        ("política.md", "histórico/política.md"),
        ("listino.xlsx", "superati/listino.xlsx"),
    ],
)
def test_the_newest_edition_is_told_by_name_and_folder(newer: str, older: str) -> None:
    assert Edition.of(f"file:///house/{newer}") > Edition.of(f"file:///house/{older}")


@pytest.mark.parametrize(
    ("newer", "older"),
    [
        ("Versión 4.1, aprobada por el Comité", "Versión 3.0, aprobada por el Comité"),
        ("Référence : PRO-014, version 3, validé", "Référence : PRO-014, version 2, validé"),
        ("Procedura PQ-08 rev. 5", "Procedura PQ-08 rev. 4"),
        ("Gültig ab 1. Januar 2025 für alle", "Gültig ab 1. März 2019 für alle"),
        ("Last reviewed 4 February 2025.", "Last reviewed 11 May 2021."),
    ],
)
def test_a_document_tells_its_edition_at_its_beginning(newer: str, older: str) -> None:
    assert Edition.of("hr/policy.pdf", newer) > Edition.of("site/policy.pdf", older)


def test_what_a_document_says_at_its_beginning_puts_the_current_one_first() -> None:
    named = passage("file:///house/policy-v3.md", TEXT.format("3,300"))
    bare = passage("file:///house/policy.md", TEXT.format("2,750"))

    assert newest_first([named, bare], "What is the limit?")[0] == named
    openings = {bare.chunk.document_id: "Version 4.1, in force since 2024."}
    assert newest_first([named, bare], "What is the limit?", openings)[0] == bare


def test_a_question_that_names_a_version_gets_that_one() -> None:
    third = passage("file:///house/policy-v3.md", TEXT.format("3,300"))
    second = passage("file:///house/old/policy-v2.1.md", TEXT.format("2,750"))

    assert newest_first([second, third], "What is the limit?")[0] == third
    assert newest_first([third, second], "What was the limit in version 2?")[0] == second


def test_the_same_section_of_two_versions_is_one_voice_however_it_is_worded() -> None:
    def section(uri: str, text: str, heading: str = "Sabbatical") -> Passage:
        found = passage(uri, text)
        return replace(found, chunk=replace(found.chunk, heading_path=("Benefits", heading)))

    new = section("file:///house/benefits.md", "Every three years you may take six weeks.")
    old = section("file:///house/archive/benefits-2019.md", "A month off, now and then, is paid.")
    other = section("file:///house/archive/benefits-2019.md", "Lunch is free.", "Food")

    first, second = newest_first([old, new], "How long is the sabbatical?")

    assert first == new
    assert is_older(second)
    assert not any(is_older(p) for p in newest_first([other, new], "Is lunch free?"))
