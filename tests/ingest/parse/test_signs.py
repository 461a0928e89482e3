"""Raised figures, formulas, check boxes and spanning headers keep their meaning in every format."""

import subprocess
import zipfile
from pathlib import Path

import docx
import pptx
import pytest
from lxml import etree
from pptx.util import Inches

from ingest.parse.document.formula import mathml
from ingest.parse.document.grid import GridCell, spread
from ingest.parse.document.scripts import subscript, superscript
from ingest.parse.office.omml import linear
from ingest.parse.process.pool import ParserPool
from sovereign_rag.domain import ElementKind
from tests.parsed import of_kind

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:(docx|pptx).*")

RAISED = "Fläche 25 m², Keimzahl 5 × 10⁶, Umsatz 24.91 ² Mio.; CO₂, 10⁻³, 1er"
HEADER = [
    "Standort | 2023 | 2023 | 2024 | 2024",
    "Standort | Umsatz | Gewinn | Umsatz | Gewinn",
    "Lyon | 120 | 14 | 135 | 21",
]
PIECES = (
    *(("Fläche 25 m", ""), ("2", "super"), (", Keimzahl 5 × 10", ""), ("6", "super")),
    *((", Umsatz 24.91", ""), ("2", "super"), (" Mio.; CO", ""), ("2", "sub"), (", 10", "")),
    *(("-3", "super"), (", 1", ""), ("er", "super")),
)
SPANS = (
    (("Standort", 1, 2), ("2023", 2, 1), ("2024", 2, 1)),
    (("Umsatz", 1, 1), ("Gewinn", 1, 1), ("Umsatz", 1, 1), ("Gewinn", 1, 1)),
    *[tuple((text, 1, 1) for text in ("Lyon", "120", "14", "135", "21"))],
)


def word(path: Path) -> Path:
    document = docx.Document()
    paragraph = document.add_paragraph()
    for text, place in PIECES:
        run = paragraph.add_run(text)
        run.font.superscript = True if place == "super" else None
        if place == "sub":
            run.font.subscript = True
    table = document.add_table(3, 5)
    for row, spans in enumerate(SPANS):
        column = 1 if row == 1 else 0
        for said, across, _ in spans:
            table.cell(row, column).text = said
            column += across
    for first, last in (((0, 1), (0, 2)), ((0, 3), (0, 4)), ((0, 0), (1, 0))):
        table.cell(*first).merge(table.cell(*last))
    document.save(str(path))
    return path


def web(path: Path) -> Path:
    tag = {"super": "<sup>{}</sup>", "sub": "<sub>{}</sub>", "": "{}"}
    text = "".join(tag[place].format(said) for said, place in PIECES)
    rows = "".join(
        "<tr>" + "".join(f"<td colspan={c} rowspan={r}>{t}</td>" for t, c, r in row) + "</tr>"
        for row in SPANS
    )
    path.write_text(f"<p>{text}</p><table>{rows}</table>", encoding="utf-8")
    return path


def slides(path: Path) -> Path:
    deck = pptx.Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[6])
    box = slide.shapes.add_textbox(Inches(1), Inches(1), Inches(8), Inches(1))
    for text, place in PIECES:
        run = box.text_frame.paragraphs[0].add_run()
        run.text = text
        if place:
            run.font._element.set("baseline", "30000" if place == "super" else "-25000")
    table = slide.shapes.add_table(3, 5, Inches(1), Inches(3), Inches(8), Inches(2)).table
    for row, cells in enumerate(SPANS):
        column = 1 if row == 1 else 0
        for text, across, down in cells:
            table.cell(row, column).text = text
            if across * down > 1:
                table.cell(row, column).merge(table.cell(row + down - 1, column + across - 1))
            column += across
    deck.save(str(path))
    return path


def converted(path: Path, kind: str) -> Path:
    out = path.with_name("out")
    profile = f"-env:UserInstallation=file://{path.parent}/profile"
    command = ["soffice", "--headless", profile, "--convert-to", kind, "--outdir", str(out)]
    subprocess.run([*command, str(path)], check=True, capture_output=True)
    return out / f"{path.stem}.{kind}"


