"""Tables within the cells of a table of data: each becomes the text of its cell.

A table within a table mostly places things on a page. Where the outer one has headings over its
columns, or rows that are alike, and the inner ones are small, its rows are data and stay rows.
"""

import lxml.html

from ingest.parse.document.elements import cell_text
from ingest.parse.document.text import one_line

_ROWS = "./tr|./thead/tr|./tbody/tr|./tfoot/tr"
_PAGE_PARTS = ("h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "form", "section", "article")
_MOST_ROWS = 20  # of a table within a cell
_MOST_CHARACTERS = 600
_MOST_PARAGRAPHS = 4
_FEWEST_ROWS = 3  # that are alike, where no heading tells that they are data


def flatten_nested(tree: lxml.html.HtmlElement) -> bool:
    """Write the tables within cells of data into their cells, a row behind the other; whether there
    were any.
    """
    outer = [t for t in tree.iter("table") if _is_data(t)]
    for table in outer:
        for inner in [t for t in table.iterdescendants("table") if t.getparent() is not None]:
            text = inner_text(inner)
            inner.clear(keep_tail=True)
            inner.tag, inner.text = "span", f" {text} "
    return bool(outer)


def inner_text(table: lxml.html.HtmlElement) -> str:
    """The rows of a table in one line; a comma between cells, so that numbers don't join."""
    rows = (
        ", ".join(filter(None, (one_line(cell_text(cell)) for cell in row.xpath("./td|./th"))))
        for row in table.xpath(_ROWS)
    )
    return "; ".join(filter(None, rows))


def _is_data(table: lxml.html.HtmlElement) -> bool:
    inner = list(table.iterdescendants("table"))
    if not inner or table.get("role") == "presentation":
        return False
    if next(table.iterancestors("table"), None) is not None or any(map(_is_page, inner)):
        return False
    rows = [row.xpath("./td|./th") for row in table.xpath(_ROWS)]
    if any(True for _ in table.iterdescendants(*_PAGE_PARTS)):
        return False
    if any(cell.tag == "th" for row in rows for cell in row) and max(map(len, rows)) > 1:
        return True
    plain = [row for row in rows if not any(cell.find(".//table") is not None for cell in row)]
    widths = {len(row) for row in rows}
    are_alike = len(widths) == 1 and min(widths) > 1
    return len(rows) >= _FEWEST_ROWS and are_alike and bool(plain)


def _is_page(inner: lxml.html.HtmlElement) -> bool:
    """Whether a table within a cell is more than a few short rows."""
    paragraphs = sum(1 for _ in inner.iterdescendants("p", "div"))
    rows = sum(1 for _ in inner.iterdescendants("tr"))
    is_long = len(inner.text_content()) > _MOST_CHARACTERS
    return rows > _MOST_ROWS or paragraphs > _MOST_PARAGRAPHS * max(1, rows) or is_long
