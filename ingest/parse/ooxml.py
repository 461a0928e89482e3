"""Office Open XML before its libraries read it: what they would pass over is put in their way."""

import re
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from lxml import etree

_STRICT = re.compile(rb"http://purl\.oclc\.org/ooxml/([A-Za-z]+)/")
_MACRO_MAIN = re.compile(
    rb"application/vnd\.(ms-word|ms-powerpoint|openxmlformats-officedocument)"
    rb"\.(document|template|presentation|slideshow|wordprocessingml\.template"
    rb"|presentationml\.(?:template|slideshow))\.?(macroEnabled\.)?(macroEnabledTemplate\.)?main\+xml"
)
_W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
_MC = "{http://schemas.openxmlformats.org/markup-compatibility/2006}"
_UNWRAPPED = frozenset(
    {_W + n for n in ("ins", "moveTo", "smartTag", "customXml", "fldSimple", "bdo", "dir")}
    | {_W + "sdtContent", _W + "sdt"}
)
_DROPPED = frozenset(_W + n for n in ("moveFrom", "del", "sdtPr", "sdtEndPr", "customXmlPr"))
_CORE = {
    "title": "title",
    "creator": "author",
    "subject": "subject",
    "keywords": "keywords",
    "description": "description",
    "created": "created",
    "modified": "modified",
    "date": "created",
    "initial-creator": "author",
}


def parse_xml(data: bytes) -> etree._Element:
    """XML from an untrusted file: no entities resolved, no network, no huge trees."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False)
    return etree.fromstring(data, parser)


def properties(path: Path, member: str) -> dict[str, str]:
    """Title, author, dates and the like of an office file; {} where there are none."""
    try:
        with zipfile.ZipFile(path) as archive:
            root = parse_xml(archive.read(member))
    except (KeyError, zipfile.BadZipFile, etree.XMLSyntaxError):
        return {}
    found: dict[str, str] = {}
    for node in root.iter():
        if not isinstance(node.tag, str) or not node.text:
            continue
        name = _CORE.get(etree.QName(node).localname)
        if name and name not in found:
            found[name] = node.text.split("T")[0] if name in {"created", "modified"} else node.text
    return found


def rewritten(path: Path, changes: Mapping[str, Callable[[bytes], bytes]]) -> Path:
    """A copy in which ISO "strict" and macro-enabled files look like what the libraries know.

    Args:
        changes: By the name of a member, what is done to its bytes besides.
    """
    target = path.with_name("rewritten")
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(target, "w") as copy:
        for member in dict.fromkeys(source.namelist()):
            if member.endswith("/"):
                continue
            data = source.read(member)
            if member.endswith((".xml", ".rels")):
                data = _STRICT.sub(_transitional, data)
            if member == "[Content_Types].xml":
                data = _MACRO_MAIN.sub(_plain_main, data)
            if member in changes:
                data = changes[member](data)
            copy.writestr(member, data)
    return target


def _transitional(match: re.Match[bytes]) -> bytes:
    return b"http://schemas.openxmlformats.org/" + match.group(1) + b"/2006/"


def _plain_main(match: re.Match[bytes]) -> bytes:
    kind = match.group(2)
    word = b"wordprocessing" in kind or kind == b"document" or match.group(1) == b"ms-word"
    family = b"wordprocessingml.document" if word else b"presentationml.presentation"
    return b"application/vnd.openxmlformats-officedocument." + family + b".main+xml"


def plain_word(data: bytes) -> bytes:
    """document.xml with insertions, content controls and text boxes where python-docx sees them.

    python-docx reads paragraphs and tables that stand directly in the body, and runs directly in
    a paragraph; forms, tracked changes and shapes put a layer in between.
    """
    root = parse_xml(data)
    for choice in list(root.iter(_MC + "AlternateContent")):
        for fallback in choice.findall(_MC + "Fallback"):
            choice.remove(fallback)  # says the same again for old programs
    for node in list(root.iter(_DROPPED)):
        _remove(node)
    for node in list(root.iter(_UNWRAPPED)):
        _unwrap(node)
    for content in list(root.iter(_W + "txbxContent")):
        _lift(content, _W + "p")
    for content in list(root.iter(_W + "rubyBase")):  # text with its pronunciation above it
        _lift(content, _W + "r")
    plain: bytes = etree.tostring(root, xml_declaration=True, encoding="UTF-8", standalone=True)
    return plain


def footnotes(path: Path) -> Iterator[str]:
    """The texts of footnotes and endnotes, in order."""
    with zipfile.ZipFile(path) as archive:
        for member in ("word/footnotes.xml", "word/endnotes.xml"):
            if member not in archive.namelist():
                continue
            for note in parse_xml(archive.read(member)):
                if note.get(_W + "type") in {"separator", "continuationSeparator"}:
                    continue
                text = "".join(
                    part.text or "" if part.tag == _W + "t" else " "
                    for part in note.iter(_W + "t", _W + "tab", _W + "br", _W + "p")
                )
                if text.strip():
                    yield text


def _remove(node: etree._Element) -> None:
    parent = node.getparent()
    if parent is not None:
        parent.remove(node)


def _unwrap(node: etree._Element) -> None:
    parent = node.getparent()
    if parent is None:
        return
    at = parent.index(node)
    for offset, inner in enumerate(list(node)):
        parent.insert(at + offset, inner)
    parent.remove(node)


def _lift(content: etree._Element, tag: str) -> None:
    """Put what is inside `content` behind the paragraph or run (`tag`) that it is anchored in."""
    anchor = next((a for a in content.iterancestors(tag)), None)
    if anchor is None:
        return
    for inner in reversed(list(content)):
        anchor.addnext(inner)
