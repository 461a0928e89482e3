"""The rows of a table: lines, of which some are one row because a cell is wrapped."""

import re
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from ingest.parse.pdf.cells import Column, Piece, is_number
from ingest.parse.pdf.glyphs import Area
from ingest.parse.pdf.lines import TextLine
from ingest.parse.pdf.rules import Rule, Rules

_RULED = 0.6  # of the table's width that a rule covers: it parts rows
_HEAD_RULED = 0.3  # within the header
_DOWN_SHARE = 0.6  # of the table's height: a rule that makes a grid
_FARTHEST = 1.45  # heights between the baselines of a wrapped cell
_HEAD_FARTHEST = 1.5
_TIGHT = 0.92  # of the middling distance between lines: wrapped, not a new row
_LEADING = 1.08  # of the least distance, where others are wider by the share below: wrapped, too
_WIDER, _WIDER_SHARE = 1.15, 0.15
_ROW_GAP, _ROW_GAPS_SHARE = 1.4, 0.3  # so much wider, so often: what is less is surely no row
_GOING_ON = re.compile(
    r"a|al|an|and|at|aus|bei|by|con|da|das|de|del|dem|den|der|des|di|die|du|e|en|et|for|from|für|il|im|"
    r"in|la|las|le|les|los|mit|nach|o|of|on|or|oder|ou|par|per|por|pour|sur|the|to|und|unter|von|with|"
    r"y|zu|zum|zur"
)
"""Words that end no label: what stands below goes on."""
_LABEL = 1.2  # times the height of a label in a box: that of its value, at least
_ABOVE = 0.35  # heights: rules stand between a line's middle and the next
_CENTRED = 0.5  # of a gap between columns: a heading in its middle stands over both
_OVERLAID = 0.75  # heights between baselines: lines of one column stand further apart
_WIDE, _FULL = 10.0, 0.75  # heights of a column of running text, and the share a line fills
_NUMBERED = re.compile(r"\d+(?:\.\d+)*\.")  # of a heading
BOXES = frozenset("☐☑☒✓✗")
_FIGURES = 2  # numbers in a line that make it a row of its own


@dataclass(frozen=True, slots=True)
class Cell:
    """Pieces of a cell, line by line; `last` is the last column that it spans."""

    pieces: tuple[Piece, ...]
    last: int

    @property
    def text(self) -> str:
        return " ".join(piece.text for piece in self.pieces)


@dataclass(frozen=True, slots=True)
class Row:
    """Cells by column; the baselines of the first and the last of its lines."""

    cells: Mapping[int, Cell]
    first: float
    last: float
    size: float
    is_heading: bool = False  # it stands above the first row of figures

    @property
    def figures(self) -> int:
        return sum(is_number(cell.text) for cell in self.cells.values())

    @property
    def spans(self) -> bool:
        return any(cell.last > column for column, cell in self.cells.items())


def rows_of(
    lines: Sequence[TextLine],
    pieces: Sequence[Sequence[Piece]],
    columns: Sequence[Column],
    rules: Rules,
    area: Area,
) -> list[Row]:
    """The rows of a table, from top to bottom."""
    rows = [_row(line, own, columns) for line, own in zip(lines, pieces, strict=True) if own]
    if len(rows) < 2:
        return rows
    bands = _bands(rows, rules.across, area)
    grid = len(bands) > 2 and any(
        area.left + 3 < rule.at < area.right - 3
        and min(rule.end, area.bottom) - max(rule.start, area.top) >= _DOWN_SHARE * area.height
        for rule in rules.down
    )
    leading = _leading([b.first - a.last for a, b in pairwise(rows)])
    merged: list[Row] = []
    for band in bands:
        is_one = grid and sum(_is_record(row) for row in band) <= 1
        if is_one or (rules.down and _is_label_over_value(band)):
            merged.append(_merged(band))
        else:
            merged += _unwrapped(_with_centred(band), columns, leading)
    return _with_head(merged, rules.across, area)


