"""`ask`, `search` and `facets`: what leaves out, and one question after the other."""

import io
import json
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from sovereign_rag.cli.filter_options import Filters
from sovereign_rag.errors import BadInput
from sovereign_rag.store.protocol import NO_FILTER
from tests.cli.running import CommandLine, document_named

Filled = tuple[Path, dict[str, Any]]
DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


# What options mean


def test_options_that_are_not_given_leave_nothing_out() -> None:
    assert Filters().search_filter() == NO_FILTER


def test_types_are_named_as_people_do_or_as_machines_do() -> None:
    given = Filters(types=["pdf", ".DOCX", "text/markdown"]).search_filter()

    assert given.media_types == frozenset({"application/pdf", DOCX, "text/markdown"})


def test_the_source_filter_takes_a_uri_or_a_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    given = Filters(
        sources=["s3://bucket/notes", "handbook/../rules", "/srv/handbook"]
    ).search_filter()

    assert given.sources == frozenset(
        {"s3://bucket/notes", f"file://{tmp_path}/rules", "file:///srv/handbook"}
    )


def test_a_source_is_named_with_its_section(reading: CommandLine) -> None:
    shown = reading("ask", "Wie viele Tage Urlaub hat ein Angestellter im Jahr?").out

    assert "Urlaubsordnung › Dauer" in shown


def test_a_day_counts_whole_and_a_time_to_the_second() -> None:
    days = Filters(from_="2024-01-31", to="2024-02-29").search_filter()
    times = Filters(from_="2024-01-31T12:00+01:00", to="2024-01-31T12:00").search_filter()

    assert days.modified_from == datetime(2024, 1, 31, tzinfo=UTC)
    assert days.modified_before == datetime(2024, 3, 1, tzinfo=UTC)
    assert times.modified_from == datetime(2024, 1, 31, 12, tzinfo=timezone(timedelta(hours=1)))
    assert times.modified_before == datetime(2024, 1, 31, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("options", "way_out"),
    [
        ({"types": ["word"]}, "docx"),
        ({"languages": ["german"]}, "fr, de, en, es, it"),
        ({"labels": ["hr"]}, "group:NAME"),
        ({"labels": ["group:"]}, "group:NAME"),
        ({"documents": ["notice.pdf"]}, "documents list"),
        ({"from_": "31.01.2024"}, "2024-01-31"),
        ({"to": "2024-02-30"}, "2024-01-31"),
        ({"to": "9999-12-31"}, "2024-01-31"),
        ({"from_": "2024-02-01", "to": "2024-01-31"}, "in between"),
    ],
)
def test_a_value_that_means_nothing_is_refused_with_the_way_out(
    options: dict[str, Any], way_out: str
) -> None:
    with pytest.raises(BadInput, match=way_out):
        Filters(**options).search_filter()


# On the command line


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (("--source", "FOLDER", "--to", "2100-01-01"), {"urlaub.md", "preavis.txt"}),
        (("--type", "md", "--document", "ID"), {"urlaub.md"}),
        (("--language", "fr", "--source", "FOLDER/preavis.txt"), {"preavis.txt"}),
        (("--from", "2100-01-01"), set()),
    ],
)
def test_a_search_finds_what_its_filters_let_through(
    reading: CommandLine, filled: Filled, options: tuple[str, ...], found: set[str]
) -> None:
    urlaub = document_named(filled[1], "urlaub.md")
    folder = Path(urlaub["uri"].removeprefix("file://")).parent
    given = [o.replace("FOLDER", str(folder)).replace("ID", urlaub["document_id"]) for o in options]

    ran = reading("search", "Urlaub préavis", "--json", *given)

    names = {Path(passage["uri"]).name for passage in ran.json["passages"]}
    assert {name for name in names if not name.startswith("probe")} == found


