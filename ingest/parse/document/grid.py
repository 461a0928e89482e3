"""Tables whose cells span columns or rows, as lines in which every column keeps its place.

A header that spans columns is repeated over each of them, so that a column can be told by its
lines alone; a label that spans rows is repeated beside each of them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class GridCell:
    """A cell where it begins; `continues`: it only goes on with the one above."""

    text: str
    columns: int = 1
    rows: int = 1
    continues: bool = False


_MOST_COLUMNS = 1_000


def spread(rows: Sequence[Sequence[GridCell]]) -> list[list[str]]:
    """The texts of a table, each row with one entry a column.

    Header rows are those at the top that hold a cell over several columns, and the one that ends
    them, unless it has amounts. Below, a cell over several columns is written once, with empty
    places behind it, and of the cells over several rows only those that say a word are repeated: a
    number belongs to all of its rows together, and to none of them alone.
    """
    header = _header_rows(rows)
    width = _width(rows)
    lines: list[list[str]] = []
    hanging: dict[int, tuple[int, str]] = {}  # column: rows still to come, text
    for number, row in enumerate(rows):
        line: list[str] = []
        waiting = list(row)
        while waiting or any(column >= len(line) for column in hanging):
            at = len(line)
            if at >= _MOST_COLUMNS:
                break
            if at in hanging:
                left, text = hanging.pop(at)
                if left > 1:
                    hanging[at] = left - 1, text
                line.append(_again(text, number, header))
                continue
            cell = waiting.pop(0) if waiting else GridCell("")
            columns = min(cell.columns, _MOST_COLUMNS - at)
            once = columns >= width > 1 or _is_number(cell.text)
            for k in range(columns):
                shown = k == 0 or (number < header and not once)
                text = cell.text if shown else ""
                if cell.continues and lines and at + k < len(lines[-1]):
                    text = _again(lines[-1][at + k], number, header)
                line.append(text)
                if cell.rows > 1:
                    hanging[at + k] = cell.rows - 1, text
        lines.append(line)
    return lines


def _width(rows: Sequence[Sequence[GridCell]]) -> int:
    return max((sum(cell.columns for cell in row) for row in rows), default=0)


def _header_rows(rows: Sequence[Sequence[GridCell]]) -> int:
    """How many rows at the top are headers: those with cells over several columns, and one more."""
    width = _width(rows)
    count = 0
    for row in rows[:-1]:
        spans = [cell.columns for cell in row if cell.columns > 1]
        if not spans:
            break
        if len(spans) == 1 and spans[0] >= width and count == 0:
            count += 1  # a title over the whole table
            continue
        if any(_is_number(cell.text) for cell in row):
            break
        count += 1
    ends = rows[count] if count else ()
    return count + (bool(count) and not any(_is_number(cell.text) for cell in ends))


def _again(text: str, number: int, header: int) -> str:
    """What is written in the rows and columns that a cell goes on over."""
    return text if number < header or any(c.isalpha() for c in text) else ""


def _is_number(text: str) -> bool:
    """An amount, not a year or a heading that has a figure in it."""
    digits = sum(c.isdigit() for c in text)
    return (
        digits > 0 and not any(c.isalpha() for c in text) and not (digits == 4 == len(text.strip()))
    )


@dataclass(frozen=True, slots=True)
class Span:
    """A cell over several others; rows and columns count from 0, the last ones are within."""

    top: int
    left: int
    bottom: int
    right: int


def fill_spans(rows: list[list[str]], spans: Iterable[Span]) -> None:
    """Repeat the texts of spanning cells in the rows of a sheet, as `spread` does in a table.

    A sheet does not tell where a table on it begins. A cell over columns is a header of them
    where at least two texts that are no numbers stand right below it.
    """
    for span in sorted(spans, key=lambda s: (-s.top, s.left)):
        text = _at(rows, span.top, span.left)
        if not text or span.top >= len(rows):
            continue
        below = [_at(rows, span.bottom + 1, k) for k in range(span.left, span.right + 1)]
        titled = sum(any(c.isalpha() for c in said) for said in below)
        beside = any(_at(rows, span.top, k) for k in (span.left - 1, span.right + 1) if k >= 0)
        if span.right > span.left and titled >= 2 and beside and not _is_number(text):
            for column in range(span.left + 1, span.right + 1):
                _put(rows[span.top], column, text)
        if span.bottom > span.top and any(c.isalpha() for c in text):
            for row in range(span.top + 1, min(span.bottom + 1, len(rows))):
                _put(rows[row], span.left, text)


def _at(rows: list[list[str]], row: int, column: int) -> str:
    inside = 0 <= row < len(rows) and column < len(rows[row])
    return rows[row][column] if inside else ""


def _put(row: list[str], column: int, text: str) -> None:
    row += [""] * (column + 1 - len(row))
    row[column] = row[column] or text