def _row(line: TextLine, pieces: Sequence[Piece], columns: Sequence[Column]) -> Row:
    cells: dict[int, Cell] = {}
    for piece in pieces:
        first, last = _standing(piece, columns)
        before = cells.get(first)
        cells[first] = (
            Cell((*before.pieces, piece), max(before.last, last))
            if before
            else Cell((piece,), last)
        )
    return Row(cells, line.base, line.base, line.size)


def _standing(piece: Piece, columns: Sequence[Column]) -> tuple[int, int]:
    """First and last column that a piece stands in."""
    least = min(1.0, 0.3 * (piece.right - piece.left))
    standing = [
        number
        for number, column in enumerate(columns)
        if min(column.right, piece.right) - max(column.left, piece.left) > least
    ]
    if standing:
        return standing[0], standing[-1]
    middle = piece.left + piece.right
    for number, (before, after) in enumerate(pairwise(columns)):
        if before.right <= piece.left and piece.right <= after.left:
            off = abs(middle - before.right - after.left)  # twice the way from the gap's middle
            if off < _CENTRED * (after.left - before.right):
                return number, number + 1
    nearest = min(
        range(len(columns)), key=lambda n: abs(columns[n].left + columns[n].right - middle)
    )
    return nearest, nearest


def _bands(rows: Sequence[Row], rules: Sequence[Rule], area: Area) -> list[list[Row]]:
    """Rows between rules over most of the table's width."""
    bands = [[rows[0]]]
    for before, row in pairwise(rows):
        if _covered(_between(before, row, rules), area) > _RULED * area.width:
            bands.append([])
        bands[-1].append(row)
    return bands


def _between(before: Row, row: Row, rules: Sequence[Rule]) -> list[Rule]:
    top, bottom = before.last - _ABOVE * before.size, row.first - _ABOVE * row.size
    return [rule for rule in rules if top < rule.at < bottom]


def _covered(rules: Sequence[Rule], area: Area) -> float:
    """How much of the table's width rules cover together."""
    total, end = 0.0, area.left
    for _, start, stop in sorted(rules, key=lambda rule: rule.start):
        start, stop = max(start, end), min(stop, area.right)
        if stop > start:
            total, end = total + stop - start, stop
    return total


def _is_record(row: Row) -> bool:
    return row.figures >= _FIGURES or (row.figures > 0 and len(row.cells) > 1)


def _is_label_over_value(band: Sequence[Row]) -> bool:
    """Whether the boxes between two rules have a label in small type, and what is filled in."""
    if len(band) != 2:
        return False
    label, value = band
    return label.size * _LABEL <= value.size and value.cells.keys() <= label.cells.keys()


def _merged(rows: Sequence[Row]) -> Row:
    """Rows as one, the lines of each cell one after the other."""
    cells: dict[int, Cell] = {}
    for row in rows:
        for column, cell in row.cells.items():
            before = cells.get(column)
            cells[column] = (
                Cell(before.pieces + cell.pieces, max(before.last, cell.last)) if before else cell
            )
    return Row(cells, rows[0].first, rows[-1].last, rows[0].size)


def _with_centred(rows: Sequence[Row]) -> list[Row]:
    """Rows; one where a label has two lines and its figures stand at the height between them."""
    merged: list[Row] = []
    for row in rows:
        merged.append(row)
        if len(merged) > 2 and _stands_between(*merged[-3:]):
            merged[-3:] = [_merged(merged[-3:])]
    return merged


def _stands_between(upper: Row, middle: Row, lower: Row) -> bool:
    if upper.cells.keys() != lower.cells.keys() or upper.cells.keys() & middle.cells.keys():
        return False
    if upper.figures or lower.figures or not middle.figures:
        return False
    farthest = _OVERLAID * middle.size
    return middle.first - upper.last < farthest and lower.first - middle.last < farthest


@dataclass(frozen=True, slots=True)
class _Leading:
    """Distances between baselines, in points.

    Below `tight` lines of several cells may be one row; below `within`, which is 0 unless rows
    stand much further apart, no line is a row of its own.
    """

    tight: float
    within: float = 0.0


