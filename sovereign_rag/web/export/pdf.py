"""A paper as a PDF."""

from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any, Final
from xml.sax.saxutils import escape

from sovereign_rag.compliance.file_marks import xmp
from sovereign_rag.services.serialization.ai_mark import AiMarkOut
from sovereign_rag.web.export.paper import Block, Paper

MEDIA_TYPE: Final = "application/pdf"
_FONT: Final = "paper"
_PLACES: Final = (  # most letters first; the last one comes with the library
    Path("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf"),
    Path("/usr/share/fonts/dejavu-sans-fonts/DejaVuSans.ttf"),
    Path("/usr/share/fonts/TTF/DejaVuSans.ttf"),
)
_MARGIN: Final = 62.0  # points


def pdf(paper: Paper, *, lacking: str) -> bytes:
    """PDF, A4.

    Args:
        lacking: What is said at its end where the font has not all letters, shown as "?".
    """
    from reportlab.lib.pagesizes import A4
    from reportlab.platypus import Paragraph, SimpleDocTemplate

    styles, letters = _styles(), _letters()
    texts = [paper.title, *(value for _, value in paper.facts), *(b.text for b in paper.blocks)]
    lacks = any(ord(c) not in letters and not c.isspace() for text in texts for c in text)
    blocks = [*paper.blocks, *([Block("note", lacking)] if lacks else [])]

    def drawn(text: str) -> str:
        known = "".join(c if ord(c) in letters or c.isspace() else "?" for c in text)
        return escape(known).replace("\n", "<br/>")

    story: list[Any] = [Paragraph(drawn(paper.title), styles["title"])]
    story += [
        Paragraph(f"{drawn(label)}: {drawn(value)}", styles["fact"]) for label, value in paper.facts
    ]
    for block in blocks:
        link = f'<br/><a href="{escape(block.url, {chr(34): "&quot;"})}">' if block.url else ""
        address = f"{link}{drawn(block.url)}</a>" if block.url else ""
        story.append(Paragraph(drawn(block.text) + address, styles[block.kind]))

    def marked(canvas: Any, _: object) -> None:
        if paper.mark is not None:
            canvas._doc.Catalog.Metadata = canvas._doc.Reference(_metadata(paper.mark))

    made = BytesIO()
    SimpleDocTemplate(
        made,
        pagesize=A4,
        leftMargin=_MARGIN,
        rightMargin=_MARGIN,
        topMargin=_MARGIN,
        bottomMargin=_MARGIN,
        title=paper.title,
        author=paper.author,
        lang=paper.language,
    ).build(story, onFirstPage=marked)
    return made.getvalue()


def _metadata(mark: AiMarkOut) -> Any:
    """A stream that is not compressed: who looks for XMP reads the file, not its objects."""
    from reportlab.pdfbase.pdfdoc import PDFDictionary, PDFName, PDFStream

    kinds = {"Type": PDFName("Metadata"), "Subtype": PDFName("XML")}
    return PDFStream(PDFDictionary(kinds), xmp(mark), filters=[])


@cache
def _letters() -> frozenset[int]:
    """The characters that the font draws; it is registered with the library."""
    import reportlab
    from reportlab.pdfbase import pdfmetrics
    from reportlab.pdfbase.ttfonts import TTFont

    fallback = Path(reportlab.__file__).parent / "fonts" / "Vera.ttf"
    path = next((place for place in _PLACES if place.is_file()), fallback)
    font = TTFont(_FONT, str(path))
    pdfmetrics.registerFont(font)
    return frozenset(font.face.charToGlyph)


@cache
def _styles() -> dict[str, Any]:
    from reportlab.lib.colors import HexColor
    from reportlab.lib.styles import ParagraphStyle

    _letters()
    ink, soft = HexColor("#1c242c"), HexColor("#59636d")
    text = ParagraphStyle(
        "text", fontName=_FONT, fontSize=10, leading=15, textColor=ink, spaceBefore=6
    )

    def like(name: str, **changes: Any) -> Any:
        return ParagraphStyle(name, parent=text, **changes)

    return {
        "text": text,
        "title": like("title", fontSize=16, leading=21, spaceAfter=8),
        "heading": like("heading", fontSize=12, leading=16, spaceBefore=14),
        "fact": like("fact", fontSize=8.5, leading=12, textColor=soft, spaceBefore=0),
        "note": like("note", fontSize=8.5, leading=12, textColor=soft),
        "quote": like("quote", leftIndent=14, borderPadding=(0, 0, 0, 8)),
        "source": like("source", fontSize=8.5, leading=12),
    }
