"""The blocks of a page: the layout engine's, filled with the characters that stand in them.

The engine knows paragraphs, headings, lists and their order. The text of each is what the file
has within its box, so no word is taken from another place; tables are made anew from the places
of their words, and lines that the engine left out are put where they stand.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

import numpy as np
from numpy.typing import NDArray

from ingest.parse.document.blocks import Block
from ingest.parse.document.text import squashed
from ingest.parse.pdf.address import is_address
from ingest.parse.pdf.areas import FoundAreas, grids, is_prose, table_areas
from ingest.parse.pdf.beside import Beside, boxes_beside
from ingest.parse.pdf.characters import PageCharacters
from ingest.parse.pdf.glyphs import Area, around
from ingest.parse.pdf.layout import BULLETS, PageLayout, Region
from ingest.parse.pdf.lines import PageWord, TextLine, WordPlaces, text_lines
from ingest.parse.pdf.order import reading_order
from ingest.parse.pdf.rules import Rules, rules_of
from ingest.parse.pdf.sides import boxes_of, columns_of_text, sides_of
from ingest.parse.pdf.tables import table_of
from ingest.parse.pdf.words import Written, flowing, line_by_line, tabular
from sovereign_rag.domain import Box, ElementKind

_PARAGRAPH_GAP = 1.6  # heights between the baselines of lines of one paragraph
_OWNED_SHARE = 0.9  # of a text's words that stand in a table's area: it is a part of the table
_TALLER = 1.25  # times a block's height: a word that is taller only stands behind its marks
_TALLEST_BOXES = 20.0  # heights, of boxes side by side
_BOX_END = 6.0  # heights: so far one may go on below the others
_BOX_LEADING = 1.6  # heights between the baselines of lines of one
_SHIFT = 3.0  # heights: lines of one paragraph start no further apart


@dataclass(frozen=True, slots=True)
class _Placed:
    """A block, and the place among the engine's that it takes; None: by where it stands."""

    block: Block
    rank: int | None


def page_blocks(layout: PageLayout | None, page: PageCharacters) -> list[Block]:
    """The blocks of a page in reading order, without what is not seen."""
    glyphs = page.glyphs
    regions = layout.regions if layout else ()
    strokes = layout.strokes if layout else ()
    placed: list[_Placed] = []
    for turn, words in sorted(page.words.items()):
        frame = glyphs.frame(turn)
        areas = [_area(region, page) for region in regions] if turn == 0 else []
        reader = _FrameReader(page, turn, regions, areas, rules_of(strokes, frame))
        placed += reader.blocks(words)
    filled = {item.rank for item in placed}
    placed += _told_by_the_engine_alone(regions, page, filled)
    blocks = [item.block for item in _ranked(placed)]
    return [blocks[index] for index in reading_order([block.box for block in blocks])]


