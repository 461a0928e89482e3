"""Boxes of letters, invoices and forms: each is read by itself, and a label keeps its value."""

import random
from collections.abc import Sequence
from pathlib import Path

import pytest
from reportlab.lib.pagesizes import A4
from reportlab.pdfgen.canvas import Canvas

from ingest.parse.process.pool import ParserPool

_PEOPLE = ["Ana Weber", "Bo Ek", "Tony Dubois", "Maria Rossi", "John Ward", "Luis Vega"]
_FIRMS = ["Muster GmbH", "Moulin SARL", "Rossi S.p.A.", "Ward Ltd", "Vega S.L.", "Lager Süd"]
_STREETS = ["Hauptstraße 12", "35 rue de la République", "Via Roma 7", "Industrieweg 7", "Calle 4"]
_PLACES = ["50667 Köln", "69001 Lyon", "20121 Milano (MI)", "28013 Madrid", "F-84340 Malaucène"]
_ENDS = ["Deutschland", "Tel. 0221 123-456", "+33 4 72 07 08 56", "office@muster.example"]
_PAIRS = [
    ("Rechnungsnr.:", "R-2026-0815"),
    ("Rechnungsdatum:", "14.09.2026"),
    ("Kundennr.:", "10023"),
    ("Fällig am:", "28.09.2026"),
    ("Betrag:", "-1.234,50 €"),
    ("USt-IdNr.:", "DE123456789"),
]
_BELOW = "Vielen Dank für Ihre Bestellung. Wir berechnen Ihnen wie folgt."


class Drawn:
    """A page of A4 that is written on; heights from above, in points."""

    def __init__(self, path: Path) -> None:
        self._canvas = Canvas(str(path), pagesize=A4)

    def lines(
        self, texts: Sequence[str], x: float, *, top: float = 140, step: float = 12, size: float = 9
    ) -> None:
        self._canvas.setFont("Helvetica", size)
        for number, text in enumerate(texts):
            self._canvas.drawString(x, A4[1] - top - step * number, text)

    def at_right(self, texts: Sequence[str], x: float, *, top: float = 140) -> None:
        self._canvas.setFont("Helvetica", 9)
        for number, text in enumerate(texts):
            self._canvas.drawRightString(x, A4[1] - top - 12 * number, text)

    def frame(self, left: float, top: float, right: float, bottom: float) -> None:
        self._canvas.rect(left, A4[1] - bottom, right - left, bottom - top)

    def save(self) -> None:
        self._canvas.save()


def address(chance: random.Random) -> list[str]:
    """Three to six lines; one with a place."""
    lines = [chance.choice(_FIRMS), chance.choice(_PEOPLE), chance.choice(_STREETS)]
    lines = [*lines[chance.randrange(2) :], chance.choice(_PLACES)]
    return lines + chance.sample(_ENDS, chance.randrange(3))


