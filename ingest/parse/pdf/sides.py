"""Tables and boxes that stand side by side: what stands beside each other is not a row."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence

from ingest.parse.pdf.address import is_address
from ingest.parse.pdf.areas import is_form, is_prose
from ingest.parse.pdf.cells import is_number
from ingest.parse.pdf.lines import PageWord, TextLine, text_lines
from ingest.parse.pdf.rules import Rule

_FEWEST_LINES = 5  # on either side
_FEWEST_OF_TEXT = 3  # of a side without figures
_FEW_LEVEL_SHARE = 0.3  # then
_NARROWEST = 1.2  # heights: of the gap between two sides
_LEVEL_SHARE = 0.5  # of the lines of one side that stand on lines of the other: they are rows
_PROSE_LEVEL_SHARE = 0.85  # where one side is running text, whose lines stand anywhere
_BOX_GAP = 1.5  # heights between boxes
_SAME_LINE = 0.28  # heights between baselines
_HEAD_LINES = 3  # in which both sides may have the same headings
_LABELS_SHARE = 0.8  # of the lines of each side, then
_CROSSED = 2  # so many rules over the gap make rows of both sides


def sides_of(words: Sequence[PageWord], rules: Sequence[Rule]) -> list[list[PageWord]]:
    """The words of each side, from left to right; one where the lines go across.

    Args:
        words: Of an area that holds a table.
        rules: Those that run across the page.
    """
    for left, right in _gaps(words):
        middle = (left + right) / 2
        first = [word for word in words if word.middle[0] < middle]
        second = [word for word in words if word.middle[0] >= middle]
        are_sides = _are_boxes(first, second) or not _are_rows(first, second)
        if are_sides and not _is_crossed(left, right, words, rules):
            return [*sides_of(first, rules), *sides_of(second, rules)]
    return [list(words)]


def boxes_of(words: Sequence[PageWord]) -> list[list[PageWord]]:
    """The words of addresses and the like side by side, from left to right; one where none are."""
    for left, right in _gaps(words):
        middle = (left + right) / 2
        first = [word for word in words if word.middle[0] < middle]
        second = [word for word in words if word.middle[0] >= middle]
        if _are_boxes(first, second):
            return [*boxes_of(first), *boxes_of(second)]
    return [list(words)]


def _are_boxes(first: Sequence[PageWord], second: Sequence[PageWord]) -> bool:
    """Whether an address, or the like, stands beside another or beside a form."""
    parts = [[text_lines(part) for part in columns_of_text(side)] for side in (first, second)]
    gap = min(w.area.left for w in second) - max(w.area.right for w in first)
    if gap < _BOX_GAP * max(word.size for word in first):
        return False
    addresses = is_address(parts[0][-1]), is_address(parts[1][0])
    if all(addresses):
        return True
    if not any(addresses):
        return False
    other = second if addresses[0] else first
    return is_form(text_lines(other))


def columns_of_text(words: Sequence[PageWord]) -> list[list[PageWord]]:
    """Words parted wherever a gap runs through all their lines, from left to right."""
    gaps = [right for _, right in _gaps(words)]
    sides: list[list[PageWord]] = [[] for _ in range(len(gaps) + 1)]
    for word in words:
        sides[bisect_right(gaps, word.middle[0])].append(word)
    return sides


def _gaps(words: Sequence[PageWord]) -> Iterator[tuple[float, float]]:
    """Stretches across which no word stands, from left to right."""
    end = float("-inf")
    for word in sorted(words, key=lambda w: w.area.left):
        if word.area.left - end > _NARROWEST * word.size and end > float("-inf"):
            yield end, word.area.left
        end = max(end, word.area.right)


def _are_rows(first: Sequence[PageWord], second: Sequence[PageWord]) -> bool:
    if len(first) + len(second) < 4 * _FEWEST_LINES:
        return True
    one, other = text_lines(first), text_lines(second)
    few, many = sorted((one, other), key=len)
    of_text = not any(is_number(word.text) for line in few for word in line.words)
    if len(few) < (_FEWEST_OF_TEXT if of_text else _FEWEST_LINES):
        return True
    if _begin_alike(one, other):
        return False
    level = sum(
        any(abs(line.base - beside.base) < _SAME_LINE * line.size for beside in many)
        for line in few
    )
    share = _LEVEL_SHARE if len(few) >= _FEWEST_LINES else _FEW_LEVEL_SHARE
    if len(few) >= _FEWEST_LINES and is_prose(first) is not is_prose(second):
        share = _PROSE_LEVEL_SHARE
    return level >= share * len(few)


def _begin_alike(one: Sequence[TextLine], other: Sequence[TextLine]) -> bool:
    """Whether both sides have the same headings, over labels of their own: one list, folded."""
    heads = [[word.text for word in line.words] for line in one[:_HEAD_LINES]]
    alike = any(
        len(line.words) > 1 and [word.text for word in line.words] in heads
        for line in other[:_HEAD_LINES]
    )
    return alike and all(
        sum(not is_number(line.words[0].text) for line in side) >= _LABELS_SHARE * len(side)
        for side in (one, other)
    )


def _is_crossed(
    left: float, right: float, words: Sequence[PageWord], rules: Sequence[Rule]
) -> bool:
    top, bottom = min(w.area.top for w in words), max(w.area.bottom for w in words)
    over = [r for r in rules if r.start < left and r.end > right and top < r.at < bottom]
    return len(over) >= _CROSSED
