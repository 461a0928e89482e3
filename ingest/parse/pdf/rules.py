"""The straight lines that are drawn on a page: rules between rows and columns."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from ingest.parse.pdf.glyphs import Frame

_STRAIGHT = 1.5  # points off the axis, at most
_SHORTEST = 6.0
_SAME = 2.6  # points between the two edges of one thick rule
_TOUCH = 2.5  # points between two pieces of one rule
_MOST_STROKES = 6_000  # a drawing, not a table


class Rule(NamedTuple):
    """A line along an axis: at `at`, from `start` to `end`, in points."""

    at: float
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Rules:
    """Each drawn line once."""

    across: tuple[Rule, ...] = ()
    down: tuple[Rule, ...] = ()


Stroke = tuple[float, float, float, float]
"""A drawn line from (x, y) to (x, y), in points of the page as shown."""


def rules_of(strokes: Iterable[Stroke], frame: Frame) -> Rules:
    """The rules of a page in a frame; none where so much is drawn that it is a picture."""
    across: list[Rule] = []
    down: list[Rule] = []
    for number, (x0, y0, x1, y1) in enumerate(strokes):
        if number >= _MOST_STROKES:
            return Rules()
        (left, top), (right, bottom) = frame.point(x0, y0), frame.point(x1, y1)
        if abs(bottom - top) <= _STRAIGHT and abs(right - left) >= _SHORTEST:
            across.append(Rule((top + bottom) / 2, min(left, right), max(left, right)))
        elif abs(right - left) <= _STRAIGHT and abs(bottom - top) >= _SHORTEST:
            down.append(Rule((left + right) / 2, min(top, bottom), max(top, bottom)))
    return Rules(tuple(_once(across)), tuple(_once(down)))


def _once(rules: Iterable[Rule]) -> list[Rule]:
    """Pieces of one rule joined, and the edges of a thick one."""
    joined: list[Rule] = []
    for rule in sorted(rules):
        for place in range(len(joined) - 1, -1, -1):
            other = joined[place]
            if rule.at - other.at > _SAME:
                joined.append(rule)
                break
            if rule.start <= other.end + _TOUCH and rule.end >= other.start - _TOUCH:
                start, end = min(rule.start, other.start), max(rule.end, other.end)
                joined[place] = Rule(other.at, start, end)
                break
        else:
            joined.append(rule)
    return joined
