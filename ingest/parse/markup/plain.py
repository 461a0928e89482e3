"""Plain text and XML."""

import re
from collections.abc import Iterator
from pathlib import Path

from lxml import etree

from ingest.parse.document.blocks import Block, DocumentDraft, block, unpaged
from ingest.parse.document.job import Job
from ingest.parse.document.text import decode
from ingest.parse.office.ooxml import parse_xml
from sovereign_rag.domain import ElementKind
from sovereign_rag.errors import DocumentError

_BLANK = re.compile(r"\n[ \t]*\n[\s]*")
_BULLET = re.compile(r"\s*(?:[-*•◦▪–]|\(?\d{1,3}[.)]|[a-z]\))\s+\S")
_LONGEST_LINE = 5_000_000


def read_text(path: Path, job: Job) -> DocumentDraft:
    """The `Reader` of plain text: paragraphs at blank lines, list items at their marks."""
    del job
    return unpaged(text_blocks(decode(path.read_bytes())))


def text_blocks(text: str) -> Iterator[Block]:
    """Paragraphs and list items of a plain text."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if max(map(len, text.split("\n"))) > _LONGEST_LINE:
        raise DocumentError(
            "too_large",
            f"The file has a line of more than {_LONGEST_LINE // 1_000_000} million characters. "
            "Is it a text? Break it into lines.",
        )
    for part in _BLANK.split(text):
        yield from filter(None, _items(part))


def _items(part: str) -> Iterator[Block | None]:
    lines = part.split("\n")
    if not any(_BULLET.match(line) for line in lines):
        yield block(ElementKind.PARAGRAPH, part)
        return
    kind, pending = ElementKind.PARAGRAPH, list[str]()
    for line in lines:
        if _BULLET.match(line):
            yield block(kind, "\n".join(pending))
            kind, pending = ElementKind.LIST_ITEM, []
        pending.append(line)
    yield block(kind, "\n".join(pending))


def read_xml(path: Path, job: Job) -> DocumentDraft:
    """The `Reader` of XML: the text of each element that has some, in order."""
    del job
    try:
        root = parse_xml(path.read_bytes())
    except etree.XMLSyntaxError as error:
        raise DocumentError(
            "broken", f"The XML is not well-formed: {error.msg}. Bring an intact copy."
        ) from error
    return unpaged(block(ElementKind.PARAGRAPH, text) for text in _texts(root))


def _texts(root: etree._Element) -> Iterator[str]:
    """Text of leaves; of an element that mixes text and elements, all of it at once."""
    stack = [root]
    while stack:
        node = stack.pop()
        if not isinstance(node.tag, str):
            continue
        mixed = (node.text or "").strip() or any((inner.tail or "").strip() for inner in node)
        if mixed:
            yield "".join(node.itertext())
        else:
            stack += reversed(node)
