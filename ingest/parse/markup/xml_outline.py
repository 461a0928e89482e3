"""XML as a labelled outline: what an element is called stands before what it says.

A part that is small enough is one paragraph, with a line for each value; a larger one is a section
with its name as the heading. Text that was written as text (mixed with elements, or in elements
that are named as paragraphs are) stays as it is.
"""

import base64
import binascii
import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from lxml import etree

from ingest.parse.document.attachments import Inner, stored
from ingest.parse.document.base64_text import is_base64, without_base64
from ingest.parse.document.blocks import Block, block
from sovereign_rag.domain import ElementKind

_PROSE = frozenset(
    [
        "p",
        "para",
        "simpara",
        "text",
        "t",
        "title",
        "head",
        "heading",
        "h1",
        "h2",
        "h3",
        "caption",
        "note",
        "line",
        "lb",
    ]
)
_SILENT = ("http://www.w3.org/2001/XMLSchema-instance", "http://www.w3.org/XML/1998/namespace")
_MOST_VALUES = 24  # of a part that is one paragraph
_MOST_CHARACTERS = 1_500
_FILE_NAMES = ("filename", "fileName", "name")
_DEEPEST_TITLE = 5


@dataclass(slots=True)
class Outline:
    """Blocks in the order of the document, and the files that were written into it."""

    blocks: list[Block] = field(default_factory=list)
    inner: list[Inner] = field(default_factory=list)


def outline(root: etree._Element) -> Outline:
    """What an XML document says."""
    found = Outline()
    files = {id(node): inner for node, inner in _files(root)}
    found.inner = list(files.values())
    for node in [n for n in root.iter() if id(n) in files]:
        node.text = ""
    sizes = _sizes(root)
    found.blocks = [item for item in _section(root, 0, sizes) if item is not None]
    return found


def _files(root: etree._Element) -> Iterator[tuple[etree._Element, Inner]]:
    """Files in base64; a picture or whatever else has no name is one too."""
    for node in root.iter():
        if not isinstance(node.tag, str) or not node.text or not is_base64(node.text):
            continue
        try:
            data = base64.b64decode(re.sub(r"\s+", "", node.text), validate=True)
        except (binascii.Error, ValueError):
            data = b""
        beside = node.getparent()
        names = [node.get(key) for key in _FILE_NAMES]
        if beside is not None:
            names += [
                n.text for n in beside if isinstance(n.tag, str) and "name" in _name(n).lower()
            ]
        yield node, stored(next(filter(None, names), _name(node)), data)


def _sizes(root: etree._Element) -> dict[etree._Element, tuple[int, int]]:
    """(values, characters) of every element, its own and those below it."""
    sizes: dict[etree._Element, tuple[int, int]] = {}
    for _, node in etree.iterwalk(root, events=("end",)):
        if not isinstance(node.tag, str):
            continue
        own = (node.text or "").strip()
        shown = _attributes(node)
        values = bool(own) + len(shown)
        characters = len(own) + sum(len(value) + len(key) for key, value in shown)
        for inner in node:
            below = sizes.get(inner, (0, 0))
            values, characters = values + below[0], characters + below[1]
        sizes[node] = values, characters
    return sizes


def _section(
    node: etree._Element, level: int, sizes: dict[etree._Element, tuple[int, int]]
) -> Iterator[Block | None]:
    """The blocks of an element; without recursion on parts that are one paragraph."""
    values, characters = sizes.get(node, (0, 0))
    if not isinstance(node.tag, str) or not values:
        return
    if _is_mixed(node):
        yield block(ElementKind.PARAGRAPH, without_base64("".join(node.itertext())))
    elif (level and values <= _MOST_VALUES and characters <= _MOST_CHARACTERS) or not len(node):
        yield block(ElementKind.PARAGRAPH, "\n".join(_lines(node)))
    else:
        yield block(ElementKind.TITLE, _label(node), min(level, _DEEPEST_TITLE))
        waiting: list[str] = []
        for inner in node:
            if isinstance(inner.tag, str) and not len(inner) and not _is_prose(inner):
                waiting += _lines(inner)
                continue
            yield block(ElementKind.PARAGRAPH, "\n".join(waiting))
            waiting = []
            yield from _section(inner, level + 1, sizes)
        yield block(ElementKind.PARAGRAPH, "\n".join(waiting))


def _lines(node: etree._Element) -> list[str]:
    """A line for each value of a part, below the name of the part itself."""
    if not len(node):
        return _values(node, "")
    inside = [line for inner in node for line in _values(inner, "")]
    return [_label(node), *inside] if inside or _attributes(node) else []


def _values(node: etree._Element, path: str) -> list[str]:
    """The lines of an element within a part; `path` is the way to it, from the part on."""
    if not isinstance(node.tag, str):
        return []
    if _is_mixed(node) or (_is_prose(node) and not len(node)):
        text = without_base64(" ".join("".join(node.itertext()).split()))
        return [text] if text else []
    text = without_base64(" ".join((node.text or "").split())) if not len(node) else ""
    own = [f"{path}{_label(node)}{f': {text}' if text else ''}"]
    lines = own if text or _attributes(node) else []
    return lines + [v for inner in node for v in _values(inner, f"{path}{_name(node)} / ")]


def _label(node: etree._Element) -> str:
    """The name of an element with its attributes: "TaxTotalAmount (currencyID: EUR)"."""
    shown = ", ".join(f"{key}: {value}" for key, value in _attributes(node))
    return f"{_name(node)} ({shown})" if shown else _name(node)


def _name(node: etree._Element) -> str:
    return str(etree.QName(node).localname)


def _attributes(node: etree._Element) -> list[tuple[str, str]]:
    found = []
    for key, value in node.attrib.items():
        name = etree.QName(key)
        text = without_base64(" ".join(str(value).split()))
        if text and name.namespace not in _SILENT and not is_base64(str(value)):
            found.append((name.localname, text))
    return found


def _is_mixed(node: etree._Element) -> bool:
    """Whether text and elements stand side by side in an element."""
    if not len(node):
        return False
    return bool((node.text or "").strip()) or any((inner.tail or "").strip() for inner in node)


def _is_prose(node: etree._Element) -> bool:
    return _name(node).lower() in _PROSE and not node.attrib