def test_a_filter_opens_nothing_that_the_asker_may_not_read(
    reading: CommandLine, filled: Filled
) -> None:
    asked = ("search", "Gehalt der Leitung", "--label", "group:hr", "--json")

    for_hr = reading(*asked, "--as", "user:ana", "--groups", "hr")
    for_others = reading(*asked, "--as", "user:ana")

    assert {Path(p["uri"]).name for p in for_hr.json["passages"]} == {"gehalt.txt", "notiz.txt"}
    assert for_others.json["passages"] == []


def test_an_answer_is_made_of_what_its_filters_let_through(reading: CommandLine) -> None:
    question = ("ask", "Wie viele Tage Urlaub hat ein Angestellter im Jahr?", "--json")

    within = reading(*question, "--type", "md").json
    outside = reading(*question, "--type", "pdf").json

    assert "dreißig Tage" in within["answer"]
    assert (outside["abstained"], outside["passages"]) == (True, [])


def test_facets_count_what_the_asker_may_read(reading: CommandLine) -> None:
    for_owner = reading("facets", "--json").json
    for_hr = reading("facets", "--as", "user:ana", "--groups", "hr", "--json").json
    markdown = reading("facets", "--type", "md")
    nothing = reading("facets", "--as", "user:ana")

    assert for_owner["media_type"] == {"text/plain": 4, "text/markdown": 1}
    assert for_hr["media_type"] == {"text/plain": 2}
    assert "text/markdown" in markdown.out
    assert "text/plain" not in markdown.out
    assert (nothing.out, nothing.err.strip()) == ("", "Nothing found.")


def test_a_filter_that_means_nothing_is_told_before_anything_is_opened(cli: CommandLine) -> None:
    ran = cli("search", "Urlaub", "--type", "word", "--json")

    assert ran.code == 2
    assert json.loads(ran.err)["error"] == "BadInput"
    assert not cli.data_dir.exists()


# One after the other


def _chat(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch, typed: str, *options: str
) -> list[dict[str, Any]]:
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))
    ran = cli("ask", "--chat", "--kind", "extracts", "--json", *options)
    assert ran.code == 0, ran.err
    return [json.loads(line) for line in ran.out.splitlines()]


def test_in_a_conversation_a_question_leans_on_the_one_before(
    reading: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed = "Wie viele Tage Urlaub hat ein Angestellter?\n\nUnd im Jahr?\n/new\nUnd im Jahr?\n"

    first, second, alone = _chat(reading, monkeypatch, typed)

    assert first["follow_up"] is None
    assert second["follow_up"] == {
        "question": "Wie viele Tage Urlaub hat ein Angestellter? Und im Jahr?",
        "by": "rules",
        "prompt_version": None,
    }
    assert "dreißig Tage" in second["answer"]
    assert alone["follow_up"] is None


def test_a_conversation_ends_when_its_asker_says_so(
    reading: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed = "/help\n/quit\nWie viele Tage Urlaub hat ein Angestellter?\n"

    assert _chat(reading, monkeypatch, typed) == []


def test_a_question_on_the_command_line_begins_the_conversation(
    reading: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    (answer,) = _chat(reading, monkeypatch, "", "Quelle est la durée du préavis ?")

    assert "trois mois" in answer["answer"]


def test_what_can_t_be_answered_does_not_end_a_conversation(
    reading: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("\nQuelle est la durée du préavis ?\n"))

    ran = reading("ask", "  ", "--chat", "--kind", "extracts")

    assert "The question is empty." in ran.err
    assert "trois mois" in ran.out


def test_without_a_question_there_is_an_error_and_not_a_wait(cli: CommandLine) -> None:
    ran = cli("ask")

    assert ran.code == 2
    assert "--chat" in ran.err


def test_a_person_reads_how_a_question_was_understood(
    reading: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    typed = "Wie viele Tage Urlaub hat ein Angestellter?\nUnd im Jahr?\n"
    monkeypatch.setattr("sys.stdin", io.StringIO(typed))

    ran = reading("ask", "--chat", "--kind", "extracts")

    assert "Understood as: Wie viele Tage Urlaub hat ein Angestellter? Und im Jahr?" in ran.out