def _leading(gaps: Sequence[float]) -> _Leading:
    usual, least = statistics.median(gaps), min(gaps)
    wider = sum(gap > _WIDER * least for gap in gaps)
    if wider < max(1.0, _WIDER_SHARE * len(gaps)):
        return _Leading(_TIGHT * usual)
    rows = sum(gap > _ROW_GAP * least for gap in gaps)
    lines = sum(gap < _LEADING * least for gap in gaps)
    sure = rows >= _ROW_GAPS_SHARE * len(gaps) and rows + lines == len(gaps) and rows > 1
    return _Leading(max(_TIGHT * usual, _LEADING * least), _LEADING * least * sure)


def _unwrapped(rows: Sequence[Row], columns: Sequence[Column], leading: _Leading) -> list[Row]:
    merged: list[Row] = []
    for row in rows:
        if merged and _goes_on(merged[-1], row, columns, leading):
            merged[-1] = _merged((merged[-1], row))
        else:
            merged.append(row)
    return merged


def _goes_on(before: Row, row: Row, columns: Sequence[Column], leading: _Leading) -> bool:
    """Whether a line is the rest of the cells above it, or has the rest of the label above."""
    apart = row.first - before.last
    if apart > _FARTHEST * max(before.size, row.size) or not before.cells.keys() & row.cells.keys():
        return False
    if row.figures:
        label_alone = before.cells.keys() == {0} and not before.figures
        if not label_alone or 0 not in row.cells or len(row.cells) < 2:
            return False
        return not before.cells[0].text.endswith(":") and _joins(before.cells[0], row.cells[0])
    if not row.cells.keys() <= before.cells.keys():
        return False
    narrower = len(row.cells) < len(before.cells) or len(row.cells) == 1
    if narrower and apart < leading.within:
        return True
    is_tight = apart < leading.tight or (
        not before.figures and (narrower or _is_full(before, columns))
    )
    return all(
        _joins(before.cells[number], cell)
        or (is_tight and _overflows(before.cells[number], cell, columns[number]))
        for number, cell in row.cells.items()
    )


def _is_full(row: Row, columns: Sequence[Column]) -> bool:
    """Whether the last lines of a row's cells are long, in wide columns: running text."""
    widths = {number: columns[number].right - columns[number].left for number in row.cells}
    return all(
        widths[number] > _WIDE * row.size
        and cell.pieces[-1].right - columns[number].left > _FULL * widths[number]
        for number, cell in row.cells.items()
    )


def _joins(upper: Cell, lower: Cell) -> bool:
    first, last = lower.pieces[0].text, upper.pieces[-1].text
    bracket = first.startswith("(") and not is_number(first)
    going_on = bool(_GOING_ON.fullmatch(last.split()[-1]))
    return first[:1].islower() or last[-1:] in "-,&" or bracket or going_on


def _overflows(upper: Cell, lower: Cell, column: Column) -> bool:
    """Whether the first word of a line had no room any more at the end of the line above."""
    last, first = upper.pieces[-1], lower.pieces[0].words[0]
    if is_number(last.text) or first.text in BOXES or _NUMBERED.fullmatch(first.text):
        return False
    return last.right + 0.2 * first.size + first.area.width > column.right - 0.5


def _with_head(rows: Sequence[Row], rules: Sequence[Rule], area: Area) -> list[Row]:
    """The lines above the first row of figures, merged where they are one row of headings."""
    head = next((n for n, row in enumerate(rows) if _has_figures(row)), 0)
    merged: list[Row] = []
    for row in rows[:head]:
        if merged and _is_one_heading(merged[-1], row, rules, area):
            merged[-1] = _merged((merged[-1], row))
        else:
            merged.append(row)
    return [*(replace(row, is_heading=True) for row in merged), *rows[head:]]


def _has_figures(row: Row) -> bool:
    return row.figures >= _FIGURES or row.figures * 2 >= len(row.cells) > 1


def _is_one_heading(before: Row, row: Row, rules: Sequence[Rule], area: Area) -> bool:
    if before.spans or row.spans:
        return False
    if row.first - before.last > _HEAD_FARTHEST * max(before.size, row.size):
        return False
    between = _between(before, row, rules)
    return not any(
        min(rule.end, area.right) - max(rule.start, area.left) > _HEAD_RULED * area.width
        for rule in between
    )
