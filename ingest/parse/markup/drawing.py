"""Drawings as text (SVG) and outlines (OPML).

Sources: W3C SVG 2, chapter 11 (text); OPML 2.0.
"""

from collections.abc import Iterator

from lxml import etree

from ingest.parse.document.blocks import Block, DocumentDraft, block, unpaged
from ingest.parse.document.text import one_line
from sovereign_rag.domain import ElementKind

_DESCRIBED = {"title", "desc"}
_LEVEL = 4  # the outline's entries of these levels are headings where others stand below them


def svg_draft(root: etree._Element) -> DocumentDraft:
    """The lettering of a drawing, from the top to the bottom; titles and descriptions first."""
    title = None
    described: list[Block | None] = []
    lettered: list[tuple[float, float, str]] = []
    for node in root.iter():
        if not isinstance(node.tag, str):
            continue
        name = etree.QName(node).localname
        if name in _DESCRIBED:
            text = one_line("".join(node.itertext()))
            title = title or (text if name == "title" and node.getparent() is root else None)
            described.append(block(ElementKind.PARAGRAPH, text))
        elif name == "text" and not _is_hidden(node):
            lettered += _lines(node)
        elif name == "foreignObject":
            text = one_line(" ".join("".join(node.itertext()).split()))
            lettered.append((_number(node.get("y")), _number(node.get("x")), text))
    lettered.sort(key=lambda line: (round(line[0]), line[1]))
    blocks = [block(ElementKind.PARAGRAPH, text) for _, _, text in lettered]
    return unpaged([*described, *blocks], title=title)


def _lines(node: etree._Element) -> Iterator[tuple[float, float, str]]:
    """The lines of a text: a part of it that is placed anew begins one."""
    x, y = _place(node, (0.0, 0.0))
    parts: list[str] = [node.text or ""]
    for inner in node.iter():
        if inner is node or not isinstance(inner.tag, str):
            continue
        moved = inner.get("y") is not None or _number(inner.get("dy")) or inner.get("x") is not None
        if moved and "".join(parts).strip():
            yield y, x, one_line("".join(parts))
            parts = []
            x, y = _place(inner, (x, y))
        parts += [inner.text or "", inner.tail or ""]
    if text := one_line("".join(parts)):
        yield y, x, text


def _place(node: etree._Element, before: tuple[float, float]) -> tuple[float, float]:
    x = _number(node.get("x"), before[0])
    y = _number(node.get("y"), before[1]) + _number(node.get("dy"))
    return x, y


def _number(text: str | None, default: float = 0.0) -> float:
    try:
        return float((text or "").split()[0].rstrip("pxemt%")) if text else default
    except (ValueError, IndexError):
        return default


def _is_hidden(node: etree._Element) -> bool:
    for at in (node, *node.iterancestors()):
        looks = f"{at.get('style') or ''};display:{at.get('display') or ''}"
        looks += f";visibility:{at.get('visibility') or ''}"
        squeezed = looks.replace(" ", "")
        if "display:none" in squeezed or "visibility:hidden" in squeezed:
            return True
        if etree.QName(at).localname in {"defs", "symbol", "clipPath"}:
            return True
    return False


def opml_draft(root: etree._Element) -> DocumentDraft:
    """An outline: entries with others below them are headings, the rest items of a list."""
    title = one_line(root.findtext("head/title") or "")
    entries = [made for node in root.findall("body/outline") for made in _outline(node, 0)]
    return unpaged(entries, title=title or None)


def _outline(node: etree._Element, level: int) -> Iterator[Block | None]:
    text = node.get("text") or node.get("title") or ""
    below = node.findall("outline")
    address = node.get("htmlUrl") or node.get("url") or node.get("xmlUrl") or ""
    said = f"{text} ({address})" if address else text
    if below and level < _LEVEL:
        yield block(ElementKind.TITLE, said, level)
    else:
        yield block(ElementKind.LIST_ITEM, said)
    yield block(ElementKind.PARAGRAPH, node.get("_note") or "")
    for inner in below:
        yield from _outline(inner, level + 1)
