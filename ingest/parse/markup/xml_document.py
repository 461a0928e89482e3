"""XML of whatever kind: invoices as a person reads them, drawings, outlines, and all the rest."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from lxml import etree

from ingest.parse.document.attachments import with_inner
from ingest.parse.document.blocks import DocumentDraft, block, unpaged
from ingest.parse.document.job import Job, Reader
from ingest.parse.markup.drawing import opml_draft, svg_draft
from ingest.parse.markup.xml_outline import outline
from ingest.parse.office.convert import via_office
from ingest.parse.office.invoice import invoice_of
from ingest.parse.office.invoice_page import invoice_blocks, invoice_language
from ingest.parse.office.odf import read_odp, read_odt
from ingest.parse.office.ooxml import parse_xml
from ingest.parse.office.tables import read_workbook
from sovereign_rag.domain import ElementKind
from sovereign_rag.errors import DocumentError

_OPEN_DOCUMENT = "{urn:oasis:names:tc:opendocument:xmlns:office:1.0}"
_FLAT: Final[Mapping[str, Reader]] = {
    "text": via_office("odt", read_odt),
    "spreadsheet": via_office("ods", read_workbook),
    "presentation": via_office("odp", read_odp),
}
_OWN: Final[Mapping[str, Callable[[etree._Element], DocumentDraft]]] = {
    "svg": svg_draft,
    "opml": opml_draft,
}


def read_xml(path: Path, job: Job) -> DocumentDraft:
    """The `Reader` of XML.

    Raises:
        DocumentError: "broken".
    """
    try:
        # Pictures in base64 are longer than the XML parser takes without being told.
        root = parse_xml(path.read_bytes(), huge=True)
    except etree.XMLSyntaxError as error:
        raise DocumentError(
            "broken", f"The XML is not well-formed: {error.msg}. Bring an intact copy."
        ) from error
    name = str(etree.QName(root).localname)
    if root.tag == _OPEN_DOCUMENT + "document":
        kind = (root.get(_OPEN_DOCUMENT + "mimetype") or "").rpartition(".")[2]
        if (reader := _FLAT.get(kind.removesuffix("-template"))) is not None:
            return reader(path, job)
    if name in _OWN:
        return _OWN[name](root)
    invoice = invoice_of(root)
    said = outline(root)
    if invoice is None:
        main = unpaged(said.blocks)
    else:
        page = list(invoice_blocks(invoice))
        title = page[0].text if page else None
        # Its readers look at the first part; the second one leaves nothing out.
        blocks = [*page, block(ElementKind.TITLE, "XML"), *said.blocks]
        main = replace(unpaged(blocks, title=title), language=invoice_language(invoice))
    return with_inner(main, said.inner, job, path.parent)
