"""What comes out of each format: text, structure, places, and honest refusals."""

import io
import zipfile
from collections.abc import Iterator, Sequence
from email.message import EmailMessage
from itertools import pairwise
from pathlib import Path

import docx
import msoffcrypto.format.ooxml  # type: ignore[import-untyped]
import openpyxl
import pptx
import pypdf
import pytest
from PIL import Image, ImageDraw, ImageFont

from ingest.detect import media_type
from ingest.parse.text import canonical, decode
from ingest.parse.worker import ParserPool
from sovereign_rag.domain import Element, ElementKind, ParsedDocument, Word
from sovereign_rag.errors import DocumentError, NoText
from sovereign_rag.settings import ParseSettings

GERMAN = "Der Vertrag beginnt am 1. Januar und endet nach einer Frist von drei Monaten."
FRENCH = "Le bailleur s’engage à « livrer » les locaux au plus tard le 15 mars."
ENGLISH = "The supplier delivers the goods within ten working days of the order."

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:(docx|pptx|openpyxl).*")


@pytest.fixture(scope="module")
def pool() -> Iterator[ParserPool]:
    with ParserPool(ParseSettings(workers=2, timeout_s=120)) as pool:
        yield pool


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


# -- structure -----------------------------------------------------------------------------------


def test_a_word_document_keeps_headings_lists_tables_and_properties(
    pool: ParserPool, tmp_path: Path
) -> None:
    path = write_docx(tmp_path / "vertrag.docx")

    found = pool.parse(path, name="vertrag.docx")

    assert headings(found) == [(0, "Laufzeit"), (1, "Kündigung")]
    assert of_kind(found, ElementKind.PARAGRAPH) == [GERMAN]
    assert of_kind(found, ElementKind.LIST_ITEM) == ["schriftlich"]
    assert of_kind(found, ElementKind.TABLE) == ["Posten | Betrag\nMiete | 1.200 €"]
    assert (found.title, found.properties["author"]) == ("Rahmenvertrag", "Ana Weber")
    assert (found.paged, len(found.pages), found.language) == (False, 1, "de")
    assert found.warnings == ()


def test_text_in_a_form_field_or_a_tracked_insertion_of_a_word_document_is_read(
    pool: ParserPool, tmp_path: Path
) -> None:
    plain, path = write_docx(tmp_path / "plain.docx"), tmp_path / "form.docx"
    added = (
        "<w:sdt><w:sdtContent><w:p><w:r><w:t>Aus dem Formularfeld.</w:t></w:r></w:p>"
        "</w:sdtContent></w:sdt><w:p><w:ins w:id='1' w:author='a'><w:r><w:t>Nachträglich "
        "eingefügt.</w:t></w:r></w:ins><w:del w:id='2' w:author='a'><w:r><w:delText>Gestrichen."
        "</w:delText></w:r></w:del></w:p>"
    )
    with zipfile.ZipFile(plain) as source, zipfile.ZipFile(path, "w") as target:
        for member in source.namelist():
            data = source.read(member)
            if member == "word/document.xml":
                data = data.replace(b"<w:body>", b"<w:body>" + added.encode())
            target.writestr(member, data)

    found = pool.parse(path, name="form.docx")

    paragraphs = of_kind(found, ElementKind.PARAGRAPH)
    assert "Aus dem Formularfeld." in paragraphs
    assert "Nachträglich eingefügt." in paragraphs
    assert not any("Gestrichen" in text for text in paragraphs)


def test_a_slide_is_a_page_with_its_title_and_notes(pool: ParserPool, tmp_path: Path) -> None:
    presentation = pptx.Presentation()
    for number in (1, 2):
        slide = presentation.slides.add_slide(presentation.slide_layouts[1])
        slide.shapes.title.text = f"Budget {2024 + number}"
        slide.placeholders[1].text = ENGLISH
    slide.notes_slide.notes_text_frame.text = "Say that the figures are preliminary."
    presentation.save(str(tmp_path / "deck.pptx"))

    found = pool.parse(tmp_path / "deck.pptx", name="deck.pptx")

    assert [page.name for page in found.pages] == ["Budget 2025", "Budget 2026"]
    assert found.paged
    assert ENGLISH in found.pages[0].text
    assert "Say that the figures are preliminary." in found.pages[1].text