class _FrameReader:
    """Reads the words of a page that are turned one way."""

    def __init__(
        self,
        page: PageCharacters,
        turn: int,
        regions: Sequence[Region],
        areas: Sequence[Area | None],
        rules: Rules,
    ) -> None:
        self._page, self._turn = page, turn
        self._regions, self._rules = regions, rules
        self._areas = [(rank, area) for rank, area in enumerate(areas) if area is not None]

    def blocks(self, words: Sequence[PageWord]) -> Iterator[_Placed]:
        found = [FoundAreas(area, self._regions[rank].tabular) for rank, area in self._areas]
        places = WordPlaces(words)
        left = np.ones(len(words), np.bool_)
        for area in table_areas(words, found, self._rules):
            own = left & places.stand_in(area) & ~self._of_prose_beyond(area, places)
            if own.sum() < 2:
                continue
            own |= self._ends_of_boxes(own, left & ~own, places)
            left &= ~own
            rank = min((r for r, other in self._areas if _overlap(area, other)), default=None)
            yield from (_Placed(block, rank) for block in self._tables(places.chosen(own)))
        yield from self._others(WordPlaces(places.chosen(left)))

    def _ends_of_boxes(
        self, own: NDArray[np.bool_], left: NDArray[np.bool_], places: WordPlaces
    ) -> NDArray[np.bool_]:
        """The last lines of boxes side by side, which go on below where the shortest ends."""
        none = np.zeros(len(places.words), np.bool_)
        words = places.chosen(own)
        area, size = around([word.area for word in words]), max(word.size for word in words)
        if area.height > _TALLEST_BOXES * size:
            return none
        below = Area(area.left, area.bottom, area.right, area.bottom + _BOX_END * size)
        base, ends = max(word.base for word in words), set[int]()
        for line in text_lines(places.chosen(left & places.stand_in(below))):
            if line.base - base > _BOX_LEADING * size:
                break
            base = line.base
            ends |= {word.numbers[0] for word in line.words}
        found = np.array([word.numbers[0] in ends for word in places.words], np.bool_)
        return found if ends and len(boxes_of(places.chosen(own | found))) > 1 else none

    def _of_prose_beyond(self, area: Area, places: WordPlaces) -> NDArray[np.bool_]:
        """The words of blocks of text that only reach into a table's area: no text is cut up."""
        found = np.zeros(len(places.words), np.bool_)
        within = places.stand_in(area)
        for rank, other in self._areas:
            if not self._regions[rank].tabular and _overlap(area, other):
                own = places.stand_in(other)
                if (own & within).sum() < _OWNED_SHARE * own.sum() and is_prose(places.chosen(own)):
                    found |= own
        return found

    def _tables(self, words: Sequence[PageWord]) -> Iterator[Block]:
        for side in sides_of(words, self._rules.across):
            lines = text_lines(side)
            is_box = is_address(lines) and len(columns_of_text(side)) == 1
            yield from self._paragraphs(lines) if is_box else self._table(side)

    def _table(self, words: Sequence[PageWord]) -> Iterator[Block]:
        for part, is_table in grids(words, self._rules.down):
            table = table_of(part, self._rules) if is_table else None
            if table is None:
                yield from self._paragraphs(text_lines(part))
            elif block := self._block(ElementKind.TABLE, tabular(table, self._page, self._turn)):
                yield block

    def _others(self, places: WordPlaces) -> Iterator[_Placed]:
        """The words that stand in no table, each in the smallest region around it."""
        owners = np.full(len(places.words), -1)
        sized = sorted((-area.width * area.height, rank, area) for rank, area in self._areas)
        for _, rank, area in sized:
            owners[places.stand_in(area) & (places.sizes < _TALLER * area.height)] = rank
        owned: dict[int, list[PageWord]] = {}
        for word, owner in zip(places.words, owners.tolist(), strict=True):
            owned.setdefault(owner, []).append(word)
        loose = owned.pop(-1, [])
        yield from (_Placed(b, None) for b in self._paragraphs(text_lines(loose)))
        for boxes in boxes_beside(owned):
            rank = min(boxes.blocks)
            yield from (_Placed(b, rank) for b in self._boxes(boxes, owned))
            for taken in boxes.blocks:
                del owned[taken]
        for rank, own in owned.items():
            if block := self._region(self._regions[rank], own):
                yield _Placed(block, rank)

    def _boxes(self, boxes: Beside, owned: Mapping[int, Sequence[PageWord]]) -> Iterator[Block]:
        """Boxes one after the other; a block that stays in one of them is what it was."""
        whole = {w.numbers: r for r in boxes.blocks - boxes.mixed for w in owned[r]}
        left = boxes.blocks - boxes.mixed  # lines of others may stand among those of a block
        for side in boxes.sides:
            lines = text_lines(side)
            for rank, own in groupby(lines, lambda line: whole.get(line.words[0].numbers)):
                if rank is None:
                    yield from self._paragraphs(list(own))
                elif rank in left and (block := self._region(self._regions[rank], owned[rank])):
                    left -= {rank}
                    yield block

    def _region(self, region: Region, own: Sequence[PageWord]) -> Block | None:
        words = _as_read(region, own)
        if region.kind is ElementKind.LIST_ITEM and words[0][0].text in BULLETS:
            words[0] = words[0][1:]
            words = [line for line in words if line]
        if not words:
            return None
        if region.kind is ElementKind.CODE:
            return self._block(
                region.kind, line_by_line(words, self._page, self._turn), region.level
            )
        kind = ElementKind.PARAGRAPH if region.kind is ElementKind.TABLE else region.kind
        return self._block(kind, flowing(words, self._page, self._turn), region.level)

    def _paragraphs(self, lines: Sequence[TextLine]) -> Iterator[Block]:
        """Lines that no region holds, those close below each other as one paragraph."""
        paragraph: list[TextLine] = []
        for before, line in pairwise([None, *lines]):
            assert line is not None
            if before is not None and not _is_one_paragraph(before, line):
                yield from self._paragraph(paragraph)
                paragraph = []
            paragraph.append(line)
        yield from self._paragraph(paragraph)

    def _paragraph(self, lines: Sequence[TextLine]) -> Iterator[Block]:
        if not lines:
            return
        written = flowing([line.words for line in lines], self._page, self._turn)
        if block := self._block(ElementKind.PARAGRAPH, written):
            yield block

    def _block(self, kind: ElementKind, written: Written, level: int = 0) -> Block | None:
        text, words = written
        if not text.strip(" |\n") or not words:
            return None
        return Block(kind, text, level, words, _around([word.box for word in words]))


