"""Text -> the lists in it, each with what introduces it.

"Typical ones are:" answers nothing without its items, and an item nothing without "the following
may not be referred:". So both are one block, told by the lead-in's colon and by the likeness of
what follows: a chunk's text holds no marks of a list's beginning and end.
"""

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

_GAP: Final = re.compile(r"\n\s*\n|\n(?=\s*(?:[-–—•*▪◦‣·]|\(?[0-9a-z]{1,3}[.)])\s)")
_BULLET: Final = re.compile(r"\s*(?:[-–—•*▪◦‣·]|\(?[0-9a-z]{1,3}[.)])\s")
_ENDS: Final = re.compile(r"[.!?…][\"'»”)\]]*\s*$")
_LEADS: Final = re.compile(r"[:：]\s*$")
_SENTENCE_END: Final = re.compile(r"[.!?]\s+(?=[^\W\d_])")
_INLINE: Final = re.compile(r"[:：]\s+(?=([-*•▪◦‣–])\s)")
_LONGEST_ITEM: Final = 420
_LONGEST_LEAD: Final = 260  # a longer paragraph leads in with its last sentence
_FEWEST_DASHED: Final = 3  # cuts; two items
_CLOSING: Final = 100  # characters of a last item that is closed with a full stop
_UNLIKE: Final = 3.0  # times as long as the longest item so far: prose goes on
_USUAL_ITEM: Final = 80


@dataclass(frozen=True, slots=True)
class ListBlock:
    """A list in a text: `text[start:end]`, the lead-in first."""

    start: int
    end: int
    lead_end: int  # where the lead-in ends
    items: tuple[tuple[int, int], ...]


def paragraphs(text: str) -> list[tuple[int, int]]:
    """Half-open spans of the paragraphs and list items of `text`, without white space around."""
    spans: list[tuple[int, int]] = []
    start = 0
    for end, following in (
        *((gap.start(), gap.end()) for gap in _GAP.finditer(text)),
        (len(text),) * 2,
    ):
        piece = text[start:end]
        if piece.strip():
            left = start + len(piece) - len(piece.lstrip())
            spans.append((left, start + len(piece.rstrip())))
        start = following
    return spans


def blocks(text: str) -> list[ListBlock]:
    """The lists of `text` that a lead-in with a colon opens, in order; they do not overlap."""
    found: list[ListBlock] = []
    spans = paragraphs(text)
    place = 0
    while place < len(spans):
        start, end = spans[place]
        inline = _inline(text, start, end)
        if inline is not None:
            found.append(inline)
            place += 1
            continue
        items = _items(text, spans[place + 1 :]) if _LEADS.search(text[start:end]) else []
        if items:
            found.append(ListBlock(_lead_start(text, start, end), items[-1][1], end, tuple(items)))
        place += 1 + len(items)
    return found


def _inline(text: str, start: int, end: int) -> ListBlock | None:
    """A list that was run into one paragraph: "you have to: * name the source * keep the sense"."""
    lead = _INLINE.search(text, start, end)
    if lead is None:
        return None
    item = re.compile(rf"\s(?={re.escape(lead[1])}\s)")
    cuts = [lead.end(), *(cut.end() for cut in item.finditer(text, lead.end(), end)), end]
    if lead[1] == "-" and len(cuts) < _FEWEST_DASHED:
        return None  # ": - " once is a dash
    items = tuple((a, a + len(text[a:b].rstrip())) for a, b in pairwise(cuts) if text[a:b].strip())
    first = lead.start() + 1
    return ListBlock(_lead_start(text, start, first), end, first, items)


def _items(text: str, following: list[tuple[int, int]]) -> list[tuple[int, int]]:
    items: list[tuple[int, int]] = []
    for start, end in following:
        here = text[start:end]
        if _LEADS.search(here) and not _BULLET.match(here):
            break
        if items and not _alike(text, items, here):
            if _closes(text, items, here):
                items.append((start, end))
            break
        if len(here) > _LONGEST_ITEM:
            break
        items.append((start, end))
    return items


def _alike(text: str, items: list[tuple[int, int]], here: str) -> bool:
    """Whether a paragraph goes on with the list, or is the text behind it."""
    first = text[items[0][0] : items[0][1]]
    if bool(_BULLET.match(first)) != bool(_BULLET.match(here)):
        return False
    if _BULLET.match(here):
        return True
    if _ENDS.search(here) and not _ENDS.search(first):
        return False
    longest = max(end - start for start, end in items)
    return len(here) <= _UNLIKE * max(longest, _USUAL_ITEM)


def _closes(text: str, items: list[tuple[int, int]], here: str) -> bool:
    """Whether it is a last item that has the full stop of them all."""
    bare = not _BULLET.match(text[slice(*items[0])]) and not _BULLET.match(here)
    one = _SENTENCE_END.search(here) is None
    return len(items) > 1 and bare and one and here.endswith(".") and len(here) <= _CLOSING


def _lead_start(text: str, start: int, end: int) -> int:
    if end - start <= _LONGEST_LEAD:
        return start
    ends = list(_SENTENCE_END.finditer(text, start, end))
    return ends[-1].end() if ends else start
