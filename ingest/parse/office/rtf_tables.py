"""Rows of RTF tables, which tell where each cell ends, as a grid whose spanning cells are known.

Word and LibreOffice write a cell over two columns as one cell that ends where the second column
does; older programs as a first cell and others that are merged into it.

Source: Rich Text Format Specification 1.9.1, "Table Definitions".
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field

from ingest.parse.document.grid import GridCell, spread

_NEAR = 30  # twips: ends of cells that are less apart are one column's
_MERGED = {"clmrg": "across", "clvmrg": "down", "clmgf": "", "clvmgf": ""}
ROW_WORDS = frozenset((*_MERGED, "trowd", "cellx"))


@dataclass(frozen=True, slots=True)
class CellEnd:
    """Where a cell of a row ends, in twips from the left; what it is merged into."""

    right: int
    across: bool = False
    down: bool = False


@dataclass(slots=True)
class RowLayout:
    """The cells of the row that is being read, as far as they were defined."""

    ends: list[CellEnd] = field(default_factory=list)
    _merged: set[str] = field(default_factory=set)

    def take(self, word: str, number: int | None) -> None:
        """A control word of `ROW_WORDS`."""
        if word == "trowd":
            self.ends, self._merged = [], set()
        elif word == "cellx":
            merged, self._merged = self._merged, set()
            self.ends.append(CellEnd(number or 0, "across" in merged, "down" in merged))
        else:
            self._merged.add(_MERGED[word])


def table_lines(
    rows: Sequence[Sequence[str]], layouts: Sequence[Sequence[CellEnd]]
) -> list[list[str]]:
    """The texts of a table, each row with one entry a column where its rows tell their columns.

    Rows whose cells are not defined one by one, or all alike, stay as they are.
    """
    known = all(len(row) == len(ends) for row, ends in zip(rows, layouts, strict=True))
    spans = len(set(map(len, rows))) > 1 or any(e.across or e.down for r in layouts for e in r)
    if not known or not spans:
        return [list(row) for row in rows]
    columns = _columns(layouts)
    return spread([_cells(row, ends, columns) for row, ends in zip(rows, layouts, strict=True)])


def _columns(layouts: Sequence[Sequence[CellEnd]]) -> list[int]:
    """Where the columns of a table end: each end of a cell, those that nearly meet once."""
    columns: list[int] = []
    for right in sorted({end.right for ends in layouts for end in ends}):
        if not columns or right - columns[-1] > _NEAR:
            columns.append(right)
    return columns


def _cells(row: Sequence[str], ends: Sequence[CellEnd], columns: Sequence[int]) -> list[GridCell]:
    cells: list[GridCell] = []
    before = 0
    for text, end in zip(row, ends, strict=True):
        until = bisect_left(columns, end.right - _NEAR) + 1
        count = max(1, until - before)
        before = max(before + 1, until)
        if end.across and cells:
            last = cells[-1]
            cells[-1] = GridCell(
                " ".join(filter(None, (last.text, text))), last.columns + count, 1, last.continues
            )
        else:
            cells.append(GridCell(text, count, 1, end.down))
    return cells
