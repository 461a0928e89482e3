"""Which reader takes which media type."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from ingest import detect
from ingest.parse.document.job import Reader
from ingest.parse.mail.calendar import read_calendar
from ingest.parse.mail.cards import read_cards
from ingest.parse.mail.message import read_eml, read_mbox
from ingest.parse.mail.outlook import read_msg
from ingest.parse.mail.tnef import read_tnef
from ingest.parse.markup.epub import read_epub
from ingest.parse.markup.html import (
    read_html,
    read_markdown,
    read_org,
    read_rst,
)
from ingest.parse.markup.iwork import read_iwork
from ingest.parse.markup.notebook import read_notebook
from ingest.parse.markup.plain import read_text
from ingest.parse.markup.subtitles import read_subtitles
from ingest.parse.markup.xml_document import read_xml
from ingest.parse.ocr.images import read_image
from ingest.parse.office.convert import via_office
from ingest.parse.office.docx import read_docx
from ingest.parse.office.odf import read_odp, read_odt
from ingest.parse.office.pptx import read_pptx
from ingest.parse.office.rtf import read_rtf
from ingest.parse.office.tables import read_csv, read_workbook
from ingest.parse.office.visio import read_visio
from ingest.parse.pdf.reader import read_pdf
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
        detect.TNEF: read_tnef,
        detect.CALENDAR: read_calendar,
        detect.CARD: read_cards,
        detect.SUBTITLES: read_subtitles,
        detect.NOTEBOOK: read_notebook,
        detect.VISIO: read_visio,
        detect.IWORK: read_iwork,
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
