"""Boxes of text that stand side by side, as the addresses of a letter do.

Where their lines stand at different heights, the layout engine takes lines of one and lines of the
other for one block. Two lines that overlap in height and have a gap between them are of two boxes;
what a block has of each is put with what stands above and below it there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from ingest.parse.pdf.glyphs import Area, around
from ingest.parse.pdf.lines import PageWord, TextLine, text_lines
from ingest.parse.pdf.sides import columns_of_text

_OVERLAP = 0.75  # heights between the baselines of lines that reach into each other
_GAP = 2.0  # heights between boxes, at least
_SIMILAR = 0.75  # of the larger size: else one of the lines is a mark of the other
_NEAR = 0.6  # heights from a box to the next line of it
_MOST_BLOCKS = 200


@dataclass(frozen=True, slots=True)
class Beside:
    """Boxes side by side: the words of each, and the blocks that they are made of."""

    sides: tuple[tuple[PageWord, ...], ...]
    blocks: frozenset[int]
    mixed: frozenset[int]  # of these, blocks that have words of several sides


def boxes_beside(blocks: Mapping[int, Sequence[PageWord]]) -> list[Beside]:
    """The boxes side by side that blocks, by their ranks, cut across."""
    if len(blocks) > _MOST_BLOCKS:
        return []
    mixed = {rank for rank, words in blocks.items() if _is_mixed(text_lines(words))}
    areas = {rank: around([word.area for word in words]) for rank, words in blocks.items()}
    found: list[Beside] = []
    left = set(mixed)
    while left:
        first = min(left, key=lambda rank: areas[rank].top)
        own = _grown({first}, blocks, areas, mixed)
        left -= own
        if (sides := _sides(own, blocks)) and len(sides) > 1:
            found.append(Beside(tuple(map(tuple, sides)), frozenset(own), frozenset(own & mixed)))
            blocks = {rank: words for rank, words in blocks.items() if rank not in own}
    return found


def _is_mixed(lines: Sequence[TextLine]) -> bool:
    return any(_are_of_two(upper, lower) for upper, lower in pairwise(lines))


def _are_of_two(upper: TextLine, lower: TextLine) -> bool:
    """Whether lines that reach into each other have pieces with a gap between them."""
    size = min(upper.size, lower.size)
    if lower.base - upper.base > _OVERLAP * size or size < _SIMILAR * max(upper.size, lower.size):
        return False
    gap = _GAP * size
    return any(
        one.left - other.right > gap or other.left - one.right > gap
        for one in _pieces(upper, gap)
        for other in _pieces(lower, gap)
    )


def _pieces(line: TextLine, gap: float) -> list[Area]:
    """The places of a line's pieces that say something, apart by gaps."""
    pieces = [[line.words[0]]]
    for before, word in pairwise(line.words):
        if word.area.left - before.area.right > gap:
            pieces.append([])
        pieces[-1].append(word)
    return [
        around([word.area for word in words])
        for words in pieces
        if any(character.isalpha() for word in words for character in word.text)
    ]


def _grown(
    own: set[int],
    blocks: Mapping[int, Sequence[PageWord]],
    areas: Mapping[int, Area],
    mixed: set[int],
) -> set[int]:
    """Blocks with those that go on above and below: mixed ones, and ones that stay in one box."""
    grown = set(own)
    while True:
        area = around([areas[rank] for rank in grown])
        sides = [around([w.area for w in side]) for side in _sides(grown, blocks)]
        near = {
            rank
            for rank in blocks.keys() - grown
            if _is_near(area, areas[rank], blocks[rank])
            and (rank in mixed or sum(_shares(areas[rank], side) for side in sides) == 1)
        }
        if not near:
            return grown
        grown |= near


def _is_near(area: Area, other: Area, words: Sequence[PageWord]) -> bool:
    slack = _NEAR * max(word.size for word in words)
    return other.top <= area.bottom + slack and other.bottom >= area.top - slack


def _shares(one: Area, other: Area) -> bool:
    return min(one.right, other.right) > max(one.left, other.left)


def _sides(own: set[int], blocks: Mapping[int, Sequence[PageWord]]) -> list[list[PageWord]]:
    return columns_of_text([word for rank in sorted(own) for word in blocks[rank]])
