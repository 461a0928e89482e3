"""Whether the pages of an invoice say what the invoice in the file says (Factur-X, ZUGFeRD)."""

from collections.abc import Iterable, Iterator

from lxml import etree

from ingest.parse.document.attachments import Inner
from ingest.parse.document.blocks import Page
from ingest.parse.office.invoice import invoice_of
from ingest.parse.office.invoice_page import differences
from ingest.parse.office.ooxml import parse_xml


def invoice_warnings(files: Iterable[Inner], pages: Iterable[Page]) -> Iterator[str]:
    """A sentence for each number, sum and date of an attached invoice that no page shows.

    Nothing is said of pages that have no text, which a recogniser may have read in part.
    """
    text = "\n".join(item.text for page in pages for item in page.blocks)
    for file in files if text.strip() else ():
        if not file.name.lower().endswith(".xml"):
            continue
        try:
            invoice = invoice_of(parse_xml(file.data, huge=True))
        except etree.XMLSyntaxError:
            continue  # its own reader says so
        if invoice is not None:
            yield from differences(invoice, text)
