"""Glyphs that a PDF has no letters for: what is stored is what is seen, or a mark and a warning."""

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import pytest
import reportlab
from PIL import Image, ImageDraw, ImageFont
from reportlab.pdfbase.ttfonts import TTFontFile

from ingest.parse.process.pool import ParserPool
from sovereign_rag.domain import ElementKind
from sovereign_rag.errors import NoText
from sovereign_rag.settings import ParseSettings
from tests.ingest.parse.pages import of_kind, shown, write_pdf

VERA = Path(reportlab.__file__).parent / "fonts" / "Vera.ttf"
SENTENCES = (
    "The supplier delivers the goods within ten working days of the order.",
    "The buyer pays within thirty days after the invoice has arrived.",
    "Both parties keep the terms of this agreement confidential.",
)
NOTICE = ("Notice is given in writing", "to the landlord within 30 days.")
TABLE = (("Rent", "1,250.50"), ("Heating", "310.00"), ("Deposit", "3,751.50"), ("Key", "75"))


@cache
def vera() -> TTFontFile:
    return TTFontFile(str(VERA))


def coded(text: str, *, x: float, y: float, size: float = 14) -> str:
    """A line in /F2, as the numbers of its glyphs."""
    glyphs = "".join(f"{vera().charToGlyph[ord(letter)]:04X}" for letter in text)
    return f"BT /F2 {size:g} Tf {x:g} {y:g} Td <{glyphs}> Tj ET"


def without_mapping() -> dict[int, bytes]:
    """/F2 as object 101: TrueType by the numbers of glyphs, without /ToUnicode."""
    font, data = vera(), VERA.read_bytes()
    wide = {font.charToGlyph[code]: font.charWidths[code] for code in range(32, 127)}
    widths = " ".join(f"{glyph} [{width:.0f}]" for glyph, width in sorted(wide.items()))
    system = "/CIDSystemInfo << /Registry (Adobe) /Ordering (Identity) /Supplement 0 >>"
    about = "/Flags 4 /FontBBox [-183 -236 1287 928] /ItalicAngle 0 /Ascent 928 /Descent -236"
    return {
        101: b"<< /Type /Font /Subtype /Type0 /BaseFont /A+Vera /Encoding /Identity-H "
        b"/DescendantFonts [102 0 R] >>",
        102: f"<< /Type /Font /Subtype /CIDFontType2 /BaseFont /A+Vera {system} /FontDescriptor "
        f"103 0 R /CIDToGIDMap /Identity /W [{widths}] >>".encode(),
        103: f"<< /Type /FontDescriptor /FontName /A+Vera {about} /CapHeight 729 /StemV 80 "
        "/FontFile2 104 0 R >>".encode(),
        104: b"<< /Length %d /Length1 %d >>\nstream\n" % (len(data), len(data))
        + data
        + b"\nendstream",
    }