def _as_read(region: Region, own: Sequence[PageWord]) -> list[tuple[PageWord, ...]]:
    """The lines of a region; those of columns one after the other where the engine reads so."""
    across = [line.words for line in text_lines(own)]
    boxes = boxes_of(own)
    if len(boxes) > 1:
        return [line.words for box in boxes for line in text_lines(box)]
    sides = columns_of_text(own)
    if len(sides) < 2 or len(across) < 2:
        return across
    down = [line.words for side in sides for line in text_lines(side)]
    told = squashed(region.text)
    return max((across, down), key=lambda lines: _in_common(told, lines))


def _in_common(told: str, lines: Sequence[Sequence[PageWord]]) -> int:
    """How many letters a reading begins with as it is told."""
    read = squashed("".join(word.text for line in lines for word in line))
    return next((n for n, (a, b) in enumerate(zip(told, read, strict=False)) if a != b), len(read))


def _is_one_paragraph(before: TextLine, line: TextLine) -> bool:
    near = line.base - before.base <= _PARAGRAPH_GAP * max(before.size, line.size)
    return near and abs(line.area.left - before.area.left) <= _SHIFT * line.size


def _told_by_the_engine_alone(
    regions: Sequence[Region], page: PageCharacters, filled: set[int | None]
) -> Iterator[_Placed]:
    """Regions where the page has no character: their text stays, without places."""
    left = [rank for rank in range(len(regions)) if rank not in filled]
    if not left:
        return
    known = squashed(page.text), squashed(page.hidden), squashed(page.codes)
    for rank in left:
        region, area = regions[rank], _area(regions[rank], page)
        if area is None or page.glyphs.stand_in(area):
            continue
        bare = squashed(region.text)
        if bare and not any(bare in text for text in known):
            yield _Placed(Block(region.kind, region.text, region.level, (), region.box), rank)


def _ranked(placed: Sequence[_Placed]) -> list[_Placed]:
    """Blocks in the engine's order; those that it does not know behind what stands above them."""
    ordered = sorted((p for p in placed if p.rank is not None), key=lambda p: p.rank or 0)
    for item in (p for p in placed if p.rank is None):
        place = 0
        for index, other in enumerate(ordered, start=1):
            if _comes_before(other.block.box, item.block.box):
                place = index
        ordered.insert(place, item)
    return ordered


def _comes_before(first: Box | None, second: Box | None) -> bool:
    if first is None or second is None:
        return False
    shares = min(first.right, second.right) > max(first.left, second.left)
    middle = (second.top + second.bottom) / 2
    beside = first.top <= middle <= first.bottom and first.left < second.left
    return (shares and first.bottom <= middle) or beside


def _overlap(one: Area, other: Area) -> bool:
    across = min(one.right, other.right) - max(one.left, other.left)
    return across > 1 and min(one.bottom, other.bottom) - max(one.top, other.top) > 1


def _area(region: Region, page: PageCharacters) -> Area | None:
    if region.box is None:
        return None
    width, height = page.glyphs.width, page.glyphs.height
    box = region.box
    return Area(box.left * width, box.top * height, box.right * width, box.bottom * height)


def _around(boxes: Iterable[Box]) -> Box:
    every = list(boxes)
    return Box(
        every[0].page,
        min(box.left for box in every),
        min(box.top for box in every),
        max(box.right for box in every),
        max(box.bottom for box in every),
    )