def test_a_sheet_is_a_page_its_rows_are_lines_and_a_hidden_sheet_is_kept_apart(
    pool: ParserPool, tmp_path: Path
) -> None:
    workbook = openpyxl.Workbook()
    sheet = workbook.active
    sheet.title = "Umsatz"
    for row in (["Region", "Q1", "Anteil"], ["Süd", 1200, 0.25], ["Nord", 900.5, None]):
        sheet.append(row)
    hidden = workbook.create_sheet("Intern")
    hidden["A1"] = "Nicht zeigen"
    hidden.sheet_state = "hidden"
    workbook.save(tmp_path / "umsatz.xlsx")

    found = pool.parse(tmp_path / "umsatz.xlsx", name="umsatz.xlsx")

    assert [page.name for page in found.pages] == ["Umsatz", "Intern"]
    table = "Region | Q1 | Anteil\nSüd | 1200 | 0.25\nNord | 900.5 | "
    assert of_kind(found, ElementKind.TABLE) == [table.rstrip()]
    assert of_kind(found, ElementKind.HIDDEN) == ["Nicht zeigen"]


@pytest.mark.parametrize(
    "data",
    [
        "Name;Ort;Betrag\nMüller;Köln;1,50\nLefèvre;Orléans\n".encode(),  # ragged
        "Name\tOrt\tBetrag\nMüller\tKöln\t1,50\nLefèvre\tOrléans\n".encode("utf-16"),
        "Name;Ort;Betrag\r\nMüller;Köln;1,50\r\nLefèvre;Orléans\r\n".encode("cp1252"),
    ],
    ids=["utf-8 with semicolons", "utf-16 with tabs", "windows-1252"],
)
def test_a_delimited_file_is_read_whatever_its_delimiter_and_encoding(
    pool: ParserPool, tmp_path: Path, data: bytes
) -> None:
    path = tmp_path / "liste.csv"
    path.write_bytes(data)

    found = pool.parse(path, name="liste.csv")

    assert of_kind(found, ElementKind.TABLE) == [
        "Name | Ort | Betrag\nMüller | Köln | 1,50\nLefèvre | Orléans"
    ]


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("a.html", f"<title>Bail</title><h1>Bail</h1><h2>Durée</h2><p>{FRENCH}</p>"),
        ("a.md", f"# Bail\n\n## Durée\n\n{FRENCH}\n"),
        ("a.rst", f"Bail\n====\n\nDurée\n-----\n\n{FRENCH}\n"),
        ("a.org", f"* Bail\n\n** Durée\n\n{FRENCH}\n"),
    ],
)
def test_a_marked_up_text_keeps_its_headings_and_every_character_of_its_sentences(
    pool: ParserPool, tmp_path: Path, name: str, source: str
) -> None:
    path = tmp_path / name
    path.write_text(source, encoding="utf-8")

    found = pool.parse(path, name=name)

    titles = headings(found)
    assert [text for _, text in titles] == ["Bail", "Durée"]
    assert titles[0][0] < titles[1][0]
    assert FRENCH.replace("\u00a0", " ") in found.pages[0].text
    assert (found.title, found.language) == ("Bail", "fr")


def test_html_that_is_nested_absurdly_deep_still_gives_its_text(
    pool: ParserPool, tmp_path: Path
) -> None:
    path = tmp_path / "deep.html"
    path.write_text(f"<html><body>{'<div>' * 400}<p>{ENGLISH}</p>{'</div>' * 400}</body></html>")

    found = pool.parse(path, name="deep.html")

    assert of_kind(found, ElementKind.PARAGRAPH) == [ENGLISH]