def drawn_glyphs(letters: str, first: int) -> dict[int, bytes]:
    """/F2 as object 101: a Type 3 font of small pictures, coded from `first` on."""
    face = ImageFont.truetype(VERA, 64)
    objects, names, widths = {}, [], []
    for place, letter in enumerate(letters):
        width = int(face.getlength(letter))
        image = Image.new("1", ((width + 7) // 8 * 8 or 8, 90), 1)
        ImageDraw.Draw(image).text((0, 0), letter, 0, face)
        across, down = image.size
        head = f"{width} 0 0 -25 {across} 65 d1 q {across} 0 0 {down} 0 -25 cm BI /W {across} "
        drawn = f"{head}/H {down} /IM true /BPC 1 /D [0 1] ID ".encode()
        drawn += image.tobytes() + b" EI Q"
        objects[102 + place] = b"<< /Length %d >>\nstream\n%s\nendstream" % (len(drawn), drawn)
        names.append(f"/a{place}")
        widths.append(str(width))
    procs = " ".join(f"{name} {102 + place} 0 R" for place, name in enumerate(names))
    objects[101] = (
        "<< /Type /Font /Subtype /Type3 /FontBBox [0 -25 90 65] /FontMatrix [0.015625 0 0 0.015625 "
        f"0 0] /FirstChar {first} /LastChar {first + len(letters) - 1} /Widths [{' '.join(widths)}]"
        f" /Resources << >> /CharProcs << {procs} >> /Encoding << /Type /Encoding /Differences "
        f"[{first} {' '.join(names)}] >> >>"
    ).encode()
    return objects


def in_pictures(lines: Sequence[str], letters: str, first: int) -> str:
    codes = ("".join(f"{first + letters.index(c):02X}" for c in line) for line in lines)
    return " ".join(
        f"BT /F2 14 Tf 30 {500 - 22 * n} Td <{code}> Tj ET" for n, code in enumerate(codes)
    )


def write(path: Path, content: str, objects: Mapping[int, bytes]) -> Path:
    """A page whose fonts are /F1, Helvetica, and /F2, object 101."""
    form = (
        "<< /Type /XObject /Subtype /Form /BBox [0 0 420 595] /Resources << /Font << /F1 3 0 R "
        f"/F2 101 0 R >> >> /Length {len(content)} >>\nstream\n{content}\nendstream"
    )
    return write_pdf(
        path,
        ["/Form Do"],
        resources="/XObject << /Form 100 0 R >>",
        objects={**objects, 100: form.encode()},
    )


def prose() -> str:
    lines = enumerate(SENTENCES)
    return " ".join(shown(line, x=30, y=560 - 16 * n, size=10) for n, line in lines)


def figures() -> str:
    return " ".join(
        shown(label, x=30, y=440 - 22 * n) + " " + coded(figure, x=200, y=440 - 22 * n, size=12)
        for n, (label, figure) in enumerate(TABLE)
    )


def test_figures_without_a_mapping_are_recognised_in_their_cells(
    pool: ParserPool, tmp_path: Path
) -> None:
    path = write(tmp_path / "a.pdf", f"{prose()} {figures()}", without_mapping())

    found = pool.parse(path, name="a.pdf")

    page = found.pages[0]
    assert of_kind(found, ElementKind.TABLE) == [
        "\n".join(f"{label} | {figure}" for label, figure in TABLE)
    ]
    assert page.text.startswith(" ".join(SENTENCES))
    assert page.ocr_confidence is None
    recognised = {page.text[w.start : w.end] for w in page.words if w.confidence is not None}
    assert recognised == {figure for _, figure in TABLE}
    assert found.warnings == ()


@pytest.mark.parametrize("beside_text", [True, False], ids=["in part", "whole"])
def test_text_without_a_mapping_is_read_by_eye(
    pool: ParserPool, tmp_path: Path, beside_text: bool
) -> None:
    lines = [coded(line, x=30, y=440 - 22 * n) for n, line in enumerate(NOTICE)]
    content = " ".join([prose()] * beside_text + lines)
    path = write(tmp_path / "a.pdf", content, without_mapping())

    found = pool.parse(path, name="a.pdf")

    words = " ".join(found.pages[0].text.split())
    assert words == " ".join([*SENTENCES * beside_text, *NOTICE])
    assert found.warnings == ()


def test_a_font_of_pictures_is_read_by_eye_whatever_its_codes_spell(
    pool: ParserPool, tmp_path: Path
) -> None:
    letters = "".join(sorted(set("".join(NOTICE))))
    content = in_pictures(NOTICE, letters, 33)
    path = write(tmp_path / "a.pdf", content, drawn_glyphs(letters, 33))

    assert " ".join(pool.parse(path, name="a.pdf").pages[0].text.split()) == " ".join(NOTICE)


def test_a_bar_before_a_figure_is_a_minus_although_the_file_gives_no_sign_for_it(
    pool: ParserPool, tmp_path: Path
) -> None:
    rows = [("Lyon", "0.9393"), ("Bern", "0.8276"), ("Wien", "12.5"), ("Metz", "7")]
    drawn = [prose()]
    for n, (place, figure) in enumerate(rows):
        y = 440 - 20 * n
        drawn += [shown(place, x=30, y=y), shown(figure, x=200, y=y), shown("4.1", x=290, y=y)]
        drawn += [coded("\u2212", x=190, y=y, size=12)] * (n != 2)
    path = write(tmp_path / "a.pdf", " ".join(drawn), without_mapping())

    found = pool.parse(path, name="a.pdf")

    lines = of_kind(found, ElementKind.TABLE)[0].split("\n")
    assert lines == [
        "Lyon | \u22120.9393 | 4.1",
        "Bern | \u22120.8276 | 4.1",
        "Wien | 12.5 | 4.1",
        "Metz | \u22127 | 4.1",
    ]


def test_two_letters_drawn_as_one_are_read_on_the_page(pool: ParserPool, tmp_path: Path) -> None:
    drawn = [prose(), shown("Con", x=30, y=440, size=20), shown("rmed cases", x=78, y=440, size=20)]
    drawn.append(coded("\ufb01", x=66.4, y=440, size=18))
    path = write(tmp_path / "a.pdf", " ".join(drawn), without_mapping())

    assert pool.parse(path, name="a.pdf").pages[0].text.endswith("Confirmed cases")


def test_a_turned_label_is_read_by_eye_among_the_lines_of_its_page(
    pool: ParserPool, tmp_path: Path
) -> None:
    label = coded("Confirmed cases", x=0, y=0)
    content = f"{prose()} q 0 1 -1 0 60 200 cm {label} Q"
    path = write(tmp_path / "a.pdf", content, without_mapping())

    found = pool.parse(path, name="a.pdf")

    assert found.pages[0].text.endswith("Confirmed cases")
    assert found.warnings == ()


def test_a_page_that_is_read_by_eye_without_being_sure_is_named(
    pool: ParserPool, tmp_path: Path
) -> None:
    lines = [coded(line, x=30, y=440 - 22 * n) for n, line in enumerate(SENTENCES)]
    # Upside down, letter by letter: it can be made out, and not be trusted.
    flipped = write(tmp_path / "a.pdf", f"1 0 0 -1 0 840 cm {' '.join(lines)}", without_mapping())

    found = pool.parse(flipped, name="a.pdf")

    assert (found.pages[0].ocr_confidence or 1.0) < 0.75
    (warning,) = found.warnings
    assert warning.startswith("Page 1: its text layer has codes in place of letters, and what was")


def test_what_looks_like_no_script_of_those_installed_is_not_guessed(
    pool: ParserPool, tmp_path: Path
) -> None:
    lines = [coded(line, x=30, y=440 - 22 * n) for n, line in enumerate(SENTENCES)]
    # Upside down and half as high again: as strange to the recogniser as Arabic.
    strange = write(
        tmp_path / "a.pdf", f"1 0 0 -1.5 0 1200 cm {' '.join(lines)}", without_mapping()
    )

    with pytest.raises(NoText, match="codes in place of letters, and recognition did not help"):
        pool.parse(strange, name="a.pdf")


def test_without_recognition_such_glyphs_are_marked_and_the_page_named(tmp_path: Path) -> None:
    coded_path = write(tmp_path / "a.pdf", f"{prose()} {figures()}", without_mapping())
    plain = "".join(chr(code) for code in range(32, 127))
    letters_path = write(
        tmp_path / "b.pdf", in_pictures(NOTICE, plain, 32), drawn_glyphs(plain, 32)
    )

    with ParserPool(ParseSettings(workers=1, ocr=False)) as pool:
        marked = pool.parse(coded_path, name="a.pdf")
        # A font that calls its letters by their own codes needs no recognition.
        letters = pool.parse(letters_path, name="b.pdf")

    assert "Deposit \ufffd\ufffd" in marked.pages[0].text
    assert not any(map(str.isdigit, marked.pages[0].text))
    assert any("codes in place of letters" in warning for warning in marked.warnings)
    assert " ".join(letters.pages[0].text.split()) == " ".join(NOTICE)
    assert letters.warnings == ()
