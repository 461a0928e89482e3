"""Tables from the places of their words: what stands in a row and in a column follows from them."""

from collections.abc import Sequence
from dataclasses import dataclass

from ingest.parse.pdf.areas import is_prose
from ingest.parse.pdf.cells import pieces_of
from ingest.parse.pdf.columns import columns_of
from ingest.parse.pdf.glyphs import Area, around
from ingest.parse.pdf.lines import PageWord, text_lines
from ingest.parse.pdf.rows import Cell, Row, rows_of
from ingest.parse.pdf.rules import Rule, Rules

_ROWS_SHARE = 0.3  # of the rows that have several cells: with fewer it is text


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of cells, as many in each; a cell is the words of its lines."""

    rows: tuple[tuple[tuple[tuple[PageWord, ...], ...], ...], ...]
    area: Area


def table_of(words: Sequence[PageWord], rules: Rules) -> Table | None:
    """The table that these words make; None where they are text."""
    area = around([word.area for word in words])
    near = Rules(
        tuple(_near(rules.across, area.top, area.bottom, area.left, area.right)),
        tuple(_near(rules.down, area.left, area.right, area.top, area.bottom)),
    )
    if not near.down and is_prose(words):
        return None
    lines = text_lines(words)
    rough = [pieces_of(line, number, near.down) for number, line in enumerate(lines)]
    columns = columns_of(rough, lines, near.down, area)
    if len(columns) < 2:
        return None
    pieces = [pieces_of(line, n, near.down, columns) for n, line in enumerate(lines)]
    rows = rows_of(lines, pieces, columns, near, area)
    if sum(len(row.cells) > 1 for row in rows) < _ROWS_SHARE * len(rows):
        return None
    return Table(tuple(_cells(row, len(columns)) for row in rows), area)


def _near(rules: Sequence[Rule], first: float, last: float, start: float, end: float) -> list[Rule]:
    return [
        rule
        for rule in rules
        if first - 8 < rule.at < last + 8 and min(rule.end, end) - max(rule.start, start) > 4
    ]


def _cells(row: Row, count: int) -> tuple[tuple[tuple[PageWord, ...], ...], ...]:
    """The cells of a row; a heading that spans some of the columns stands in each of them.

    A number stands once: a page never holds a number more often than its file.
    """
    cells: list[list[tuple[PageWord, ...]]] = [[] for _ in range(count)]
    for column, cell in sorted(row.cells.items()):
        lines = _lines(cell)
        spanned = cell.last + 1 - column
        digits = any(character.isdigit() for character in cell.text)
        others = any(column < other <= cell.last for other in row.cells)  # then it is a title
        repeated = row.is_heading and spanned < count and not digits and not others
        for place in range(column, cell.last + 1 if repeated else column + 1):
            cells[place] += lines
    return tuple(tuple(cell) for cell in cells)


def _lines(cell: Cell) -> list[tuple[PageWord, ...]]:
    """The words of a cell, line by line."""
    lines: dict[int, tuple[PageWord, ...]] = {}
    for piece in cell.pieces:
        lines[piece.line] = (*lines.get(piece.line, ()), *piece.words)
    return list(lines.values())