@pytest.mark.parametrize("kind", ["docx", "odt", "html", "pptx", "rtf", "doc"])
def test_raised_figures_join_no_number_and_a_note_is_told_from_an_exponent(
    pool: ParserPool, tmp_path: Path, kind: str
) -> None:
    path = tmp_path / f"a.{kind}"
    if kind == "html":
        web(path)
    elif kind == "pptx":
        slides(path)
    else:
        path = word(tmp_path / "a.docx")
        path = path if kind == "docx" else converted(path, kind)

    found = pool.parse(path, name=path.name)

    assert found.pages[0].text.split("\n")[0] == RAISED


def test_a_comment_keeps_no_old_word_document_from_being_read(
    pool: ParserPool, tmp_path: Path
) -> None:
    document = docx.Document()
    run = document.add_paragraph("The board decided.").add_run("")
    document.add_comment(run, text="Ask Ana.", author="Bo")
    document.add_page_break()
    document.save(str(tmp_path / "a.docx"))

    found = pool.parse(converted(tmp_path / "a.docx", "doc"), name="a.doc")

    assert of_kind(found, ElementKind.PARAGRAPH) == ["The board decided."]
    assert ["Ask Ana." in text for text in of_kind(found, ElementKind.HIDDEN)] == [True]


@pytest.mark.parametrize("kind", ["docx", "odt", "html", "pptx"])
def test_a_header_over_columns_stands_over_each_and_a_label_beside_each_of_its_rows(
    pool: ParserPool, tmp_path: Path, kind: str
) -> None:
    path = tmp_path / f"a.{kind}"
    if kind in {"html", "pptx"}:
        (web if kind == "html" else slides)(path)
    else:
        path = word(tmp_path / "a.docx")
        path = converted(path, kind) if kind == "odt" else path

    found = pool.parse(path, name=path.name)

    (table,) = of_kind(found, ElementKind.TABLE)
    assert table.split("\n") == HEADER


def test_below_a_header_a_number_over_several_rows_is_not_repeated_and_a_word_is() -> None:
    rows = [
        [GridCell("Region"), GridCell("2023", 2)],
        [GridCell("", continues=True), GridCell("Q1"), GridCell("Q2")],
        [GridCell("Nord", rows=2), GridCell("7", rows=2), GridCell("8")],
        [GridCell("9")],
        [GridCell("Summe", columns=2), GridCell("17")],
    ]

    assert spread(rows) == [
        ["Region", "2023", "2023"],
        ["Region", "Q1", "Q2"],
        ["Nord", "7", "8"],
        ["Nord", "", "9"],
        ["Summe", "", "17"],
    ]


def test_an_amount_over_several_columns_is_never_repeated() -> None:
    rows = [
        [GridCell("Place"), GridCell("2024", 2), GridCell("2025", 2)],
        [GridCell("Lyon"), GridCell("1.200"), GridCell("(30)", 2), GridCell("12,5-")],
        [GridCell("Wien", 2), GridCell("15"), GridCell("7", 2)],
    ]

    assert spread(rows) == [
        ["Place", "2024", "2024", "2025", "2025"],
        ["Lyon", "1.200", "(30)", "", "12,5-"],
        ["Wien", "", "15", "7", ""],
    ]


def test_a_title_over_the_whole_table_is_written_once() -> None:
    rows = [
        [GridCell("Umsatz in Mio.", 3)],
        [GridCell("A"), GridCell("B"), GridCell("C")],
        [GridCell("1")] * 3,
    ]

    assert spread(rows)[0] == ["Umsatz in Mio.", "", ""]


@pytest.mark.parametrize(
    ("before", "raised", "line"),
    [
        ("5 × 10", "6", "5 × 10⁶"),
        ("10", "−3", "10⁻³"),
        ("25 m", "2", "25 m²"),
        ("x", "2", "x²"),
        ("(a + b)", "2", "(a + b)²"),
        ("24.91", "2", "24.91 ²"),
        ("1.234,5", "1,2", "1.234,5 ¹,²"),
        ("Umsatz", "1", "Umsatz ¹"),
        ("2023 ", "1", "2023 ¹"),
        ("1", "er", "1er"),
        ("12", "h", "12h"),
        ("519.562", "a", "519.562 a"),
        ("1 250", "e", "1 250 e"),
        ("12", "b, c", "12 b, c"),
        ("10", "n", "10ⁿ"),
        ("Wert", "*", "Wert*"),
        ("e", "x+1", "e^(x+1)"),
    ],
)
def test_a_raised_text_is_an_exponent_a_mark_or_the_end_of_a_word(
    before: str, raised: str, line: str
) -> None:
    assert before + superscript(raised, before) == line