@pytest.mark.parametrize("seed", range(8))
def test_level_boxes_are_read_one_after_the_other_and_a_label_keeps_its_value(
    pool: ParserPool, tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    boxes = [address(chance) for _ in range(chance.choice([1, 2]))]
    pairs = chance.sample(_PAIRS, 4)
    page = Drawn(tmp_path / "a.pdf")
    for place, box in enumerate(boxes):
        page.lines(box, 50 + 150 * place)
        if chance.random() < 0.4:
            page.frame(45 + 150 * place, 126, 185 + 150 * place, 215)
    labels, values = zip(*pairs, strict=True)
    page.lines(labels, 360)
    if chance.random() < 0.5:
        page.at_right(values, 545)
    else:
        page.lines(values, 465)
    page.lines([_BELOW], 50, top=260)
    page.save()

    text = pool.parse(tmp_path / "a.pdf", name="a.pdf").pages[0].text

    plain = " ".join(text.split())
    for box in boxes:
        assert " ".join(box) in plain
    for label, value in pairs:
        assert f"{label} | {value}\n" in text


def test_three_columns_at_the_foot_of_a_letter_do_not_interleave(
    pool: ParserPool, tmp_path: Path
) -> None:
    columns = [
        ["Muster GmbH", "Hauptstraße 12", "50667 Köln"],
        ["Sparkasse Köln", "IBAN DE12 3456 7890", "BIC COLSDE33"],
        ["Amtsgericht Köln", "HRB 12345", "USt-IdNr. DE123456789"],
    ]
    page = Drawn(tmp_path / "a.pdf")
    page.lines([_BELOW], 50, top=200)
    for number, column in enumerate(columns):
        page.lines(column, 50 + 180 * number, top=780, step=9, size=7)
    page.save()

    text = " ".join(pool.parse(tmp_path / "a.pdf", name="a.pdf").pages[0].text.split())

    for column in columns:
        assert " ".join(column) in text


@pytest.mark.parametrize("apart", [0, 4], ids=["one grid", "frames apart"])
def test_a_box_of_a_form_keeps_what_is_filled_in_with_its_label(
    pool: ParserPool, tmp_path: Path, apart: float
) -> None:
    rows = [
        [("1 Name", "Weber"), ("2 Vorname", "Ana"), ("3 Geburtsdatum", "05.03.1980")],
        [("4 Straße", "Hauptstraße 12"), ("5 PLZ", "50667"), ("6 Ort", "Köln")],
    ]
    page = Drawn(tmp_path / "a.pdf")
    for number, row in enumerate(rows):
        for place, (label, value) in enumerate(row):
            left, top = 50 + 160 * place, 140 + (40 + apart) * number
            page.frame(left - 5, top - 20, left + 155 - apart, top + 20)
            page.lines([label], left, top=top - 8, size=6)
            page.lines([value], left, top=top + 8, size=11)
    page.save()

    text = pool.parse(tmp_path / "a.pdf", name="a.pdf").pages[0].text

    lines = [line for line in text.split("\n") if line]
    assert lines == [" | ".join(f"{label} {value}" for label, value in row) for row in rows]


@pytest.mark.parametrize("marks", ["", ":"])
def test_rows_of_words_alone_stay_rows(pool: ParserPool, tmp_path: Path, marks: str) -> None:
    rows = [
        ("Laufzeit", "zwei Jahre ab Unterschrift"),
        ("Kündigung", "drei Monate zum Quartalsende"),
        ("Gerichtsstand", "Köln"),
        ("Zahlung", "Innerhalb von 30 Tagen netto"),
        ("Lieferung", "Frei Haus"),
        ("Ana Weber", "Einkauf"),
    ]
    page = Drawn(tmp_path / "a.pdf")
    page.lines([f"{label}{marks}" for label, _ in rows], 50)
    page.lines([value for _, value in rows], 180)
    page.save()

    text = pool.parse(tmp_path / "a.pdf", name="a.pdf").pages[0].text

    assert text.split("\n") == [f"{label}{marks} | {value}" for label, value in rows]


def test_running_text_beside_a_table_is_no_part_of_its_rows(
    pool: ParserPool, tmp_path: Path
) -> None:
    figures = [(f"Position {letter}", f"{n}.{n}50") for n, letter in enumerate("ABCDEFGHIJ", 1)]
    words = "Die Beträge lauten auf volle Euro und werden nach kaufmännischer Regel gerundet"
    prose = [f"{words[n : n + 46].strip()} {n}" for n in range(14)]
    page = Drawn(tmp_path / "a.pdf")
    page.lines([label for label, _ in figures], 50, step=14)
    for number, (_, value) in enumerate(figures):
        page.at_right([value], 200, top=140 + 14 * number)
    page.lines(prose, 300, step=9.7, size=8)
    page.save()

    text = pool.parse(tmp_path / "a.pdf", name="a.pdf").pages[0].text

    for label, value in figures:
        assert f"{label} | {value}\n" in f"{text}\n"
    assert " ".join(prose) in " ".join(text.split())


def test_an_item_of_an_invoice_keeps_its_description_over_several_lines_and_its_amounts(
    pool: ParserPool, tmp_path: Path
) -> None:
    page = Drawn(tmp_path / "a.pdf")
    columns = (50, 85, 300, 360, 450)
    for x, text in zip(columns, ("Pos.", "Beschreibung", "Menge", "Preis", "Gesamt"), strict=True):
        page.lines([text], x)
    items = [
        ("1", "Beratung und Einrichtung der Anlage", "12 h", "95,00 €", "1.140,00 €"),
        ("2", "Rabatt 10 % auf Position 1", "", "", "114,00- €"),
        ("3", "Server mit 4 Laufwerken zu", "2 Stk", "2.499,90 €", "4.999,80 €"),
    ]
    for top, item in zip((158, 200, 218), items, strict=True):
        for x, text in zip(columns, item, strict=True):
            page.lines([text], x, top=top)
    page.lines(["einschließlich Anfahrt und Übergabe an", "den Betreiber"], 85, top=170)
    page.lines(["2,5 TB"], 85, top=230)
    page.save()

    text = pool.parse(tmp_path / "a.pdf", name="a.pdf").pages[0].text

    whole = f"{items[0][1]} einschließlich Anfahrt und Übergabe an den Betreiber"
    assert text.split("\n") == [
        "Pos. | Beschreibung | Menge | Preis | Gesamt",
        f"1 | {whole} | 12 h | 95,00 € | 1.140,00 €",
        "2 | Rabatt 10 % auf Position 1 |  |  | 114,00- €",
        "3 | Server mit 4 Laufwerken zu 2,5 TB | 2 Stk | 2.499,90 € | 4.999,80 €",
    ]


def test_an_entry_of_a_bank_statement_is_one_row_with_its_amount(
    pool: ParserPool, tmp_path: Path
) -> None:
    entries = [
        ("02.01.", "Miete Januar", "Hausverwaltung Süd GmbH", "1.250,00-"),
        ("03.01.", "Gehalt", "Muster GmbH", "3.456,78+"),
        ("05.01.", "Kartenzahlung", "Rewe Köln 0815", "45,60-"),
        ("10.01.", "Gutschrift", "Finanzamt", "120,00+"),
    ]
    page = Drawn(tmp_path / "a.pdf")
    for number, (day, what, who, amount) in enumerate(entries):
        top = 140 + 30 * number
        page.lines([day], 50, top=top)
        page.lines([what, who], 120, top=top, step=11)
        page.at_right([amount], 500, top=top)
    page.save()

    text = pool.parse(tmp_path / "a.pdf", name="a.pdf").pages[0].text

    assert text.split("\n") == [f"{day} | {a} {b} | {amount}" for day, a, b, amount in entries]
