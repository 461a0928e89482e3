"""Documents made for the tests of parsing, and ways to look at what came out of them."""

import io
from collections.abc import Sequence
from pathlib import Path

import docx
from PIL import Image, ImageDraw, ImageFont

from sovereign_rag.domain import Element, ElementKind, ParsedDocument, Word

GERMAN = "Der Vertrag beginnt am 1. Januar und endet nach einer Frist von drei Monaten."
FRENCH = "Le bailleur s’engage à « livrer » les locaux au plus tard le 15 mars."
ENGLISH = "The supplier delivers the goods within ten working days of the order."


def text_of(document: ParsedDocument, element: Element) -> str:
    return document.pages[element.page - 1].text[element.start : element.end]


def of_kind(document: ParsedDocument, kind: ElementKind) -> list[str]:
    return [text_of(document, e) for e in document.elements if e.kind is kind]


def headings(document: ParsedDocument) -> list[tuple[int, str]]:
    titles = (e for e in document.elements if e.kind is ElementKind.TITLE)
    return [(e.level, text_of(document, e)) for e in titles]


def words_of(document: ParsedDocument, page: int = 1) -> dict[str, Word]:
    shown = document.pages[page - 1]
    return {shown.text[word.start : word.end]: word for word in shown.words}


Line = tuple[float, float, float, str]  # x, y from below, size, text


def write_pdf(path: Path, pages: Sequence[Sequence[Line]], *, rotate: int = 0) -> Path:
    """A PDF of A5 pages (420 x 595 points) with lines of Helvetica in Windows-1252."""
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>", b""]
    font = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"
    objects.append(font)
    kids = []
    for lines in pages:
        drawn = b"\n".join(
            b"BT /F1 %g Tf %g %g Td (%s) Tj ET"
            % (size, x, y, text.encode("cp1252").replace(b"(", b"\\(").replace(b")", b"\\)"))
            for x, y, size, text in lines
        )
        objects.append(b"<< /Length %d >>\nstream\n%s\nendstream" % (len(drawn), drawn))
        kids.append(len(objects) + 1)
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 420 595] /Rotate %d "
            b"/Resources << /Font << /F1 3 0 R >> >> /Contents %d 0 R >>" % (rotate, len(objects))
        )
    listed = b" ".join(b"%d 0 R" % kid for kid in kids)
    objects[1] = b"<< /Type /Pages /Kids [%s] /Count %d >>" % (listed, len(kids))
    out = io.BytesIO(b"%PDF-1.4\n")
    out.seek(0, io.SEEK_END)
    places = []
    for number, content in enumerate(objects, start=1):
        places.append(out.tell())
        out.write(b"%d 0 obj\n%s\nendobj\n" % (number, content))
    start = out.tell()
    out.write(b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1))
    out.write(b"".join(b"%010d 00000 n \n" % place for place in places))
    out.write(b"trailer << /Size %d /Root 1 0 R >>\n" % (len(objects) + 1))
    out.write(b"startxref\n%d\n%%%%EOF\n" % start)
    path.write_bytes(out.getvalue())
    return path


def write_scan(path: Path, *pages: str) -> Path:
    """A picture of lines of text, in the format that the name of `path` says."""
    images = []
    for text in pages:
        image = Image.new("RGB", (1654, 1169), "white")
        draw = ImageDraw.Draw(image)
        draw.multiline_text((120, 150), text, "black", ImageFont.load_default(40), spacing=24)
        images.append(image)
    if len(images) == 1:
        images[0].save(path, dpi=(200, 200), resolution=200)
    else:
        images[0].save(path, dpi=(200, 200), save_all=True, append_images=images[1:])
    return path


def write_docx(path: Path) -> Path:
    document = docx.Document()
    document.core_properties.title = "Rahmenvertrag"
    document.core_properties.author = "Ana Weber"
    document.add_heading("Laufzeit", level=1)
    document.add_paragraph(GERMAN)
    document.add_heading("Kündigung", level=2)
    document.add_paragraph("schriftlich", style="List Bullet")
    table = document.add_table(rows=2, cols=2)
    for cell, text in zip(
        [c for row in table.rows for c in row.cells],
        ["Posten", "Betrag", "Miete", "1.200 €"],
        strict=True,
    ):
        cell.text = text
    document.save(str(path))
    return path
