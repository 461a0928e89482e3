"""The columns of a table: from its rules where it has some, from its gutters otherwise."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from ingest.parse.pdf.cells import CURRENCIES, Column, Piece, is_number
from ingest.parse.pdf.glyphs import Area
from ingest.parse.pdf.lines import TextLine
from ingest.parse.pdf.rules import Rule

_FULL_LINE = 0.6  # of the pieces of the fullest line: such lines tell columns first
_OVERLAP = 2.0  # points, or the share below of the piece: it stands in the column
_OVERLAP_SHARE = 0.3
_FEW_SHARE = 0.34  # a column of so few lines beside one of many may be a part of it
_RULE_SHARE = 0.5  # of the lines that a rule stands beside: it borders columns
_DIVIDED_SHARE = 0.5  # of the lines between two rules that have two pieces: columns of their own
_DIVIDED_GAP = 0.6  # heights between them
_FIGURES_SHARE = 0.4
_BETWEEN_BOXES = 12.0  # points between the frames of two boxes, which are no column


@dataclass(slots=True)
class _Growing:
    left: float
    right: float
    lines: set[int]


def columns_of(
    pieces: Sequence[Sequence[Piece]], lines: Sequence[TextLine], rules: Sequence[Rule], area: Area
) -> list[Column]:
    """The columns of a table, from left to right.

    Args:
        pieces: Of each line.
        lines: The lines.
        rules: Those that run down the page.
        area: Where the table stands.
    """
    return _without_signs(_columns(pieces, _borders(lines, rules, area), area), pieces)


def _columns(
    pieces: Sequence[Sequence[Piece]], borders: Sequence[float], area: Area
) -> list[Column]:
    if not borders:
        return by_gutters(pieces)
    columns: list[Column] = []
    for left, right in pairwise([area.left - 1, *borders, area.right + 1]):
        within = [
            [p for p in line if p.left >= left - 2 and p.right <= right + 2] for line in pieces
        ]
        parted = by_gutters(within)
        if len(parted) > 1 and _is_divided(within):
            columns += parted
            continue
        every = [piece for line in within for piece in line]
        if not every and right - left < _BETWEEN_BOXES:
            continue
        columns.append(
            Column(
                min((piece.left for piece in every), default=left + 1),
                max((piece.right for piece in every), default=right - 1),
            )
        )
    return columns


def by_gutters(pieces: Sequence[Sequence[Piece]]) -> list[Column]:
    """Columns as the stretches that pieces share; pieces over several of them are left out.

    Figures of the lines with most pieces tell first, narrow pieces before wide ones: a heading
    over several columns may itself be narrow, and stand between two of them.
    """
    count = {piece.line: len(line) for line in pieces for piece in line}
    most = max(count.values(), default=0)
    ordered = sorted(
        (piece for line in pieces for piece in line),
        key=lambda p: (
            count[p.line] < _FULL_LINE * most,
            not is_number(p.text),
            p.right - p.left,
        ),
    )
    columns: list[_Growing] = []
    for piece in ordered:
        if count[piece.line] >= _FULL_LINE * most or not _stands_between(piece, columns):
            _add(piece, columns)
    columns.sort(key=lambda column: column.left)
    return [Column(column.left, column.right) for column in _joined(columns)]


def _stands_between(piece: Piece, columns: Sequence[_Growing]) -> bool:
    """Whether a piece stands in the gap between columns, over both, as headings do."""
    left = [c for c in columns if c.right <= piece.left]
    right = [c for c in columns if c.left >= piece.right]
    if not left or not right or len(left) + len(right) < len(columns):
        return False
    before, after = max(left, key=lambda c: c.right), min(right, key=lambda c: c.left)
    return bool(before.lines & after.lines)


def _add(piece: Piece, columns: list[_Growing]) -> None:
    least = min(_OVERLAP, _OVERLAP_SHARE * (piece.right - piece.left))
    standing = [c for c in columns if _shared(c, piece.left, piece.right) > least]
    if not standing:
        columns.append(_Growing(piece.left, piece.right, {piece.line}))
    elif len(standing) == 1:
        column = standing[0]
        left, right = min(column.left, piece.left), max(column.right, piece.right)
        if any(_shared(other, left, right) > 1 for other in columns if other is not column):
            return
        column.left, column.right = left, right
        column.lines.add(piece.line)


def _shared(column: _Growing, left: float, right: float) -> float:
    return min(column.right, right) - max(column.left, left)


def _joined(columns: list[_Growing]) -> list[_Growing]:
    """Neighbours that never stand on one line, of which one has few lines, as one column."""
    joined: list[_Growing] = []
    for column in columns:
        before = joined[-1] if joined else None
        if before is not None and not before.lines & column.lines:
            few, many = sorted((len(before.lines), len(column.lines)))
            if few <= max(1, _FEW_SHARE * many):
                joined[-1] = _Growing(before.left, column.right, before.lines | column.lines)
                continue
        joined.append(column)
    return joined


def _borders(lines: Sequence[TextLine], rules: Sequence[Rule], area: Area) -> list[float]:
    """Rules within the table that stand beside enough of its lines."""
    places: list[float] = []
    for at in sorted(rule.at for rule in rules):
        if not area.left + 2 < at < area.right - 2 or (places and at - places[-1] <= 3):
            continue
        near = [rule for rule in rules if abs(rule.at - at) < 1.5]
        beside = sum(any(r.start - 1 <= line.middle <= r.end + 1 for r in near) for line in lines)
        if beside >= _RULE_SHARE * len(lines):
            places.append(at)
    return places


def _without_signs(columns: Sequence[Column], pieces: Sequence[Sequence[Piece]]) -> list[Column]:
    """Columns in which currencies stand alone, joined with those of the amounts behind them."""
    every = [piece for line in pieces for piece in line]
    joined: list[Column] = []
    start: float | None = None
    for column in columns[:-1]:
        own = [p for p in every if column.left - 1 <= p.left and p.right <= column.right + 1]
        if own and all(piece.text in CURRENCIES for piece in own):
            start = column.left if start is None else start
            continue
        joined.append(column if start is None else Column(start, column.right))
        start = None
    last = columns[-1:]
    return [*joined, *(Column(c.left if start is None else start, c.right) for c in last)]


def _is_divided(pieces: Sequence[Sequence[Piece]]) -> bool:
    """Whether what stands between two rules is itself columns of figures."""
    filled = [line for line in pieces if line]
    several = [line for line in filled if len(line) > 1]
    figures = [is_number(piece.text) for line in several for piece in line]
    gaps = [
        (after.left - before.right) / after.words[0].size
        for line in several
        for before, after in pairwise(line)
    ]
    many = len(several) >= max(3, _DIVIDED_SHARE * len(filled))
    wide = bool(gaps) and statistics.median(gaps) > _DIVIDED_GAP
    return many and wide and sum(figures) >= _FIGURES_SHARE * len(figures)
