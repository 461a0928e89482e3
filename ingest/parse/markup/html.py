"""HTML and Markdown; Org and reStructuredText, which pandoc makes HTML of."""

import re
from collections.abc import Iterator
from pathlib import Path

import lxml.html
from lxml import etree
from unstructured.partition.html import partition_html
from unstructured.partition.md import partition_md
from unstructured.partition.org import partition_org
from unstructured.partition.rst import partition_rst

from ingest.parse.document.blocks import Block, DocumentDraft, block, unpaged
from ingest.parse.document.elements import blocks_of
from ingest.parse.document.job import Job
from ingest.parse.document.text import decode, squashed
from ingest.parse.markup.hidden import separate_hidden
from ingest.parse.markup.nested_tables import flatten_nested
from ingest.parse.markup.spelled_out import spell_out
from sovereign_rag.domain import ElementKind

_LANGUAGES = ["eng"]
_DEEPEST = 240  # levels of nesting; unstructured silently gives nothing from 254 on
_DECLARED = re.compile(rb"<meta[^>]+charset\s*=\s*[\"']?([\w-]+)", re.IGNORECASE)
_XML_DECLARATION = re.compile(r"^\s*<\?xml[^>]*\?>")
_FRONT_MATTER = re.compile(r"\A---\n.*?\n(---|\.\.\.)\n", re.DOTALL)
_TABLE_PARTS = ("tr", "td", "th", "tbody", "thead", "tfoot", "caption")
_MOST_PARAGRAPHS_IN_CELL = 4
_UNSEEN = ("script", "style", "template", "noscript", "head")
_STARTS_BLOCK = frozenset(
    re.findall(
        r"\w+",
        "p div li tr table ul ol h1 h2 h3 h4 h5 h6 section article pre blockquote br dt dd",
    )
)
_META = {
    "author": "author",
    "dc.creator": "author",
    "description": "description",
    "keywords": "keywords",
    "date": "created",
    "dcterms.created": "created",
    "dcterms.modified": "modified",
    "article:published_time": "created",
    "article:modified_time": "modified",
}


def read_html(path: Path, job: Job) -> DocumentDraft:
    """The `Reader` of HTML."""
    del job
    data = path.read_bytes()
    declared = _DECLARED.search(data[:4096])
    text = decode(data, declared.group(1).decode() if declared else None)
    tree = _tree(text)
    if tree is None:
        return unpaged([])
    title = tree.findtext(".//title") or tree.findtext(".//h1")
    return unpaged(html_blocks(text), title=title, properties=_meta(tree))


def html_blocks(text: str) -> Iterator[Block]:
    """The blocks of an HTML text; where it is nested too deeply, paragraphs alone."""
    tree = _tree(text)
    if tree is None:
        return
    found: list[Block] = []
    hidden = separate_hidden(tree)
    changed = flatten_nested(tree) | _loosen_layout(tree) | bool(hidden)
    changed |= spell_out(tree)
    if _depth(tree) < _DEEPEST:
        body = _XML_DECLARATION.sub("", text)
        if changed:
            body = lxml.html.tostring(tree, encoding="unicode")
        found = [made for _, made in blocks_of(partition_html(text=body, languages=_LANGUAGES))]
        yield from found
    # Some text between tags has no place in unstructured's model of a page and is left out.
    there = "".join(squashed(made.text) for made in found)
    for part in _paragraphs(tree):
        if squashed(part) not in there:
            yield from filter(None, (block(ElementKind.PARAGRAPH, part),))
    for part in hidden:
        yield from filter(None, (block(ElementKind.HIDDEN, part),))


def read_markdown(path: Path, job: Job) -> DocumentDraft:
    """The `Reader` of Markdown."""
    del job
    text = _FRONT_MATTER.sub("", decode(path.read_bytes()).replace("\r\n", "\n"))
    return unpaged(markdown_blocks(text) if text.strip() else ())


def markdown_blocks(text: str) -> list[Block]:
    """The blocks of a Markdown text."""
    return [made for _, made in blocks_of(partition_md(text=text, languages=_LANGUAGES))]


