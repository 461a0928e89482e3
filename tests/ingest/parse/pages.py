"""PDF files and pictures of text, made for the tests of parsing."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from sovereign_rag.domain import ElementKind, ParsedDocument

LEFT, TOP = 42, 520


def of_kind(document: ParsedDocument, kind: ElementKind) -> list[str]:
    return [
        document.pages[e.page - 1].text[e.start : e.end]
        for e in document.elements
        if e.kind is kind
    ]


def shown(text: str, *, x: float = LEFT, y: float = TOP, size: float = 12, how: str = "") -> str:
    """A line of Helvetica as a content stream draws it; `how`: operators before it."""
    safe = text.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")
    return f"q {how} BT /F1 {size:g} Tf {x:g} {y:g} Td ({safe}) Tj ET Q"


def write_pdf(
    path: Path,
    pages: Sequence[str],
    *,
    page_extra: str = "",
    catalog_extra: str = "",
    resources: str = "",
    objects: Mapping[int, bytes] | None = None,
) -> Path:
    """A PDF of A5 pages (420 x 595 points) with these content streams.

    `objects` are further ones by number, 100 and up, which the extras may refer to.
    """
    numbered: dict[int, bytes] = dict(objects or {})
    numbered[1] = f"<< /Type /Catalog /Pages 2 0 R {catalog_extra} >>".encode()
    numbered[3] = (
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"
    )
    kids = []
    for index, content in enumerate(pages):
        drawn: bytes = content.encode("cp1252")
        stream, page = 10 + 2 * index, 11 + 2 * index
        numbered[stream] = b"<< /Length %d >>\nstream\n%s\nendstream" % (len(drawn), drawn)
        numbered[page] = (
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 420 595] /Contents {stream} 0 R "
            f"/Resources << /Font << /F1 3 0 R >> {resources} >> {page_extra} >>"
        ).encode()
        kids.append(f"{page} 0 R")
    numbered[2] = f"<< /Type /Pages /Kids [{' '.join(kids)}] /Count {len(kids)} >>".encode()
    out = bytearray(b"%PDF-1.7\n")
    places = {}
    for number, written in sorted(numbered.items()):
        places[number] = len(out)
        out += b"%d 0 obj\n%s\nendobj\n" % (number, written)
    start = len(out)
    out += b"xref\n0 1\n0000000000 65535 f \n"
    for number, place in places.items():
        out += b"%d 1\n%010d 00000 n \n" % (number, place)
    out += b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (
        max(places) + 1,
        start,
    )
    path.write_bytes(bytes(out))
    return path


def picture(lines: str, *, size: tuple[int, int] = (1654, 1169), at: int = 150) -> Image.Image:
    """Lines of text in black on white, as a scan of 200 dots an inch."""
    image = Image.new("L", size, 255)
    draw = ImageDraw.Draw(image)
    draw.multiline_text((120, at), lines, 0, ImageFont.load_default(40), spacing=24)
    return image