def test_a_mail_names_its_people_and_the_attachments_that_were_not_read(
    pool: ParserPool, tmp_path: Path
) -> None:
    mail = EmailMessage()
    mail["From"] = "Ana Weber <ana@example.org>"
    mail["To"] = "bo@example.org"
    mail["Subject"] = "Lieferverzug im März"
    mail["Date"] = "Mon, 02 Mar 2026 09:00:00 +0100"
    mail.set_content(f"{GERMAN}\n")
    (tmp_path / "plain.eml").write_bytes(bytes(mail))
    mail.add_attachment(b"%PDF-1.4", maintype="application", subtype="pdf", filename="anlage.pdf")
    (tmp_path / "attached.eml").write_bytes(bytes(mail))

    plain = pool.parse(tmp_path / "plain.eml", name="plain.eml")
    attached = pool.parse(tmp_path / "attached.eml", name="attached.eml")

    assert plain.title == "Lieferverzug im März"
    assert plain.properties["from"] == "Ana Weber <ana@example.org>"
    assert GERMAN in of_kind(plain, ElementKind.PARAGRAPH)
    assert plain.warnings == ()
    assert ["anlage.pdf" in warning for warning in attached.warnings] == [True]


def test_plain_text_is_cut_into_paragraphs_and_list_items(pool: ParserPool, tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(f"{GERMAN}\r\n\r\n- eins\r\n- zwei\r\n".encode("utf-16"))

    found = pool.parse(path, name="notes.txt")

    assert of_kind(found, ElementKind.PARAGRAPH) == [GERMAN]
    assert of_kind(found, ElementKind.LIST_ITEM) == ["- eins", "- zwei"]
    assert found.title == "notes"


def test_a_document_without_a_format_that_has_pages_has_one_page(
    pool: ParserPool, tmp_path: Path
) -> None:
    path = tmp_path / "a.xml"
    path.write_text(f"<a><b>{ENGLISH}</b><c>Second <i>mixed</i> part</c></a>")

    found = pool.parse(path, name="a.xml")

    assert (found.paged, [page.number for page in found.pages]) == (False, [1])
    assert of_kind(found, ElementKind.PARAGRAPH) == [ENGLISH, "Second mixed part"]


# -- PDF -----------------------------------------------------------------------------------------


def test_a_pdf_word_has_its_box_where_it_stands(pool: ParserPool, tmp_path: Path) -> None:
    path = write_pdf(tmp_path / "a.pdf", [[(42, 535, 12, ENGLISH), (42, 60, 12, "Bottom line.")]])

    found = pool.parse(path, name="a.pdf")

    words = words_of(found)
    supplier, bottom = words["supplier"].box, words["Bottom"].box
    assert found.pages[0].text == f"{ENGLISH}\n\nBottom line."
    assert supplier.top < 60 / 595 < supplier.bottom + 0.02
    assert 42 / 420 < supplier.left < supplier.right < 0.35
    assert bottom.top > 0.85
    assert bottom.left == pytest.approx(42 / 420, abs=0.01)


def test_a_turned_page_has_its_boxes_as_it_is_shown(pool: ParserPool, tmp_path: Path) -> None:
    path = write_pdf(tmp_path / "a.pdf", [[(42, 535, 12, ENGLISH)]], rotate=90)

    found = pool.parse(path, name="a.pdf")

    word = words_of(found)["supplier"].box
    assert (found.pages[0].width, found.pages[0].height) == (595, 420)
    assert word.left == pytest.approx(535 / 595, abs=0.03)  # the top edge is now on the right
    assert word.bottom - word.top > word.right - word.left


def test_a_pdf_sentence_is_stored_with_the_signs_that_stand_in_the_file(
    pool: ParserPool, tmp_path: Path
) -> None:
    lines = [(42.0, 500.0, 12.0, FRENCH), (42.0, 440.0, 12.0, "Rabatt: 12 % * netto_preis (§ 5)")]
    path = write_pdf(tmp_path / "a.pdf", [lines])

    found = pool.parse(path, name="a.pdf")

    assert FRENCH.replace("\u00a0", " ") in found.pages[0].text
    assert "Rabatt: 12 % * netto_preis (§ 5)" in found.pages[0].text


def test_a_word_broken_at_a_line_end_is_one_word_with_two_boxes(
    pool: ParserPool, tmp_path: Path
) -> None:
    lines = [
        (42.0, 500.0, 12.0, "Der Vermieter verlangt eine angemessene Sicherheits-"),
        (42.0, 485.0, 12.0, "leistung, und zwar Soft- und Hardware betreffend, vor"),
        (42.0, 470.0, 12.0, "dem Einzug und nach der Unterzeichnung des Vertrages."),
    ]
    path = write_pdf(tmp_path / "a.pdf", [lines])

    found = pool.parse(path, name="a.pdf")

    page = found.pages[0]
    at = page.text.index("Sicherheitsleistung")
    boxes = [w.box for w in page.words if at <= w.start < at + len("Sicherheitsleistung")]
    assert "Soft- und Hardware" in page.text
    assert len(boxes) == 2
    assert boxes[0].bottom < boxes[1].bottom
    assert boxes[0].left > boxes[1].left


def test_headings_of_a_pdf_are_ranked_by_their_size(pool: ParserPool, tmp_path: Path) -> None:
    page: list[Line] = [(42, 540, 22, "Mietvertrag"), (42, 500, 16, "Laufzeit")]
    page += [(42, 470 - 14 * k, 11, GERMAN[:60]) for k in range(8)]
    page += [(42, 330, 16, "Kaution")]
    page += [(42, 300 - 14 * k, 11, GERMAN[:60]) for k in range(8)]
    path = write_pdf(tmp_path / "a.pdf", [page])

    found = pool.parse(path, name="a.pdf")

    assert headings(found) == [(0, "Mietvertrag"), (1, "Laufzeit"), (1, "Kaution")]
    assert found.title == "Mietvertrag"


def test_a_running_header_is_furniture_and_the_sentence_below_it_is_not(
    pool: ParserPool, tmp_path: Path
) -> None:
    pages = [
        [
            (42.0, 570.0, 9.0, "Acme AG Jahresbericht"),
            (42.0, 400.0, 12.0, f"{ENGLISH[:40]} {n}"),
            (200.0, 20.0, 9.0, f"Seite {n} von 4"),
        ]
        for n in range(1, 5)
    ]
    path = write_pdf(tmp_path / "a.pdf", pages)

    found = pool.parse(path, name="a.pdf")

    furniture = of_kind(found, ElementKind.FURNITURE)
    assert furniture.count("Acme AG Jahresbericht") == 4
    assert {f"Seite {n} von 4" for n in range(1, 5)} <= set(furniture)
    assert len(of_kind(found, ElementKind.PARAGRAPH)) == 4


def test_a_scanned_page_is_recognised_beside_pages_with_text(
    pool: ParserPool, tmp_path: Path
) -> None:
    typed = write_pdf(tmp_path / "typed.pdf", [[(42, 500, 12, ENGLISH)]])
    scan = write_scan(
        tmp_path / "scan.pdf", "Die Miete betrifft 850 Euro.\nZahlung bis zum Ersten."
    )
    writer = pypdf.PdfWriter()
    writer.append(typed)
    writer.append(scan)
    writer.write(tmp_path / "mixed.pdf")

    found = pool.parse(tmp_path / "mixed.pdf", name="mixed.pdf")

    typed_page, scanned_page = found.pages
    assert typed_page.ocr_confidence is None
    assert scanned_page.ocr_confidence is not None
    assert scanned_page.ocr_confidence > 0.8
    assert "Die Miete betrifft 850 Euro." in scanned_page.text
    rent = words_of(found, 2)["Miete"].box
    assert rent.left == pytest.approx(200 / 1654, abs=0.03)
    assert rent.top == pytest.approx(160 / 1169, abs=0.03)


def test_every_frame_of_an_image_is_a_page(pool: ParserPool, tmp_path: Path) -> None:
    path = write_scan(tmp_path / "fax.tiff", "First page of the fax", "Second page of the fax")

    found = pool.parse(path, name="fax.tiff")

    assert [page.text for page in found.pages] == [
        "First page of the fax",
        "Second page of the fax",
    ]


def test_without_recognition_a_scan_has_no_text_and_the_error_says_what_to_do(
    tmp_path: Path,
) -> None:
    path = write_scan(tmp_path / "scan.png", "Nobody reads me")

    with ParserPool(ParseSettings(workers=1, ocr=False)) as pool, pytest.raises(NoText) as refusal:
        pool.parse(path, name="scan.png")

    assert "SOVEREIGN_RAG_PARSE__OCR" in str(refusal.value)


def test_a_page_of_a_pdf_and_of_an_image_can_be_drawn(pool: ParserPool, tmp_path: Path) -> None:
    document = write_pdf(tmp_path / "a.pdf", [[(42, 500, 12, "One")], [(42, 500, 12, "Two")]])
    picture = write_scan(tmp_path / "a.png", "Words")

    drawn = pool.render_page(document, 2, dpi=72, media_type="application/pdf")
    shown = pool.render_page(picture, 1, media_type="image/png")

    with Image.open(io.BytesIO(drawn)) as page:
        assert page.size == (420, 595)
        assert page.convert("L").point(lambda grey: grey < 100 and 255).getbbox() is not None
    with Image.open(io.BytesIO(shown)) as page:
        assert page.width / page.height == pytest.approx(1654 / 1169, abs=0.01)
    with pytest.raises(DocumentError) as refusal:
        pool.render_page(document, 3, media_type="application/pdf")
    assert refusal.value.reason == "no_page"


# -- promises over all formats -------------------------------------------------------------------


def test_spans_ascend_without_overlap_and_words_lie_on_the_page(
    pool: ParserPool, tmp_path: Path
) -> None:
    lines = [(42.0, 560.0 - 15 * k, 11.0, f"{ENGLISH} Line {k}.") for k in range(30)]
    path = write_pdf(tmp_path / "a.pdf", [lines, lines])

    found = pool.parse(path, name="a.pdf")

    for page in found.pages:
        spans = [(e.start, e.end) for e in found.elements if e.page == page.number]
        assert spans[0][0] == 0
        assert spans[-1][1] == len(page.text)
        assert all(end + 2 == start for (_, end), (start, _) in pairwise(spans))
        assert len(page.words) == len(page.text.split())
        for word in page.words:
            assert 0 <= word.box.left < word.box.right <= 1
            assert 0 <= word.box.top < word.box.bottom <= 1


def test_invisible_characters_do_not_reach_the_stored_text(
    pool: ParserPool, tmp_path: Path
) -> None:
    path = tmp_path / "a.md"
    path.write_text("Zu\u200bsam\u00admen\u202e und e\u0301tat\u00a0: 5\u2009%\n", encoding="utf-8")

    found = pool.parse(path, name="a.md")

    assert found.pages[0].text == "Zusammen und état : 5 %"


def test_the_key_changes_with_the_settings_that_change_the_text_alone() -> None:
    usual = ParserPool(ParseSettings()).key

    assert ParserPool(ParseSettings(workers=3, timeout_s=5)).key == usual
    assert ParserPool(ParseSettings(ocr=False)).key != usual
    assert ParserPool(ParseSettings(ocr_dpi=300)).key != usual
    assert usual.replace("-", "").isalnum()


# -- refusals ------------------------------------------------------------------------------------


def test_an_encrypted_pdf_says_so_and_opens_with_its_password(
    pool: ParserPool, tmp_path: Path
) -> None:
    writer = pypdf.PdfWriter(clone_from=write_pdf(tmp_path / "a.pdf", [[(42, 500, 12, ENGLISH)]]))
    writer.encrypt("Sesam", algorithm="RC4-128")
    writer.write(tmp_path / "locked.pdf")

    with pytest.raises(DocumentError) as refusal:
        pool.parse(tmp_path / "locked.pdf", name="locked.pdf")
    opened = pool.parse(tmp_path / "locked.pdf", name="locked.pdf", password="Sesam")

    assert refusal.value.reason == "encrypted"
    assert opened.pages[0].text == ENGLISH


def test_an_encrypted_word_document_says_so_and_opens_with_its_password(
    pool: ParserPool, tmp_path: Path
) -> None:
    locked = tmp_path / "locked.docx"
    with write_docx(tmp_path / "a.docx").open("rb") as plain, locked.open("wb") as target:
        msoffcrypto.format.ooxml.OOXMLFile(plain).encrypt("Sesam", target)

    with pytest.raises(DocumentError) as refusal:
        pool.parse(locked, name="locked.docx")
    opened = pool.parse(locked, name="locked.docx", password="Sesam")

    assert refusal.value.reason == "encrypted"
    assert opened.title == "Rahmenvertrag"


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("empty.pdf", b"", "empty"),
        ("blank.txt", b" \n\t\n", "no_text"),
        ("broken.pdf", b"%PDF-1.7\nand nothing more", "broken"),
        ("cut.docx", b"PK\x03\x04" + b"\0" * 60, "broken"),
        ("report.pdf", b"MZ\x90\x00" + b"\0" * 60 + b"PE\0\0" + b"\0" * 400, "unsupported"),
        ("tool.txt", b"\x7fELF\x02\x01\x01" + b"\0" * 200, "unsupported"),
        ("noise.bin", bytes(range(256)) * 8, "unsupported"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_reason(
    pool: ParserPool, tmp_path: Path, name: str, data: bytes, reason: str
) -> None:
    path = tmp_path / name
    path.write_bytes(data)

    with pytest.raises(DocumentError) as refusal:
        pool.parse(path, name=name)

    assert refusal.value.reason == reason
    assert str(refusal.value).endswith((".", "file."))


def test_a_pdf_with_more_pages_than_allowed_is_refused_and_one_at_the_limit_is_read(
    tmp_path: Path,
) -> None:
    two = write_pdf(tmp_path / "two.pdf", [[(42, 500, 12, "One")], [(42, 500, 12, "Two")]])
    three = write_pdf(tmp_path / "three.pdf", [[(42, 500, 12, "Page")]] * 3)

    with ParserPool(ParseSettings(workers=1, max_pages=2)) as pool:
        allowed = pool.parse(two, name="two.pdf")
        with pytest.raises(DocumentError) as refusal:
            pool.parse(three, name="three.pdf")

    assert len(allowed.pages) == 2
    assert refusal.value.reason == "too_large"


# -- detection -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "data", "expected"),
    [
        ("a.docx", b"%PDF-1.4\n", "application/pdf"),  # the bytes win over the name
        ("a.md", b"# Title\n\nText", "text/markdown"),
        ("a", b"# Title\n\nText", "text/plain"),
        ("a.csv", b"a,b\n1,2\n", "text/csv"),
        ("a", b"<!DOCTYPE html><html><body>Hi</body></html>", "text/html"),
        ("page.txt", b"<!DOCTYPE html><html><body>Hi</body></html>", "text/html"),
        ("a", b"From: a@b.c\nTo: d@e.f\nSubject: x\n\nHello", "message/rfc822"),
        ("notes.txt", b"From: a friend\nTo: nobody\n\nHello", "text/plain"),
        ("a.rtf", rb"{\rtf1 Hello}", "application/rtf"),
        ("a.txt", "Grüße aus Köln".encode("utf-16-le"), "text/plain"),
    ],
)
def test_the_bytes_tell_the_format_and_the_name_only_hints(
    tmp_path: Path, name: str, data: bytes, expected: str
) -> None:
    path = tmp_path / "stored"
    path.write_bytes(data)

    assert media_type(path, name=name) == expected


def test_an_archive_is_refused_with_the_advice_to_unpack_it(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("letter.txt", ENGLISH)

    with pytest.raises(DocumentError, match="Unpack it") as refusal:
        media_type(tmp_path / "a.zip", name="a.zip")

    assert refusal.value.reason == "unsupported"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-16-be", "utf-32", "cp1252"])
def test_text_is_decoded_from_the_encodings_that_offices_write(encoding: str) -> None:
    text = f"{GERMAN} Über Köln nach Orléans."

    assert decode(text.encode(encoding)) == text


def test_canonical_text_has_one_kind_of_space_and_line_end() -> None:
    assert canonical("a\u00a0\u2009 b \r\n  c\x0b\n\n\n\nd\0") == "a b\nc\n\nd"
    assert canonical("if x:\n\ty()", keep_indent=True) == "if x:\n    y()"
