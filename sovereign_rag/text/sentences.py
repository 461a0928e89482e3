"""Text -> the spans of its sentences.

Sentences are what is quoted, so their borders matter: a quote that ends at "gem." or "art." is
no evidence. Segmentation is sentencex's (Wikimedia, rules for some 300 languages); what it does
not know are the abbreviations of laws and administrations, after which we join again.
"""

import re
from itertools import pairwise

import sentencex

_ABBREVIATIONS = re.compile(
    r"(?:^|[\s(\[«„“\"'’])(?:"
    # citing laws, articles, pages
    r"art|artt|abs|ziff|nr|nrn|rn|rdn|gem|vgl|hrsg|bd|bzw|ca|evtl|ggf|inkl|insb|sog|usw|str|tel"
    r"|al|cf|réf|ref|éd|env|ann|chap|p|pp|l|r|d|n|j|ch|no|nos|vs|fig|sec|seq|et al|approx"
    r"|ord|disp|núm|pág|págs|sr|sra|apdo|comma|co|lett|pag|dott|sig|ss|segg"
    r"|[a-zA-ZÀ-Ý])\.$",
    re.IGNORECASE,
)
_SHORT_WORD = re.compile(r"(?:^|[\s(])\w{1,5}\.$")  # "zzgl." before a small letter abbreviates
_BULLET = re.compile(r"\s*(?:[-–—•*▪◦]|\(?[0-9a-z]{1,3}[.)])\s")
_MARKER = re.compile(r"(?<=[.!?;:])\s+(?=\(\d{1,2}[a-z]?\)\s)")
_TERMINAL = (".", "!", "?", "…", ";", ":")
_NUMBERED = re.compile(r"^\s*\(?\d{1,3}[.)]$")  # "1." of a list item is not a sentence


def sentences(text: str, language: str | None) -> list[tuple[int, int]]:
    """Cut `text` into sentences.

    Returns:
        Half-open spans, ascending, without surrounding white space; every character that is not
        white space lies in exactly one of them. A line break followed by another ends a sentence,
        and so does every line break of a table's rows (" | " on the line).
    """
    spans: list[tuple[int, int]] = []
    for start, end in _blocks(text):
        spans += _sentences_of_block(text, start, end, language)
    return spans


def _blocks(text: str) -> list[tuple[int, int]]:
    """Paragraphs, and each row of a table by itself."""
    blocks: list[tuple[int, int]] = []
    start = 0
    for line_break in re.finditer(r"\n", text):
        line_start = text.rfind("\n", 0, line_break.start()) + 1
        line_end = text.find("\n", line_break.end())
        here = text[line_start : line_break.start()]
        following = text[line_break.end() : line_end if line_end >= 0 else len(text)]
        if _ends_block(here, following):
            blocks.append((start, line_break.start()))
            start = line_break.end()
    blocks.append((start, len(text)))
    blocks = [part for block in blocks for part in _at_markers(text, *block)]
    return [(a, b) for a, b in blocks if text[a:b].strip()]


def _at_markers(text: str, start: int, end: int) -> list[tuple[int, int]]:
    """A block cut before each numbered paragraph, "(2) ...", that begins after a full stop."""
    cuts = [found.end() for found in _MARKER.finditer(text, start, end)]
    return list(pairwise([start, *cuts, end]))


def _ends_block(line: str, following: str) -> bool:
    """Whether a line break ends a sentence, or is where a long line was merely wrapped."""
    if not line.strip() or not following.strip() or " | " in line or " | " in following:
        return True
    if _BULLET.match(following):
        return True
    return line.rstrip().endswith(_TERMINAL) and not _ABBREVIATIONS.search(line.rstrip())


def _sentences_of_block(
    text: str, start: int, end: int, language: str | None
) -> list[tuple[int, int]]:
    spans: list[tuple[int, int]] = []
    # A leading "(1)" or "-" keeps sentencex from seeing the ends that follow.
    marker = _BULLET.match(text, start, end)
    position = marker.end() if marker else start
    for piece in sentencex.segment(language or "en", text[position:end]):
        # The pieces partition the block; looking each up guards against a normalised one.
        found = text.find(piece, position, end)
        if found < 0:
            continue
        if spans and (
            _ABBREVIATIONS.search(text[spans[-1][0] : spans[-1][1]])
            or _NUMBERED.match(text[spans[-1][0] : spans[-1][1]])
            or (piece[:1].islower() and _SHORT_WORD.search(text[spans[-1][0] : spans[-1][1]]))
        ):
            spans[-1] = (spans[-1][0], found + len(piece.rstrip()))
        elif piece.strip():
            left = found + len(piece) - len(piece.lstrip())
            spans.append((left, found + len(piece.rstrip())))
        position = found + len(piece)
    return _cover(text, start, end, spans)


def _cover(text: str, start: int, end: int, spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Stretch the spans over anything that the segmenter left out."""
    whole: list[tuple[int, int]] = []
    for left, right in spans:
        gap = text[start:left]
        whole.append((start + len(gap) - len(gap.lstrip()), right))
        start = right
    if text[start:end].strip():
        tail = start + len(text[start:end].rstrip())
        if whole:
            whole[-1] = (whole[-1][0], tail)
        else:
            whole.append((start + len(text[start:end]) - len(text[start:end].lstrip()), tail))
    return whole
