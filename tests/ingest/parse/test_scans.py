"""Pictures and scans: turned, straightened, read in their own language, or refused."""

from pathlib import Path

import pi_heif  # type: ignore[import-untyped]  # the package has no types
import pypdfium2
import pytest
from PIL import Image, ImageDraw, ImageFont

from ingest.parse.document.job import Job
from ingest.parse.document.numbers import number_warning
from ingest.parse.ocr.image import prepared
from ingest.parse.ocr.layout import RecognisedWord, blocks_of
from ingest.parse.ocr.recognise import Recogniser
from ingest.parse.process.pool import ParserPool
from sovereign_rag.domain import Box, ElementKind
from sovereign_rag.errors import DocumentError, NoText
from tests.ingest.parse.pages import of_kind, picture, shown, write_pdf

LETTER = (
    "The landlord confirms that the deposit was paid.\n"
    "Repairs up to 150 euros are borne by the tenant.\n"
    "Notice of three months is given in writing.\n"
    "Heating is billed once a year in March."
)


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_a_scan_that_lies_on_its_side_is_turned_and_its_places_are_those_on_the_file(
    pool: ParserPool, tmp_path: Path, quarters: int
) -> None:
    upright = picture("\n".join([LETTER] * 3))
    turned = upright.rotate(90 * quarters, expand=True)
    turned.save(tmp_path / "scan.png", dpi=(200, 200))

    page = pool.parse(tmp_path / "scan.png", name="scan.png").pages[0]

    word = next(w for w in page.words if page.text[w.start : w.end] == "landlord")
    middle = (word.box.left + word.box.right) / 2, (word.box.top + word.box.bottom) / 2
    top_left = {1: (0.12, 0.84), 2: (0.84, 0.86), 3: (0.86, 0.16)}[quarters]
    assert "Repairs up to 150 euros are borne by the tenant." in page.text
    assert middle == pytest.approx(top_left, abs=0.06)


def test_a_page_that_lies_askew_on_grey_paper_is_read_whole(
    pool: ParserPool, tmp_path: Path
) -> None:
    image = picture("\n".join([LETTER] * 2))
    ImageDraw.Draw(image).rectangle((100, 140, 1250, 430), fill=120)
    draw = ImageDraw.Draw(image)
    draw.multiline_text((120, 150), LETTER, 0, ImageFont.load_default(40), spacing=24)
    image.rotate(2.5, Image.Resampling.BICUBIC, fillcolor=255).save(tmp_path / "a.png")

    page = pool.parse(tmp_path / "a.png", name="a.png").pages[0]

    assert page.text.count("Notice of three months is given in writing.") == 2


def test_the_angle_of_a_page_is_found_and_undone() -> None:
    askew = picture(LETTER).rotate(-1.5, Image.Resampling.BICUBIC, fillcolor=255)

    found = prepared(askew)

    assert found.angle == pytest.approx(1.5, abs=0.2)
    centre = found.image.width / 2, found.image.height / 2
    assert found.on_page(*centre, *centre) == pytest.approx((0.5, 0.5, 0.5, 0.5), abs=0.01)


def test_a_table_in_a_scan_keeps_its_rows(pool: ParserPool, tmp_path: Path) -> None:
    image = Image.new("L", (1654, 1169), 255)
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(36)
    rows = [("Product", "2024", "2025"), ("Subscription", "16,388", "14,573")]
    rows += [("Services", "686", "657"), ("Licences", "532", "555"), ("Total", "17,606", "15,785")]
    for index, row in enumerate(rows):
        for x, cell in zip((120, 800, 1200), row, strict=True):
            draw.text((x, 150 + 70 * index), cell, 0, font)
    image.save(tmp_path / "table.png", dpi=(200, 200))

    found = pool.parse(tmp_path / "table.png", name="table.png")

    (table,) = of_kind(found, ElementKind.TABLE)
    assert table.splitlines()[1:3] == ["Subscription | 16,388 | 14,573", "Services | 686 | 657"]


