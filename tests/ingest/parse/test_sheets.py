"""A spreadsheet is stored as it is shown: formats, hidden parts, unsaved formulas."""

import datetime as dt
import subprocess
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path

import openpyxl
import pytest

from ingest.parse.office.number_format import shown
from ingest.parse.process.pool import ParserPool
from sovereign_rag.domain import ElementKind
from sovereign_rag.errors import DocumentError
from tests.parsed import of_kind

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning:openpyxl.*")

SHOWN = (
    ("Skonto", 0.025, "0.0%", "2.5%"),
    ("Betrag", 1234.5, '#,##0.00 "€"', "1,234.50 €"),
    ("Gültig ab", dt.date(2026, 3, 15), "DD.MM.YYYY", "15.03.2026"),
    ("Beginn", dt.datetime(2026, 3, 15, 14, 5), "hh:mm", "14:05"),
    ("Dauer", dt.timedelta(hours=36), "[h]:mm", "36:00"),
    ("Konto", 4711, "000000000", "000004711"),
    ("Minus", -500, "#,##0;(#,##0)", "(500)"),
    ("Messwert", 8.200000000000001, "General", "8.2"),
)


def workbook(path: Path, change: Callable[[openpyxl.Workbook], None] = lambda _: None) -> Path:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    for number, (label, value, code, _) in enumerate(SHOWN, start=1):
        sheet.cell(number, 1, label)
        sheet.cell(number, 2, value).number_format = code
    change(book)
    book.save(path)
    return path


def saved_as(kind: str, path: Path) -> Path:
    """The same workbook as LibreOffice saves it, with its formulas computed."""
    out = path.with_name("saved")
    profile = f"-env:UserInstallation=file://{path.parent}/profile"
    where = ("--outdir", str(out), str(path))
    subprocess.run(
        ["soffice", "--headless", profile, "--convert-to", kind, *where],
        check=True,
        capture_output=True,
    )
    return out / f"{path.stem}.{kind}"


@pytest.mark.parametrize("kind", ["xlsx", "xls", "ods"])
def test_cells_are_stored_as_their_sheet_shows_them(
    pool: ParserPool, tmp_path: Path, kind: str
) -> None:
    def add_formulas(book: openpyxl.Workbook) -> None:
        sheet = book.worksheets[0]
        sheet["A9"], sheet["B9"] = "Summe", "=B2*2"
        sheet["B9"].number_format = "0.00"
        sheet["A10"], sheet["B10"] = "Quote", "=1/0"

    path = saved_as(kind, workbook(tmp_path / "tarife.xlsx", add_formulas))

    found = pool.parse(path, name=path.name)

    lines = [f"{label} | {text}" for label, _, _, text in SHOWN]
    assert found.pages[0].text.split("\n") == [*lines, "Summe | 2469.00", "Quote | #DIV/0!"]
    assert found.warnings == ()


@pytest.mark.parametrize("kind", ["xlsx", "xls", "ods"])
def test_hidden_columns_and_rows_stay_apart(pool: ParserPool, tmp_path: Path, kind: str) -> None:
    def hide(book: openpyxl.Workbook) -> None:
        sheet = book.worksheets[0]
        sheet["C2"] = "Einkaufspreis 700"
        sheet["D2"] = "sichtbar"
        sheet.column_dimensions["C"].hidden = True
        sheet.row_dimensions[6].hidden = True

    path = saved_as(kind, workbook(tmp_path / "tarife.xlsx", hide))

    found = pool.parse(path, name=path.name)

    (table,) = of_kind(found, ElementKind.TABLE)
    (hidden,) = of_kind(found, ElementKind.HIDDEN)
    assert "Einkaufspreis" not in table
    assert "000004711" not in table
    assert "sichtbar" in table
    assert hidden.split("\n") == ["Einkaufspreis 700", "Konto | 000004711"]


def test_a_formula_without_a_saved_value_is_a_warning_with_its_cell_and_one_with_is_not(
    pool: ParserPool, tmp_path: Path
) -> None:
    def total(book: openpyxl.Workbook) -> None:
        sheet = book.worksheets[0]
        sheet.title = "Tarife"
        sheet["A9"], sheet["B9"] = "Summe", "=SUM(B1:B2)"

    unsaved = workbook(tmp_path / "a.xlsx", total)
    saved = saved_as("xlsx", unsaved)

    warned, fine = (pool.parse(path, name="a.xlsx") for path in (unsaved, saved))

    assert [w for w in warned.warnings if "'Tarife'" in w and "B9" in w] == list(warned.warnings)
    assert len(warned.warnings) == 1
    assert fine.warnings == ()


@pytest.mark.parametrize("formula", ["=SUM(B1:B2)", '=IF(B1>0,"ja","nein")', "=TODAY()", "={1,2}"])
def test_whatever_a_formula_without_a_saved_value_counts_its_cell_is_named(
    pool: ParserPool, tmp_path: Path, formula: str
) -> None:
    def total(book: openpyxl.Workbook) -> None:
        book.create_sheet("Zweites")["C3"] = formula

    path = workbook(tmp_path / "a.xlsx", total)

    (warning,) = pool.parse(path, name="a.xlsx").warnings

    assert "'Zweites'" in warning
    assert "C3" in warning


