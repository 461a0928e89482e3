"""Versions and copies of one document are one voice, and the newest speaks."""

import pytest

from sovereign_rag.domain import Chunk, PageSpan, Passage
from sovereign_rag.retrieval.versions import is_older, newest_first, same_voice, stem

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
