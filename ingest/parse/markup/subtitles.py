"""Subtitles (SRT, WebVTT): what is said, in whole sentences, and when.

Times stand beside the text, shown and not searched, so that a sentence that runs over several
subtitles is one that can be quoted.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from ingest.parse.document.blocks import Block, DocumentDraft, block, unpaged
from ingest.parse.document.job import Job
from ingest.parse.document.text import decode
from sovereign_rag.domain import ElementKind

_TIMES = re.compile(
    r"^[ \t]*((?:\d+:)?\d\d:\d\d)[,.]\d{1,3}[ \t]+-->[ \t]+((?:\d+:)?\d\d:\d\d)[,.]\d{1,3}[^\n]*$",
    re.MULTILINE,
)
_TAG = re.compile(r"</?[a-zA-Z][^>\n]*>|<\d[\d:.]*>|\{\\[^}\n]*\}")
_SPEAKER = re.compile(r"<v(?:\.[\w.]+)?\s+([^>\n]+)>")
_ENDS = (".", "!", "?", "…", ".»", '."', ".“", "?“", "!“")
_NOTES = re.compile(r"^(?:NOTE|STYLE|REGION)\b.*?(?=\n[ \t]*\n|\Z)", re.MULTILINE | re.DOTALL)
_LONGEST_PASSAGE = 800  # characters, where nobody ends a sentence


def read_subtitles(path: Path, job: Job) -> DocumentDraft:
    """The `Reader` of SRT and WebVTT."""
    del job
    text = decode(path.read_bytes()).replace("\r\n", "\n").replace("\r", "\n")
    if text.startswith("WEBVTT"):
        text = _NOTES.sub("", text)
    return unpaged(_passages(text))


def _passages(text: str) -> Iterator[Block | None]:
    said: list[str] = []
    begin = ""
    for start, words in _subtitles(text):
        speaks = _SPEAKER.search(words)
        clean = " ".join(_TAG.sub("", words).split())
        if speaks:
            clean = f"{speaks.group(1).strip()}: {clean}"
        if not clean or said[-1:] == [clean]:
            continue
        if said and (speaks or clean.startswith(("-", "–", "—"))):
            yield from _passage(begin, said)
            said = []
        begin = begin if said else start
        said.append(clean)
        if clean.endswith(_ENDS) or sum(map(len, said)) > _LONGEST_PASSAGE:
            yield from _passage(begin, said)
            said = []
    yield from _passage(begin, said)


def _subtitles(text: str) -> Iterator[tuple[str, str]]:
    """(start, text) of each subtitle; the number of the next one is no part of its text."""
    marks = list(_TIMES.finditer(text))
    for mark, after in zip(marks, [*marks[1:], None], strict=True):
        words = text[mark.end() : after.start() if after else len(text)]
        if after is not None:
            words = re.sub(r"\n[ \t]*\n[^\n]*\n?\Z", "\n", words)
        yield mark.group(1), words.strip()


def _passage(begin: str, said: list[str]) -> Iterator[Block | None]:
    if said:
        yield block(ElementKind.FURNITURE, begin)
        yield block(ElementKind.PARAGRAPH, " ".join(said))
