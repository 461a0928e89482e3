"""Where the tables of a page stand.

The layout engine sees most of them. It misses tables without rules, cuts one table into several,
and leaves the labels at their left outside; so lines that have several cells one below the other
are looked for as well, wherever no prose stands.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from ingest.parse.pdf.cells import Piece, is_number, pieces_of
from ingest.parse.pdf.columns import by_gutters
from ingest.parse.pdf.glyphs import Area, around
from ingest.parse.pdf.lines import PageWord, TextLine, WordPlaces, text_lines
from ingest.parse.pdf.rules import Rule, Rules

_FARTHEST = 3.2  # heights between the baselines of neighbouring lines of one table
_FEWEST_LINES = 3  # with several cells
_FIGURES_SHARE = 0.3  # of the cells: with fewer, columns of text are no table
_PROSE_FIGURES = 0.3  # of the words: with more it is no prose
_PROSE_WORDS = 5  # in a line
_PROSE_LINES = 0.5  # of the lines have as many
_SHORTEST_PROSE = 9  # words, of a single line
_WIDE_GAP = 1.4  # heights: wider than justified prose has them
_WIDE_SHARE = 0.06
_SAME_LINE = 0.28  # heights between baselines
_LEADING = 1.0  # heights from the line above to a block that goes on with it
_CELLS_OF_A_ROW = 3
_NEXT_LINE = 1.45  # heights between the baselines of lines of one cell
_BESIDE_SHARE = 0.7  # of a block's lines that stand on the lines of a table: it belongs to it
_ACROSS_SHARE = 0.2  # of the narrower of two areas
_BORDERS = 3  # rules beside a line: the table is a grid there
_ALIGNED = 2.0  # points
_PAIRS_SHARE = 0.6  # of the lines of a form that have a label and a value
_LONGEST_LABEL = 5  # words
_NARROWEST = 4.0  # points between two borders of a column
_MOST_CROSSINGS = 400  # of rules, with one of them


@dataclass(frozen=True, slots=True)
class FoundAreas:
    """A block as the layout engine sees it."""

    area: Area
    tabular: bool


def table_areas(
    words: Sequence[PageWord], blocks: Sequence[FoundAreas], rules: Rules
) -> list[Area]:
    """Areas that hold tables, none over another.

    Args:
        words: Of one frame.
        blocks: What the layout engine sees in it.
        rules: Of the same frame.
    """
    places = WordPlaces(words)
    others = [block.area for block in blocks if not block.tabular]
    lines = text_lines(words)
    prose = [
        area
        for area in others
        if is_prose(places.within(area)) and not _goes_on_in_a_cell(area, lines, rules.down)
    ]
    loose = [area for area in others if area not in prose]
    areas = [_with_beside(b.area, loose, places) for b in blocks if b.tabular]
    taken = np.zeros(len(words), np.bool_)
    for area in prose:
        taken |= places.stand_in(area)
    areas += _of_lines(text_lines(places.chosen(~taken)), rules.down)
    areas = _joined([*areas, *_of_rules(rules)])
    for area in areas:
        taken |= places.stand_in(area)
    return _joined([*areas, *_of_forms(text_lines(places.chosen(~taken)), rules.down)])


def grids(words: Sequence[PageWord], rules: Sequence[Rule]) -> list[tuple[list[PageWord], bool]]:
    """The parts of a table's area and whether each is a table.

    Tables with rules that stand one above the other are parted, and the lines between them too.
    """
    lines = text_lines(words)
    left, right = min(w.area.left for w in words), max(w.area.right for w in words)
    near = [rule for rule in rules if left - 10 < rule.at < right + 10]
    borders = [[r.at for r in near if r.start - 1 <= line.middle <= r.end + 1] for line in lines]
    if max(map(len, borders)) < _BORDERS:
        return [(list(words), True)]
    parts: list[_Part] = []
    for line, beside in zip(lines, borders, strict=True):
        part = _Part([line], beside, len(pieces_of(line, 0, rules)) > 1)
        if parts and _is_same_grid(parts[-1], part):
            parts[-1].lines.append(line)
            parts[-1].several |= part.several
            if len(beside) >= len(parts[-1].borders):
                parts[-1].borders = beside
        else:
            parts.append(part)
    return [
        ([word for line in part.lines for word in line.words], part.is_grid or part.several)
        for part in parts
    ]


@dataclass(slots=True)
class _Part:
    lines: list[TextLine]
    borders: list[float]
    several: bool  # a line has several cells

    @property
    def is_grid(self) -> bool:
        return len(self.borders) > 1


def _is_same_grid(upper: _Part, lower: _Part) -> bool:
    """Whether a line stands in the grid above it; a caption between two grids does not."""
    if not (upper.is_grid and lower.is_grid):
        return upper.is_grid == lower.is_grid or lower.several
    shared = sum(any(abs(a - b) < 2 for b in lower.borders) for a in upper.borders)
    return shared >= 0.5 * min(len(upper.borders), len(lower.borders))


def is_prose(words: Sequence[PageWord]) -> bool:
    """Whether words are running text: lines of many words, few figures, no wide gaps."""
    if not words or sum(is_number(w.text) for w in words) >= _PROSE_FIGURES * len(words):
        return False
    lines = text_lines(words)
    gaps = [
        (after.area.left - before.area.right) / after.size
        for line in lines
        for before, after in pairwise(line.words)
    ]
    if sum(gap > _WIDE_GAP for gap in gaps) > _WIDE_SHARE * len(words):
        return False
    full = sum(len(line.words) >= _PROSE_WORDS for line in lines)
    return full >= _PROSE_LINES * len(lines) and (len(lines) > 1 or len(words) >= _SHORTEST_PROSE)


def _goes_on_in_a_cell(area: Area, lines: Sequence[TextLine], rules: Sequence[Rule]) -> bool:
    """Whether a block is the rest of a cell: right below a row, with the left edge of the cell."""
    for number, line in enumerate(lines):
        if not area.top - _LEADING * line.size < line.base < area.top + 0.5 * line.size:
            continue
        pieces = pieces_of(line, number, rules)
        figures = sum(is_number(piece.text) for piece in pieces)
        if figures and len(pieces) >= _CELLS_OF_A_ROW:
            return any(abs(piece.left - area.left) < _ALIGNED for piece in pieces)
    return False


def _with_beside(area: Area, others: Sequence[Area], places: WordPlaces) -> Area:
    """An area with the blocks at its sides whose lines stand on its lines."""
    lines = text_lines(places.within(area))
    for other in others:
        if other.right > area.left + 4 and other.left < area.right - 4:
            continue
        if other.bottom < area.top - 4 or other.top > area.bottom + 4:
            continue
        own = text_lines(places.within(other))
        on = sum(
            any(abs(mine.base - line.base) < _SAME_LINE * mine.size for line in lines)
            for mine in own
        )
        if own and on >= _BESIDE_SHARE * len(own):
            area = around((area, other))
    return area


def _of_lines(lines: Sequence[TextLine], rules: Sequence[Rule]) -> list[Area]:
    """Areas of neighbouring lines that have several cells, most of them figures."""
    found: list[Area] = []
    run: list[tuple[TextLine, list[Piece]]] = []

    def close() -> None:
        while run and len(run[-1][1]) < 2 and not _ends_a_cell(run):
            run.pop()
        pieces = [own for _, own in run]
        if _is_table(pieces):
            found.append(around([line.area for line, _ in run]))
        run.clear()

    for number, line in enumerate(lines):
        pieces = pieces_of(line, number, rules)
        if run and (
            line.base - run[-1][0].base > _FARTHEST * line.size
            or all(len(own) < 2 for own in (pieces, *(before for _, before in run[-3:])))
        ):
            close()
        if run or len(pieces) > 1:
            run.append((line, pieces))
    close()
    return found


def _ends_a_cell(run: Sequence[tuple[TextLine, list[Piece]]]) -> bool:
    """Whether the last line is the rest of a cell of the row above, but not of its first."""
    if len(run) < 2:
        return False
    (above, cells), (line, pieces) = run[-2:]
    near = line.base - above.base <= _NEXT_LINE * line.size
    return near and any(abs(cell.left - p.left) < _ALIGNED for cell in cells[1:] for p in pieces)


def _is_table(pieces: Sequence[Sequence[Piece]]) -> bool:
    several = [line for line in pieces if len(line) > 1]
    if len(several) < _FEWEST_LINES or len(by_gutters(pieces)) < 2:
        return False
    figures = [is_number(piece.text) for line in several for piece in line]
    return sum(figures) >= _FIGURES_SHARE * len(figures)


@dataclass(slots=True)
class _Form:
    """Labels one below the other, each with its value beside it."""

    pairs: list[tuple[Piece, Piece]]
    base: float  # of the last line

    def goes_on(self, label: Piece, value: Piece, line: TextLine) -> bool:
        near = line.base - self.base <= _FARTHEST * line.size
        return near and all(map(_are_aligned, self.pairs[-1], (label, value)))

    @property
    def is_form(self) -> bool:
        named = sum(_is_label(label.text, value.text) for label, value in self.pairs)
        return len(self.pairs) >= _FEWEST_LINES and named >= _PAIRS_SHARE * len(self.pairs)

    @property
    def area(self) -> Area:
        words = [word for pair in self.pairs for piece in pair for word in piece.words]
        return around([word.area for word in words])


def is_form(lines: Sequence[TextLine]) -> bool:
    """Whether lines are labels with their values, and nothing else."""
    forms = [form for form in _forms(lines, ()) if form.is_form]
    return len(forms) == 1 and len(forms[0].pairs) == len(lines)


def _of_forms(lines: Sequence[TextLine], rules: Sequence[Rule]) -> list[Area]:
    """Areas of labels and their values, as on invoices; what stands beside them is not of it."""
    return [form.area for form in _forms(lines, rules) if form.is_form]


def _forms(lines: Sequence[TextLine], rules: Sequence[Rule]) -> list[_Form]:
    forms: list[_Form] = []
    for number, line in enumerate(lines):
        for label, value in pairwise(pieces_of(line, number, rules)):
            form = next((f for f in forms if f.goes_on(label, value, line)), None)
            if form is None:
                forms.append(_Form([(label, value)], line.base))
            else:
                form.pairs.append((label, value))
                form.base = line.base
    return forms


def _are_aligned(one: Piece, other: Piece) -> bool:
    return abs(one.left - other.left) < _ALIGNED or abs(one.right - other.right) < _ALIGNED


def _is_label(label: str, value: str) -> bool:
    if len(label.split()) > _LONGEST_LABEL:
        return False
    figures = any(map(str.isdigit, value)) and not any(map(str.isdigit, label))
    return label.endswith(":") or figures


def _of_rules(rules: Rules) -> list[Area]:
    """Areas of rules that cross each other and divide them into columns and rows."""
    across = [rule.at for rule in rules.across]
    groups: list[tuple[set[int], list[Rule]]] = []  # rules across by number, rules down
    for rule in rules.down:
        first, last = bisect_left(across, rule.start - 3), bisect_right(across, rule.end + 3)
        touched = {
            number
            for number in range(first, min(last, first + _MOST_CROSSINGS))
            if rules.across[number].start - 3 <= rule.at <= rules.across[number].end + 3
        }
        own = [rule]
        for group in [group for group in groups if group[0] & touched]:
            groups.remove(group)
            touched, own = touched | group[0], own + group[1]
        groups.append((touched, own))
    return [
        Area(
            min(rule.at for rule in own),
            min(across[number] for number in touched),
            max(rule.at for rule in own),
            max(across[number] for number in touched),
        )
        for touched, own in groups
        if len(touched) > 1 and _columns(own) >= _BORDERS
    ]


def _columns(rules: Sequence[Rule]) -> int:
    """At how many places rules run down the page."""
    places = sorted(rule.at for rule in rules)
    return 1 + sum(after - before > _NARROWEST for before, after in pairwise(places))


def _joined(areas: Sequence[Area]) -> list[Area]:
    """Areas of which none lies over another."""
    joined: list[Area] = []
    for area in areas:
        while (other := next((a for a in joined if _overlap(a, area)), None)) is not None:
            joined.remove(other)
            area = around((area, other))
        joined.append(area)
    return joined


def _overlap(one: Area, other: Area) -> bool:
    across = min(one.right, other.right) - max(one.left, other.left)
    down = min(one.bottom, other.bottom) - max(one.top, other.top)
    return across > _ACROSS_SHARE * min(one.width, other.width) and down > 2
