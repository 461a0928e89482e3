"""HTML, Markdown and the formats that pandoc turns into them."""

import contextlib
import re
from collections.abc import Iterator
from pathlib import Path

import lxml.html
from lxml import etree
from unstructured.documents.elements import Element as Found
from unstructured.partition.epub import partition_epub
from unstructured.partition.html import partition_html
from unstructured.partition.md import partition_md
from unstructured.partition.odt import partition_odt
from unstructured.partition.org import partition_org
from unstructured.partition.rst import partition_rst
from unstructured.partition.rtf import partition_rtf

from ingest.parse.convert import via_office
from ingest.parse.docx import read_docx
from ingest.parse.draft import Block, Draft, block, unpaged
from ingest.parse.elements import blocks_of
from ingest.parse.job import Job
from ingest.parse.ooxml import properties
from ingest.parse.text import decode, squashed
from sovereign_rag.domain import ElementKind

_LANGUAGES = ["eng"]
_read_rtf_as_docx = via_office("docx", read_docx)
_DEEPEST = 240  # levels of nesting; unstructured silently gives nothing from 254 on
_DECLARED = re.compile(rb"<meta[^>]+charset\s*=\s*[\"']?([\w-]+)", re.IGNORECASE)
_XML_DECLARATION = re.compile(r"^\s*<\?xml[^>]*\?>")
_FRONT_MATTER = re.compile(r"\A---\n.*?\n(---|\.\.\.)\n", re.DOTALL)
_UNSEEN = ("script", "style", "template", "noscript", "head")
_STARTS_BLOCK = frozenset(
    re.findall(
        r"\w+",
        "p div li tr table ul ol h1 h2 h3 h4 h5 h6 section article pre blockquote br dt dd",
    )
)
_META = {"author": "author", "description": "description", "date": "created"}


def read_html(path: Path, job: Job) -> Draft:
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
    if _depth(tree) < _DEEPEST:
        body = _XML_DECLARATION.sub("", text)
        found = [made for _, made in blocks_of(partition_html(text=body, languages=_LANGUAGES))]
        yield from found
    # Some text between tags has no place in unstructured's model of a page and is left out.
    there = "".join(squashed(made.text) for made in found)
    for part in _paragraphs(tree):
        if squashed(part) not in there:
            yield from filter(None, (block(ElementKind.PARAGRAPH, part),))


def read_markdown(path: Path, job: Job) -> Draft:
    """The `Reader` of Markdown."""
    del job
    text = _FRONT_MATTER.sub("", decode(path.read_bytes()).replace("\r\n", "\n"))
    return unpaged(markdown_blocks(text) if text.strip() else ())


def markdown_blocks(text: str) -> list[Block]:
    """The blocks of a Markdown text."""
    return [made for _, made in blocks_of(partition_md(text=text, languages=_LANGUAGES))]


def read_rst(path: Path, job: Job) -> Draft:
    """The `Reader` of reStructuredText."""
    found = partition_rst(filename=str(_utf8(path, job)), languages=_LANGUAGES)
    return unpaged(made for _, made in blocks_of(found))


def read_org(path: Path, job: Job) -> Draft:
    """The `Reader` of Emacs Org."""
    found = partition_org(filename=str(_utf8(path, job)), languages=_LANGUAGES)
    return unpaged(made for _, made in blocks_of(found))


def read_rtf(path: Path, job: Job) -> Draft:
    """The `Reader` of RTF: by pandoc, and by LibreOffice what pandoc can't read."""
    found: list[Found] = []
    with contextlib.suppress(RuntimeError):  # what pypandoc raises when pandoc gives up
        found = partition_rtf(filename=str(path), languages=_LANGUAGES)
    if not found:
        return _read_rtf_as_docx(path, job)
    return unpaged(made for _, made in blocks_of(found))


def read_odt(path: Path, job: Job) -> Draft:
    """The `Reader` of OpenDocument text."""
    del job
    found = partition_odt(filename=str(path), languages=_LANGUAGES, strategy="fast")
    return unpaged((made for _, made in blocks_of(found)), properties=properties(path, "meta.xml"))


def read_epub(path: Path, job: Job) -> Draft:
    """The `Reader` of EPUB."""
    del job
    found = partition_epub(filename=str(path), languages=_LANGUAGES)
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
    found = {}
    for node in tree.iterfind(".//meta"):
        name = _META.get((node.get("name") or "").lower())
        if name and node.get("content"):
            found[name] = node.get("content")
    return found