def test_lowered_figures_are_lowered_and_letters_stay() -> None:
    assert f"H{subscript('2')}O, V{subscript('max')}" == "H₂O, Vmax"


M = "http://schemas.openxmlformats.org/officeDocument/2006/math"


@pytest.mark.parametrize(
    ("inside", "text"),
    [
        ("<f><num>{mλ}</num><den>{a}</den></f>", "mλ/a"),
        ("<f><num>{a+b}</num><den>{2a}</den></f>", "(a+b)/(2a)"),
        ("<sSup><e>{10}</e><sup>{-6}</sup></sSup>", "10⁻⁶"),
        ("<sSup><e>{a+b}</e><sup>{k}</sup></sSup>", "(a+b)^k"),
        ("<sSub><e>{x}</e><sub>{12}</sub></sSub>", "x₁₂"),
        ("<rad><deg/><e>{x+1}</e></rad>", "√(x+1)"),
        ("<rad><deg>{3}</deg><e>{8}</e></rad>", "³√8"),
        (
            '<nary><naryPr><chr val="∑"/></naryPr><sub>{i=1}</sub><sup>{n}</sup><e>{i}</e></nary>',
            "∑_(i = 1)^n i",
        ),
        ("<func><fName>{sin}</fName><e>{θ}</e></func>", "sin θ"),
        ('<d><dPr><begChr val="["/><endChr val="]"/></dPr><e>{1}</e><e>{2}</e></d>', "[1|2]"),
    ],
)
def test_a_formula_of_an_office_file_stays_readable_in_one_line(inside: str, text: str) -> None:
    marked = inside.replace("{", "<r><t>").replace("}", "</t></r>")
    marked = marked.replace('val="', 'm:val="')
    tags = marked.replace("</", "<\0").replace("<", "<m:").replace("<m:\0", "</m:")
    node = etree.fromstring(f'<m:oMath xmlns:m="{M}">{tags}</m:oMath>')

    assert linear(node) == text


def test_a_formula_on_a_page_stays_readable_in_one_line(pool: ParserPool, tmp_path: Path) -> None:
    formula = (
        "<math><mi>x</mi><mo>=</mo><mfrac><mrow><mo>-</mo><mi>b</mi><mo>±</mo><msqrt><msup><mi>b"
        "</mi><mn>2</mn></msup><mo>-</mo><mn>4</mn><mi>a</mi><mi>c</mi></msqrt></mrow><mrow>"
        "<mn>2</mn><mi>a</mi></mrow></mfrac></math>"
    )
    path = tmp_path / "a.html"
    path.write_text(f"<p>Es gilt {formula} für alle a.</p>", encoding="utf-8")

    found = pool.parse(path, name="a.html")

    assert found.pages[0].text == "Es gilt x = (-b±√(b²-4ac))/(2a) für alle a."
    assert mathml(etree.fromstring(formula)) == "x = (-b±√(b²-4ac))/(2a)"


def test_a_formula_in_an_opendocument_text_stands_in_its_sentence(
    pool: ParserPool, tmp_path: Path
) -> None:
    path = converted(word(tmp_path / "a.docx"), "odt")
    inline = (
        '<text:p>Also <draw:frame><draw:object><math xmlns="http://www.w3.org/1998/Math/MathML">'
        "<mfrac><mn>1</mn><mn>2</mn></mfrac></math></draw:object></draw:frame> davon.</text:p>"
    )
    changed = tmp_path / "b.odt"
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(changed, "w") as target:
        for member in source.namelist():
            data = source.read(member)
            if member == "content.xml":
                data = data.replace(b"</office:text>", inline.encode() + b"</office:text>")
            target.writestr(member, data)

    found = pool.parse(changed, name="b.odt")

    assert "Also 1/2 davon." in found.pages[0].text


def test_a_formula_on_a_slide_stays_readable(pool: ParserPool, tmp_path: Path) -> None:
    path, changed = slides(tmp_path / "a.pptx"), tmp_path / "b.pptx"
    drawing = "http://schemas.openxmlformats.org/drawingml/2006/main"
    formula = (
        f'<a:p xmlns:a="{drawing}"><a:r><a:t>Also </a:t></a:r><m:oMath xmlns:m="{M}"><m:f><m:num>'
        "<m:r><m:t>1</m:t></m:r></m:num><m:den><m:r><m:t>2</m:t></m:r></m:den></m:f></m:oMath></a:p>"
    )
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(changed, "w") as target:
        for member in source.namelist():
            data = source.read(member)
            if member == "ppt/slides/slide1.xml":
                data = data.replace(b"</p:txBody>", formula.encode() + b"</p:txBody>", 1)
            target.writestr(member, data)

    found = pool.parse(changed, name="b.pptx")

    assert "Also 1/2" in found.pages[0].text


