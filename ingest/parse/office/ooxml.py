"""What is common to office files: safe XML, and the properties that a document says of itself."""

import zipfile
from pathlib import Path

import olefile  # type: ignore[import-untyped]  # the package has no types
from lxml import etree

_CORE = {
    "title": "title",
    "creator": "author",
    "subject": "subject",
    "keywords": "keywords",
    "keyword": "keywords",
    "description": "description",
    "language": "language",
    "created": "created",
    "creation-date": "created",
    "modified": "modified",
    "date": "modified",
    "initial-creator": "author",
}
_DATES = {"created", "modified"}
_OLE = {
    "title": "title",
    "author": "author",
    "subject": "subject",
    "keywords": "keywords",
    "comments": "description",
    "create_time": "created",
    "last_saved_time": "modified",
}


def parse_xml(data: bytes, *, huge: bool = False) -> etree._Element:
    """XML from an untrusted file: no entities resolved, no network.

    `huge` allows texts of more than 10 MB in one element; the process has its own limits.
    """
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=huge)
    return etree.fromstring(data, parser)


def properties(path: Path, member: str) -> dict[str, str]:
    """Title, author, dates and the like of an office file; {} where there are none."""
    try:
        with zipfile.ZipFile(path) as archive:
            root = parse_xml(archive.read(member))
    except (KeyError, zipfile.BadZipFile, etree.XMLSyntaxError, OSError):
        return {}
    found: dict[str, str] = {}
    for node in root.iter():
        if not isinstance(node.tag, str) or not node.text:
            continue
        name = _CORE.get(etree.QName(node).localname)
        if name == "author" and etree.QName(node).localname == "initial-creator":
            found[name] = node.text  # who wrote it first, rather than who saved it last
        elif name == "keywords" and name in found:
            found[name] += f", {node.text}"
        elif name and name not in found:
            found[name] = node.text.split("T")[0] if name in _DATES else node.text
    return found


def ole_properties(container: olefile.OleFileIO) -> dict[str, str]:
    """The same of an old Office file."""
    facts = container.get_metadata()
    page = getattr(facts, "codepage", None)
    encoding = f"cp{page}" if isinstance(page, int) and 0 < page < 65_000 else "utf-8"
    found: dict[str, str] = {}
    for name, ours in _OLE.items():
        value: object = getattr(facts, name, None)
        said = _decoded(value, encoding) if isinstance(value, bytes) else str(value or "")
        said = said.strip("\0 ")
        if said:
            found[ours] = said.split(" ")[0] if ours in _DATES else said
    return found


def _decoded(value: bytes, encoding: str) -> str:
    try:
        return value.decode(encoding, "replace")
    except LookupError:
        return value.decode("cp1252", "replace")
