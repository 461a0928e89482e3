"""What reaches the terminal: results on stdout, messages on stderr, and nothing that drives it.

Text from documents may hold escape sequences, Rich markup or characters that turn the direction
of writing round. All of it is shown as text: markup is switched off, and `safe` takes out what a
terminal would act upon. In JSON such characters stay, escaped.
"""

import json
import re
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import IO, Final

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

_SEQUENCES: Final = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"  # OSC: title,
    # clipboard, links; DCS and the like
    r"|\x1b[ -/]*[0-~]"  # the short ones: reset, character sets
)
_JOINERS: Final = "\u200c\u200d\u00ad"  # format characters that a word may need
_WIDE: Final = 10_000  # columns where nobody looks: lines in a file or a pipe are not broken
_LEAST_LINES: Final = re.compile(r"\n{3,}")


def safe(text: str, *, one_line: bool = False) -> str:
    """`text` without what a terminal would act upon; tabs become spaces.

    Escape sequences go as a whole, control characters but the newline, and format characters
    such as those that reverse the direction of writing. `one_line` makes blanks of newlines.
    """
    text = _SEQUENCES.sub("", text.replace("\r\n", "\n"))
    text = re.sub("[\r\v\f\x85\u2028\u2029]", "\n", text).replace("\t", "    ")
    kept = "".join(character for character in text if _is_harmless(character))
    return " ".join(kept.split()) if one_line else kept


def _is_harmless(character: str) -> bool:
    return (
        character == "\n"
        or character in _JOINERS
        or unicodedata.category(character) not in {"Cc", "Cf", "Cs", "Co"}
    )


def stdout() -> Console:
    """Where results go. Colours only on a terminal, none where NO_COLOR stands."""
    return _console(sys.stdout)


def stderr() -> Console:
    """Where messages and progress go."""
    return _console(sys.stderr)


def _console(file: IO[str]) -> Console:
    width = None if file.isatty() else _WIDE
    return Console(file=file, width=width, markup=False, emoji=False, highlight=False)


def moment(iso: str | None) -> str | None:
    """A time of a body (ISO 8601, UTC) as a person reads it, to the second."""
    return None if iso is None else f"{datetime.fromisoformat(iso):%Y-%m-%d %H:%M:%S} UTC"


def print_json(value: object, *, indent: int | None = 2) -> None:
    """Print `value` as JSON on stdout; without `indent` on one line.

    Characters that a terminal acts upon are escaped: the same JSON, and harmless to look at.
    """
    sys.stdout.write(encode_json(value, indent=indent) + "\n")
    sys.stdout.flush()


def encode_json(value: object, *, indent: int | None = None) -> str:
    """`value` as JSON with every character escaped that a terminal might act upon."""
    encoded = json.dumps(value, ensure_ascii=False, indent=indent)
    return "".join(
        character
        if character == "\n" or _is_harmless(character)
        # Outside strings JSON has none of these, so all of them stand in strings.
        else json.dumps(character)[1:-1]
        for character in encoded
    )


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    """A plain table; cells are made safe and stay on one line each where there is room.

    A column whose title begins with ">" is set flush right.
    """
    made = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, header_style="bold")
    for column in columns:
        justify = "right" if column.startswith(">") else "left"
        made.add_column(Text(column.removeprefix(">")), justify=justify, overflow="fold")  # type: ignore[arg-type]  # a str, where Rich lists literals
    for row in rows:
        made.add_row(*(cell if isinstance(cell, Text) else Text(_cell(cell)) for cell in row))
    return made


def _cell(value: object) -> str:
    return "" if value is None else safe(str(value), one_line=True)


def facts(values: Mapping[str, object]) -> Table:
    """Names and values under each other; those without a value are left out."""
    made = Table.grid(padding=(0, 2))
    for name, value in values.items():
        if value not in (None, ""):
            made.add_row(Text(name, style="dim"), Text(_cell(value)))
    return made


def percent(value: float | None) -> str:
    """A share of 1 as per cent with one decimal; a dash for None."""
    return "–" if value is None else f"{100 * value:.1f}"