BOXES = ["☒ Einwilligung erteilt", "☐ Newsletter"]
FIELD = (
    '<w:r><w:fldChar w:fldCharType="begin"><w:ffData><w:checkBox>{}</w:checkBox></w:ffData>'
    "</w:fldChar></w:r><w:r><w:instrText> FORMCHECKBOX </w:instrText></w:r><w:r><w:fldChar w:fld"
    'CharType="end"/></w:r><w:r><w:t xml:space="preserve"> {}</w:t></w:r>'
)


def form(path: Path) -> Path:
    """A Word form with two check boxes: one is ticked by its user, one by nobody."""
    plain = path.with_name("plain.docx")
    docx.Document().save(str(plain))
    fields = (
        FIELD.format('<w:default w:val="0"/><w:checked/>', "Einwilligung erteilt"),
        FIELD.format('<w:default w:val="0"/>', "Newsletter"),
    )
    body = "".join(f"<w:p>{field}</w:p>" for field in fields)
    with zipfile.ZipFile(plain) as source, zipfile.ZipFile(path, "w") as target:
        for member in source.namelist():
            data = source.read(member)
            if member == "word/document.xml":
                data = data.replace(b"<w:body>", b"<w:body>" + body.encode())
            target.writestr(member, data)
    return path


@pytest.mark.parametrize("kind", ["docx", "odt", "doc"])
def test_check_boxes_of_a_form_keep_their_state(
    pool: ParserPool, tmp_path: Path, kind: str
) -> None:
    path = form(tmp_path / "form.docx")
    path = path if kind == "docx" else converted(path, kind)

    found = pool.parse(path, name=path.name)

    assert [p for p in of_kind(found, ElementKind.PARAGRAPH) if p.strip()] == BOXES


def test_check_boxes_of_a_form_in_rtf_keep_their_state(pool: ParserPool, tmp_path: Path) -> None:
    made = r"{{\*\fldinst {{ FORMCHECKBOX {{\*\formfield{{\fftype1{}}}}}}}}}"
    field = rf"{{{{\field{made}{{{{\fldrslt }}}}}}}} {{}}\par"
    lines = (
        field.format(
            r"\ffres25\ffdefres1", "Einwilligung erteilt"
        ),  # nobody changed what it began as
        field.format(r"\ffres0\ffdefres1", "Newsletter"),
    )
    path = tmp_path / "a.rtf"
    path.write_text(r"{\rtf1\ansi " + "".join(lines) + "}", encoding="ascii")

    found = pool.parse(path, name="a.rtf")

    assert of_kind(found, ElementKind.PARAGRAPH) == BOXES


def test_check_boxes_and_lists_of_a_page_keep_their_state(pool: ParserPool, tmp_path: Path) -> None:
    path = tmp_path / "a.html"
    path.write_text(
        "<p><input type=checkbox checked> Einwilligung erteilt</p><p><input type=checkbox>"
        "Newsletter</p><p>Land: <select><option>Frankreich<option selected>Italien</select></p>"
        '<p><font face="Wingdings">þ</font> geprüft</p>',
        encoding="utf-8",
    )

    found = pool.parse(path, name="a.html")

    said = of_kind(found, ElementKind.PARAGRAPH)
    assert said == [*BOXES, "Land: Italien", "☒ geprüft"]


def test_a_letter_in_a_font_of_signs_is_the_sign(pool: ParserPool, tmp_path: Path) -> None:
    document = docx.Document()
    for letter, said in (("þ", " Einwilligung erteilt"), ("\uf0a8", " Newsletter")):
        paragraph = document.add_paragraph()
        paragraph.add_run(letter).font.name = "Wingdings"
        paragraph.add_run(said)
    document.save(str(tmp_path / "a.docx"))

    found = pool.parse(tmp_path / "a.docx", name="a.docx")

    assert of_kind(found, ElementKind.PARAGRAPH) == BOXES