def test_a_row_of_a_scan_keeps_its_columns_where_a_figure_was_not_recognised() -> None:
    def word(text: str, line: int, left: int) -> RecognisedWord:
        pixels = (left, 50 * line, left + 20 * len(text), 50 * line + 30)
        return RecognisedWord((1, 1), line, text, 0.9, Box(1, 0.1, 0.1, 0.2, 0.2), pixels)

    lines = [
        ("1", "Paper", "20", "98,00"),
        ("2", "Toner", "3", "99,00"),
        ("", "Refund", "1", "-1,00"),
    ]
    places = (100, 200, 500, 700)
    tokens = [
        word(text, row, left)
        for row, line in enumerate(lines)
        for text, left in zip(line, places, strict=True)
        if text
    ]

    (table,) = blocks_of(tokens)

    assert table.text.split("\n")[1:] == ["2 | Toner | 3 | 99,00", " | Refund | 1 | -1,00"]
    assert [table.text[w.start : w.end] for w in table.words][-3:] == ["Refund", "1", "-1,00"]


def test_a_scan_is_read_in_its_own_language(pool: ParserPool, tmp_path: Path) -> None:
    spanish = (
        "La versión española contiene una explicación más amplia.\n"
        "El señor Muñoz pidió información sobre la canción.\n"
        "También preguntó por qué había recibido una notificación.\n"
        "Además, la compañía canceló la reunión del miércoles."
    )
    lines = [shown(line, y=500 - 24 * k) for k, line in enumerate(spanish.splitlines())]
    with pypdfium2.PdfDocument(write_pdf(tmp_path / "a.pdf", [" ".join(lines)])) as typed:
        typed[0].render(scale=200 / 72).to_pil().save(tmp_path / "carta.png", dpi=(200, 200))

    found = pool.parse(tmp_path / "carta.png", name="carta.png")

    assert found.language == "es"
    assert "El señor Muñoz pidió información sobre la canción." in found.pages[0].text


def test_a_damaged_photograph_of_a_telephone_is_refused(pool: ParserPool, tmp_path: Path) -> None:
    assert "HEVC" in str(pi_heif.libheif_info()["decoders"])
    (tmp_path / "cut.heic").write_bytes(b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0" * 200)

    with pytest.raises(DocumentError) as refusal:
        pool.parse(tmp_path / "cut.heic", name="cut.heic")

    assert refusal.value.reason == "broken"


def test_a_picture_without_words_is_no_success(pool: ParserPool, tmp_path: Path) -> None:
    Image.new("L", (800, 600), 200).save(tmp_path / "grey.png")

    with pytest.raises(NoText):
        pool.parse(tmp_path / "grey.png", name="grey.png")


def test_each_word_of_a_scan_keeps_the_confidence_that_it_was_recognised_with(
    pool: ParserPool, tmp_path: Path
) -> None:
    picture(LETTER).save(tmp_path / "letter.png", dpi=(200, 200))

    found = pool.parse(tmp_path / "letter.png", name="letter.png")

    (page,) = found.pages
    sure = [word.confidence for word in page.words]
    assert all(one is not None and 0.5 < one <= 1 for one in sure)
    assert found.warnings == ()


def test_a_number_that_no_recognised_word_has_is_named() -> None:
    recogniser = Recogniser(Job(0, "parse", "", ocr_languages="eng"))
    found = recogniser.page(picture(f"{LETTER}\nThe rate is 2.6 percent."), 1)

    assert found is not None
    text = "\n\n".join(block.text for block in found.blocks)
    said = number_warning(1, text.replace("2.6", "26"), found.words)
    assert said is not None
    assert said.startswith("Page 1: 26 may be put together wrongly")
    assert number_warning(1, text, found.words) is None
    assert recogniser.warnings == ()