def read_rst(path: Path, job: Job) -> DocumentDraft:
    """The `Reader` of reStructuredText."""
    found = partition_rst(filename=str(_utf8(path, job)), languages=_LANGUAGES)
    return unpaged(made for _, made in blocks_of(found))


def read_org(path: Path, job: Job) -> DocumentDraft:
    """The `Reader` of Emacs Org."""
    found = partition_org(filename=str(_utf8(path, job)), languages=_LANGUAGES)
    return unpaged(made for _, made in blocks_of(found))


def _utf8(path: Path, job: Job) -> Path:
    del job
    target = path.with_name("utf8")
    target.write_text(decode(path.read_bytes()), encoding="utf-8")
    return target


def _tree(text: str) -> lxml.html.HtmlElement | None:
    # Bytes, because lxml refuses a text that declares an encoding.
    parser = lxml.html.HTMLParser(encoding="utf-8", no_network=True, huge_tree=True)
    try:
        return lxml.html.document_fromstring(text.encode("utf-8", "replace"), parser=parser)
    except etree.ParserError:
        return None  # nothing but white space and comments


def _loosen_layout(tree: lxml.html.HtmlElement) -> bool:
    """Turn tables that only place things on a page into plain blocks; whether there were any."""
    found = [table for table in tree.iter("table") if _is_layout(table)]
    for table in found:
        parts = [n for n in table.iter(*_TABLE_PARTS) if next(n.iterancestors("table")) is table]
        loose = {row for row in parts if row.tag == "tr" and not _is_line(row)}
        for node in parts:
            in_line = node.tag in {"td", "th"} and node.getparent() not in loose
            node.tag = "span" if in_line else "div"
            if in_line:
                node.tail = f" {node.tail or ''}"
    for table in found:
        table.tag = "div"
    return bool(found)


def _is_line(row: lxml.html.HtmlElement) -> bool:
    """Whether a row's cells are words beside each other, not columns of a page."""
    return not any(
        True for _ in row.iter("table", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol")
    ) and (sum(1 for _ in row.iter("p", "div")) <= len(row))


def _is_layout(table: lxml.html.HtmlElement) -> bool:
    if table.get("role") == "presentation" or table.find(".//table") is not None:
        return True
    if table.find(".//th") is not None or table.find("caption") is not None:
        return False
    rows = [row.findall("td") for row in table.iter("tr")]
    one_column = max((len(row) for row in rows), default=0) <= 1
    if one_column and table.find(".//p") is not None:
        return True
    return any(_holds_a_page(cell) for row in rows for cell in row)


def _holds_a_page(cell: lxml.html.HtmlElement) -> bool:
    if any(True for _ in cell.iter("h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol")):
        return True
    return sum(1 for _ in cell.iter("p", "div")) > _MOST_PARAGRAPHS_IN_CELL


def _depth(tree: lxml.html.HtmlElement) -> int:
    deepest = depth = 0
    for event, _ in etree.iterwalk(tree, events=("start", "end")):
        depth += 1 if event == "start" else -1
        deepest = max(deepest, depth)
    return deepest


def _paragraphs(tree: lxml.html.HtmlElement) -> Iterator[str]:
    etree.strip_elements(tree, *_UNSEEN, etree.Comment, with_tail=False)
    parts: list[str] = []
    for event, node in etree.iterwalk(tree, events=("start", "end")):
        if isinstance(node.tag, str) and node.tag in _STARTS_BLOCK:
            yield "".join(parts)
            parts = []
        parts.append((node.text if event == "start" else node.tail) or "")
    yield "".join(parts)


def _meta(tree: lxml.html.HtmlElement) -> dict[str, str]:
    found: dict[str, str] = {}
    for node in tree.iterfind(".//meta"):
        name = _META.get((node.get("name") or node.get("property") or "").lower())
        if name and node.get("content"):
            found.setdefault(name, node.get("content"))
    if tree.get("lang"):
        found["language"] = tree.get("lang")
    return found
