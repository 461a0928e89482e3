"""Tables and boxes that stand side by side: what stands beside each other is not a row."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence

from ingest.parse.pdf.lines import PageWord, text_lines
from ingest.parse.pdf.rules import Rule

_FEWEST_LINES = 5  # on either side
_NARROWEST = 1.2  # heights: of the gap between two sides
_LEVEL_SHARE = 0.5  # of the lines of one side that stand on lines of the other: they are rows
_SAME_LINE = 0.28  # heights between baselines
_CROSSED = 2  # so many rules over the gap make rows of both sides


def sides_of(words: Sequence[PageWord], rules: Sequence[Rule]) -> list[list[PageWord]]:
    """The words of each side, from left to right; one where the lines go across.

    Args:
        words: Of an area that holds a table.
        rules: Those that run across the page.
    """
    if len(words) < 4 * _FEWEST_LINES:
        return [list(words)]
    for left, right in _gaps(words):
        middle = (left + right) / 2
        first = [word for word in words if word.middle[0] < middle]
        second = [word for word in words if word.middle[0] >= middle]
        if not _are_rows(first, second) and not _is_crossed(left, right, words, rules):
            return [*sides_of(first, rules), *sides_of(second, rules)]
    return [list(words)]


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
    one, other = text_lines(first), text_lines(second)
    few, many = sorted((one, other), key=len)
    if len(few) < _FEWEST_LINES:
        return True
    level = sum(
        any(abs(line.base - beside.base) < _SAME_LINE * line.size for beside in many)
        for line in few
    )
    return level >= _LEVEL_SHARE * len(few)


def _is_crossed(
    left: float, right: float, words: Sequence[PageWord], rules: Sequence[Rule]
) -> bool:
    top, bottom = min(w.area.top for w in words), max(w.area.bottom for w in words)
    over = [r for r in rules if r.start < left and r.end > right and top < r.at < bottom]
    return len(over) >= _CROSSED
