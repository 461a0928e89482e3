"""Which reader takes which media type."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from ingest import detect
from ingest.parse.convert import via_office
from ingest.parse.docx import read_docx
from ingest.parse.draft import Reader
from ingest.parse.epub import read_epub
from ingest.parse.images import read_image
from ingest.parse.mail import read_eml, read_mbox
from ingest.parse.markup import (
    read_html,
    read_markdown,
    read_org,
    read_rst,
)
from ingest.parse.odf import read_odp, read_odt
from ingest.parse.outlook import read_msg
from ingest.parse.pdf import read_pdf
from ingest.parse.plain import read_text, read_xml
from ingest.parse.pptx import read_pptx
from ingest.parse.rtf import read_rtf
from ingest.parse.tables import read_csv, read_workbook
from sovereign_rag.errors import DocumentError

READERS: Final[Mapping[str, Reader]] = MappingProxyType(
    {
        detect.PDF: read_pdf,
        detect.DOCX: read_docx,
        detect.DOC: via_office("docx", read_docx),
        detect.PPTX: read_pptx,
        detect.PPT: via_office("pptx", read_pptx),
        detect.ODP: read_odp,
        detect.XLSX: read_workbook,
        detect.XLSB: read_workbook,
        detect.XLS: read_workbook,
        detect.ODS: read_workbook,
        detect.ODT: read_odt,
        detect.RTF: read_rtf,
        detect.EPUB: read_epub,
        detect.HTML: read_html,
        detect.MARKDOWN: read_markdown,
        detect.RST: read_rst,
        detect.ORG: read_org,
        detect.TXT: read_text,
        detect.XML: read_xml,
        detect.CSV: read_csv,
        detect.TSV: read_csv,
        detect.EML: read_eml,
        detect.MBOX: read_mbox,
        detect.MSG: read_msg,
        **dict.fromkeys(detect.IMAGES, read_image),
    }
)


def reader_of(media_type: str) -> Reader:
    """The reader of a media type. Raises DocumentError "unsupported"."""
    reader = READERS.get(media_type)
    if media_type == detect.ZIP:
        raise DocumentError(
            "unsupported",
            "A ZIP file is no document: its files are unpacked by ingestion, each becomes a "
            "document of its own. Ingest the folder or the archive, not this part of it.",
        )
    if reader is None:
        raise DocumentError(
            "unsupported",
            f"Files of type {media_type!r} are not read. Save it as PDF, DOCX, XLSX, PPTX, HTML "
            "or text, and ingest that.",
        )
    return reader
