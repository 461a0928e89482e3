"""A paper as a Word file."""

import re
from io import BytesIO
from typing import Final

from sovereign_rag.compliance.file_marks import PROPERTIES, properties
from sovereign_rag.web.export.paper import Paper

MEDIA_TYPE: Final = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
_PROPERTIES: Final = "application/vnd.openxmlformats-officedocument.custom-properties+xml"
_NO_XML: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_STYLES: Final = {"quote": "Quote", "source": "List Bullet"}
_MOST_OF_A_PROPERTY: Final = 255


def word(paper: Paper) -> bytes:
    """DOCX."""
    from docx import Document
    from docx.opc.constants import RELATIONSHIP_TYPE
    from docx.opc.packuri import PackURI
    from docx.opc.part import Part

    document = Document()
    document.core_properties.title = _text(paper.title)[:_MOST_OF_A_PROPERTY]
    document.core_properties.author = _text(paper.author)[:_MOST_OF_A_PROPERTY]
    document.core_properties.language = paper.language
    document.add_heading(_text(paper.title), level=1)
    for label, value in paper.facts:
        paragraph = document.add_paragraph()
        paragraph.add_run(f"{_text(label)}: ").bold = True
        paragraph.add_run(_text(value))
    for block in paper.blocks:
        if block.kind == "heading":
            document.add_heading(_text(block.text), level=2)
            continue
        paragraph = document.add_paragraph(style=_STYLES.get(block.kind))
        paragraph.add_run(_text(block.text)).italic = block.kind in {"note", "quote"}
        if block.url:
            paragraph.add_run(f"\n{_text(block.url)}")
    if paper.mark is not None:
        package = document.part.package
        part = Part(PackURI(f"/{PROPERTIES}"), _PROPERTIES, properties(paper.mark), package)
        package.relate_to(part, RELATIONSHIP_TYPE.CUSTOM_PROPERTIES)
    made = BytesIO()
    document.save(made)
    return made.getvalue()


def _text(text: str) -> str:
    return _NO_XML.sub("", text)
