"""Electronic books: the chapters in the order of the book's spine.

Source: EPUB 3.3, section 5 (package document).
"""

import posixpath
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

from ingest.parse.document.blocks import Block, DocumentDraft, unpaged
from ingest.parse.document.job import Job
from ingest.parse.document.text import decode
from ingest.parse.markup.html import html_blocks
from ingest.parse.office.ooxml import properties
from ingest.parse.office.package import Package
from sovereign_rag.errors import DocumentError

_OPF = "{http://www.idpf.org/2007/opf}"
_CONTAINER = "{urn:oasis:names:tc:opendocument:xmlns:container}"
_ENCRYPTED = "META-INF/rights.xml"


def read_epub(path: Path, job: Job) -> DocumentDraft:
    """The `Reader` of EPUB. It has no pages: a book's text flows into whatever screen there is.

    Raises:
        DocumentError: "broken" or "encrypted".
    """
    del job
    with Package(path) as package:
        if package.bytes(_ENCRYPTED) is not None:
            raise DocumentError(
                "encrypted", "The book is protected (DRM). Bring a copy without protection."
            )
        container = package.xml("META-INF/container.xml")
        files = container.iter(_CONTAINER + "rootfile") if container is not None else ()
        member = next((node.get("full-path") or "" for node in files), "")
        members = list(_spine(package, member))
        if not members:
            raise DocumentError(
                "broken", "The book has no list of its chapters. Bring an intact copy."
            )
        missing = [name for name in members if package.bytes(name) is None]
        blocks: list[Block] = []
        for name in members:
            blocks += html_blocks(decode(package.bytes(name) or b""))
    warnings = (f"{len(missing)} chapter(s) of the book are missing.",) if missing else ()
    return unpaged(blocks, properties=properties(path, member), warnings=warnings)


def _spine(package: Package, member: str) -> Iterator[str]:
    root = package.xml(member)
    if root is None:
        return
    folder = posixpath.dirname(member)
    items = {node.get("id"): node.get("href") or "" for node in root.iter(_OPF + "item")}
    for node in root.iter(_OPF + "itemref"):
        target = unquote(items.get(node.get("idref"), "").partition("#")[0])
        if target:
            yield posixpath.normpath(posixpath.join(folder, target))
