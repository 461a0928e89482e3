"""What documents hold does not drive a terminal."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from sovereign_rag.cli.output import encode_json, safe
from tests.cli.running import HOSTILE, CommandLine, document_named


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]52;c;aGk=\x1b\\text", "text"),
        ("\x1b]8;;http://a\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x9b2Jtext", "text"),
        ("\x1bP+q\x1b\\text", "text"),
        ("a\x1b", "a"),
        ("a\x08\x7f\x00b", "ab"),
        ("over\rwritten", "over\nwritten"),
        ("a\u202eb\u2066c\u200ed", "abcd"),
        ("tab\tand\r\nline", "tab    and\nline"),
        ("na\u00efve \u200dcaf\u00e9 \u65e5\u672c \U0001f600", "naïve \u200dcafé 日本 😀"),
        ("[red]kept[/red] :smile:", "[red]kept[/red] :smile:"),
    ],
)
def test_what_a_terminal_would_act_upon_is_taken_out(text: str, shown: str) -> None:
    assert safe(text) == shown


def test_text_for_one_line_loses_its_line_breaks() -> None:
    assert safe("a\nb\t c\u2028d", one_line=True) == "a b c d"


def test_json_says_the_same_and_holds_nothing_that_a_terminal_acts_upon() -> None:
    encoded = encode_json({"text": HOSTILE, "ok": "é日"}, indent=2)

    assert json.loads(encoded) == {"text": HOSTILE, "ok": "é日"}
    assert not set(encoded) & set("\x1b\x9b\u202e\u202c\x00\x07")
    assert "é日" in encoded


def test_markup_in_a_document_is_text() -> None:
    from sovereign_rag.cli.output import table

    target = io.StringIO()
    Console(file=target, width=80, force_terminal=True, color_system=None).print(
        table(("title",), [("[bold]x[/bold] [link=http://a]y[/link]",)])
    )

    assert "[bold]x[/bold] [link=http://a]y[/link]" in target.getvalue()


@pytest.mark.parametrize(
    "arguments",
    [
        ("ask", "Was kostet der Probelauf?"),
        ("search", "Was kostet der Probelauf?"),
        ("documents", "list"),
        ("documents", "show", "ID"),
        ("documents", "show", "ID", "--text"),
        ("audit", "show"),
    ],
)
def test_a_hostile_document_does_not_drive_the_terminal(
    reading: CommandLine, filled: tuple[Path, dict[str, Any]], arguments: tuple[str, ...]
) -> None:
    id_ = document_named(filled[1], "[red].txt")["document_id"]

    ran = reading(*(id_ if argument == "ID" else argument for argument in arguments))

    assert ran.code == 0
    assert "probe" in ran.out.lower()
    assert not set(ran.out + ran.err) & set("\x1b\x07\u202e\u202c")


# Documents in
