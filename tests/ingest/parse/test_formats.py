"""What comes out of PDF files and images: text, structure, places, and honest refusals."""

import io
from itertools import pairwise
from pathlib import Path

import pypdf
import pytest
from PIL import Image

from ingest.parse.process.pool import ParserPool
from sovereign_rag.domain import ElementKind
from sovereign_rag.errors import DocumentError, NoText
from sovereign_rag.settings import ParseSettings
from tests.parsed import (
    ENGLISH,
    FRENCH,
    GERMAN,
    Line,
    headings,
    of_kind,
    words_of,
    write_pdf,
    write_scan,
)

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:(docx|pptx|openpyxl).*")


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