def test_a_header_over_several_columns_stands_over_each_of_them(
    pool: ParserPool, tmp_path: Path
) -> None:
    rows: Sequence[Sequence[object]] = (
        ("Standort", 2023, None, 2024, None),
        (None, "Umsatz", "Gewinn", "Umsatz", "Gewinn"),
        ("Lyon", 120, 14, 135, 21),
    )

    def merge(book: openpyxl.Workbook) -> None:
        sheet = book.create_sheet("Merged", 0)
        for row in rows:
            sheet.append(row)
        for span in ("A1:A2", "B1:C1", "D1:E1"):
            sheet.merge_cells(span)

    path = workbook(tmp_path / "a.xlsx", merge)

    found = pool.parse(path, name="a.xlsx")

    assert found.pages[0].text.split("\n") == [
        "Standort | 2023 | 2023 | 2024 | 2024",
        "Standort | Umsatz | Gewinn | Umsatz | Gewinn",
        "Lyon | 120 | 14 | 135 | 21",
    ]


def test_a_check_box_on_a_sheet_keeps_its_state(pool: ParserPool, tmp_path: Path) -> None:
    plain, path = workbook(tmp_path / "plain.xlsx"), tmp_path / "a.xlsx"
    control = (
        '<xml xmlns:v="urn:schemas-microsoft-com:vml" xmlns:x="urn:schemas-microsoft-com:office:'
        'excel">{}</xml>'
    )
    box = (
        "<v:shape><v:textbox><div><font>{}</font></div></v:textbox>"
        '<x:ClientData ObjectType="Checkbox">{}</x:ClientData></v:shape>'
    )
    drawn = box.format("Einwilligung", "<x:Checked>1</x:Checked>") + box.format("Newsletter", "")
    relation = (
        '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        '<Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/'
        'relationships/vmlDrawing" Target="../drawings/vml1.vml"/></Relationships>'
    )
    with zipfile.ZipFile(plain) as source, zipfile.ZipFile(path, "w") as target:
        for member in source.namelist():
            target.writestr(member, source.read(member))
        target.writestr("xl/drawings/vml1.vml", control.format(drawn))
        target.writestr("xl/worksheets/_rels/sheet1.xml.rels", relation)

    found = pool.parse(path, name="a.xlsx")

    assert of_kind(found, ElementKind.PARAGRAPH) == ["☒ Einwilligung", "☐ Newsletter"]


@pytest.mark.parametrize(
    ("value", "code", "text"),
    [
        (46096, "[$-407]dddd, d. mmmm yyyy", "Sonntag, 15. März 2026"),
        (46096, "[$-40C]d mmmm yyyy;@", "15 mars 2026"),
        (46096, "mmm-yy", "Mar-26"),
        (46096.604, "h:mm AM/PM", "2:29 PM"),
        (44927.99999999, "dd.mm.yyyy hh:mm", "02.01.2023 00:00"),
        (0.0007, "mm:ss.0", "01:00.5"),
        (-3.5, '_-* #,##0.00\\ "€"_-;\\-* #,##0.00\\ "€"_-;_-* "-"??\\ "€"_-;_-@_-', "-3.50 €"),
        (0, '_-* #,##0.00\\ "€"_-;\\-* #,##0.00\\ "€"_-;_-* "-"??\\ "€"_-;_-@_-', "- €"),
        (1234, "[$CHF-807] #,##0.00", "CHF 1,234.00"),
        (1234567, '0.0,,"M"', "1.2M"),
        (1.005, "0.00", "1.01"),
        (0.5, "#.##", ".5"),
        (2.25, "# ??/??", "2 1/4"),
        (0.5, "# ?/?", "1/2"),
        (12345.678, "##0.0E+0", "12.3E+3"),
        (123456789, "000-00-0000", "123-45-6789"),
        (75, '[>=70]"pass";"fail"', "pass"),
        (12, '[>=70]"pass";"fail"', "fail"),
        (0, "0;-0;;@", ""),
        ("7b", '"Nr. "@', "Nr. 7b"),
        (-0.001, "0.00", "0.00"),
    ],
)
def test_a_number_format_shows_what_a_spreadsheet_program_shows(
    value: float | str, code: str, text: str
) -> None:
    assert shown(value, code) == text


@pytest.mark.parametrize("kind", ["text", "spreadsheet", "presentation"])
def test_a_locked_opendocument_file_is_said_to_have_a_password(
    pool: ParserPool, tmp_path: Path, kind: str
) -> None:
    path = tmp_path / "locked"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("mimetype", f"application/vnd.oasis.opendocument.{kind}")
        file.writestr("content.xml", b"\x8f\x01 no XML but its cipher text")
        file.writestr("META-INF/manifest.xml", "<m><manifest:encryption-data/></m>")

    with pytest.raises(DocumentError) as refusal:
        pool.parse(path, name="locked")

    assert refusal.value.reason == "encrypted"
    assert "Save it without one" in str(refusal.value)
