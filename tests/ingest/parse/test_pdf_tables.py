"""Tables of PDFs: what is stored in a cell is what stands in it on the page, and nothing else."""

import itertools
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from ingest.parse.process.pool import ParserPool
from sovereign_rag.domain import ElementKind
from tests.ingest.parse.pages import of_kind, shown, write_pdf

_WIDTHS = {".": 278, ",": 278, " ": 278, "-": 333, "(": 333, ")": 333, "%": 889, "+": 584}
_COLUMN, _LABELS, _TOP = 78, 96, 540
_TURNED_ON_PAGE = "q 0 1 -1 0 570 0 cm {} Q"  # against the clock: the text runs up the page


def _width(text: str, size: float) -> float:
    return sum(_WIDTHS.get(character, 556) for character in text) * size / 1000


@dataclass(frozen=True)
class _Drawn:
    """How a table is drawn."""

    order: str  # "rows", "columns", "mixed"
    turn: str  # "", "page", "text"
    ruled: bool
    size: float


def _number(chance: random.Random) -> str:
    """A figure as tables have them; few digits, so that neighbours look alike."""
    whole = chance.choice(["0", "1", "2", "10", "26", "102", "260"])
    forms = (
        whole,
        f"{whole}.{chance.choice(['0', '2', '06', '26'])}",
        f"-{whole}.{chance.choice(['02', '6'])}",
        f"{chance.choice('126')},{whole.zfill(3)}",
        f"{whole}%",
        f"({whole})",
        f"${whole}.{chance.choice(['10', '26'])}",
    )
    return chance.choice(forms)


def _rows(chance: random.Random) -> list[list[str]]:
    names = ["Lyon", "Bern", "Wien", "Bonn", "Metz", "Graz", "Nancy", "Lille", "Mainz"]
    rows = [["Place", "Result", "Rate", "Margin"]]
    for name in names:
        cells = [_number(chance) for _ in range(3)]
        if chance.random() < 0.2:
            cells[chance.randrange(3)] = ""
        rows.append([name, *cells])
    return rows


def _content(rows: Sequence[Sequence[str]], how: _Drawn, chance: random.Random) -> str:
    """The content stream of a table: labels at the left, figures flush right."""
    step = 1.6 * how.size
    cells = []
    for (row, line), column in itertools.product(enumerate(rows), range(len(rows[0]))):
        if text := line[column]:
            right = 30 + _LABELS + column * _COLUMN
            x = 30 if column == 0 else right - _width(text, how.size)
            cells.append((column, row, shown(text, x=x, y=_TOP - row * step, size=how.size)))
    if how.order == "columns":
        cells.sort(key=lambda cell: cell[:2])
    elif how.order == "mixed":
        chance.shuffle(cells)
    drawn = [text for *_, text in cells]
    if how.ruled:
        last = 30 + _LABELS + (len(rows[0]) - 1) * _COLUMN + 4
        for row in range(len(rows) + 1):
            y = _TOP + how.size - row * step + 0.1 * how.size
            drawn.append(f"0.5 w 26 {y:g} m {last:g} {y:g} l S")
        top, bottom = _TOP + 1.1 * how.size, _TOP + 1.1 * how.size - len(rows) * step
        for column in range(len(rows[0])):
            x = 30 + _LABELS + column * _COLUMN + 4
            drawn.append(f"0.5 w {x:g} {bottom:g} m {x:g} {top:g} l S")
        drawn.append(f"0.5 w 26 {bottom:g} m 26 {top:g} l S")
    return " ".join(drawn)


_VARIANTS = [
    _Drawn(order, turn, ruled, size)
    for order, turn, ruled, size in itertools.product(
        ("rows", "columns", "mixed"), ("", "page", "text"), (False, True), (7.0, 10.0)
    )
]


@pytest.mark.parametrize("how", _VARIANTS, ids=str)
def test_random_figures_stand_in_the_cells_they_were_drawn_in(
    pool: ParserPool, tmp_path: Path, how: _Drawn
) -> None:
    chance = random.Random(str(how))
    rows = _rows(chance)
    content = _content(rows, how, chance)
    if how.turn == "text":
        content = _TURNED_ON_PAGE.format(content)
    path = write_pdf(
        tmp_path / "a.pdf", [content], page_extra="/Rotate 90" if how.turn == "page" else ""
    )

    found = pool.parse(path, name="a.pdf")

    lines = "\n".join(of_kind(found, ElementKind.TABLE)).split("\n")
    assert [[cell.strip() for cell in line.split("|")] for line in lines] == rows
    assert found.warnings == ()


def test_every_word_of_a_table_has_its_place(pool: ParserPool, tmp_path: Path) -> None:
    rows = [["Place", "Rate"], ["Lyon", "0.06"], ["Bern", "-0.06"], ["Wien", "2.6"], ["Bonn", "26"]]
    how = _Drawn("columns", "", False, 10.0)
    path = write_pdf(tmp_path / "a.pdf", [_content(rows, how, random.Random(1))])

    page = pool.parse(path, name="a.pdf").pages[0]

    tops = {page.text[word.start : word.end]: word.box.top for word in page.words}
    for label, figure in rows:
        assert tops[label] == pytest.approx(tops[figure], abs=0.002)


# -- rows ----------------------------------------------------------------------------------------


def test_a_label_over_two_lines_is_one_row_with_its_figures(
    pool: ParserPool, tmp_path: Path
) -> None:
    drawn = []
    for row, figure in enumerate(("11", "12", "13", "14")):
        y = 500 - 30 * row
        drawn.append(shown(f"Number {row} of the places", y=y, size=9))
        drawn.append(shown("that report every year", x=46, y=y - 10, size=9))
        drawn += [shown(figure, x=250, y=y, size=9), shown(f"{figure}%", x=320, y=y, size=9)]
    path = write_pdf(tmp_path / "a.pdf", [" ".join(drawn)])

    lines = of_kind(pool.parse(path, name="a.pdf"), ElementKind.TABLE)[0].split("\n")

    assert lines[1] == "Number 1 of the places that report every year | 12 | 12%"
    assert len(lines) == 4


def test_a_heading_over_two_columns_stands_over_each(pool: ParserPool, tmp_path: Path) -> None:
    drawn = [shown("First half", x=190, y=520, size=9), shown("Second half", x=304, y=520, size=9)]
    for row in range(5):
        y = 500 - 14 * row
        drawn.append(shown(f"Place {'abcde'[row]}", y=y, size=9))
        drawn += [
            shown(f"{row}{column}.5", x=170 + 60 * column, y=y, size=9) for column in range(4)
        ]
    path = write_pdf(tmp_path / "a.pdf", [" ".join(drawn)])

    first = of_kind(pool.parse(path, name="a.pdf"), ElementKind.TABLE)[0].split("\n")[0]

    cells = [cell.strip() for cell in first.split("|")]
    assert cells == ["", "First half", "First half", "Second half", "Second half"]


def test_a_label_keeps_its_value_on_its_line(pool: ParserPool, tmp_path: Path) -> None:
    pairs = [
        ("Invoice date", "16/11/2025"),
        ("Terms of payment", "at once"),
        ("Due date", "30/11/2025"),
        ("Your reference", "PO445"),
    ]
    labels = [shown(label, y=500 - 18 * k, size=9) for k, (label, _) in enumerate(pairs)]
    values = [shown(value, x=180, y=500 - 18 * k, size=9) for k, (_, value) in enumerate(pairs)]
    path = write_pdf(tmp_path / "a.pdf", [" ".join(labels + values)])

    text = pool.parse(path, name="a.pdf").pages[0].text

    for label, value in pairs:
        assert f"{label} | {value}" in text


def test_a_form_keeps_its_lines_whatever_stands_beside_it(pool: ParserPool, tmp_path: Path) -> None:
    pairs = [("Date de facture", "16/11/2025"), ("Conditions", "comptant"), ("Commande", "PO445")]
    pairs += [("Facture liée", "FA-2025-0010"), ("N° TVA client", "FR19787878784")]
    beside = ["Contact commercial", "Tony Dubois", "Atelier", "tony@moulin.example"]
    drawn = [shown(label, y=480 - 18 * n, size=9) for n, (label, _) in enumerate(pairs)]
    drawn += [shown(value, x=150, y=480 - 18 * n, size=9) for n, (_, value) in enumerate(pairs)]
    drawn += [shown(text, x=280, y=478 - 13 * n, size=9) for n, text in enumerate(beside)]
    drawn.append(shown("35 rue de la République", y=495, size=9))
    path = write_pdf(tmp_path / "a.pdf", [" ".join(drawn)])

    text = pool.parse(path, name="a.pdf").pages[0].text

    for label, value in pairs:
        assert f"{label} | {value}\n" in f"{text}\n"


def test_boxes_side_by_side_are_read_one_after_the_other(pool: ParserPool, tmp_path: Path) -> None:
    drawn = []
    for side, name in enumerate(("Seller", "Buyer")):
        for row in range(6):
            y = 500 - 13 * row - 5 * side
            drawn.append(shown(f"{name} {row} Street", x=42 + 190 * side, y=y, size=9))
            drawn.append(shown(f"{row}.{side}5", x=150 + 190 * side, y=y, size=9))
    path = write_pdf(tmp_path / "a.pdf", [" ".join(drawn)])

    text = pool.parse(path, name="a.pdf").pages[0].text

    assert text.index("Seller 5 Street") < text.index("Buyer 0 Street")
    assert "Seller 3 Street | 3.05" in text


@pytest.mark.parametrize(
    "places",  # (x, y of the first line, height of a line) of each box, in points
    [
        [(40, 500, 11.5), (240, 506.5, 12.6)],
        [(30, 500, 11.5), (160, 505, 12.6), (300, 498, 13)],
        [(30, 500, 12.5), (160, 494, 12.5), (290, 499, 11.5)],
    ],
    ids=["two", "three", "three again"],
)
def test_addresses_side_by_side_do_not_interleave(
    pool: ParserPool, tmp_path: Path, places: Sequence[tuple[float, float, float]]
) -> None:
    addresses = [
        ["Ma jolie boutique", "35 rue de la République", "69001 Lyon", "France"],
        ["Moulin du Pont SARL", "1242 chemin de l'olive", "84340 Malaucène", "Vaucluse"],
        ["Contact commercial", "Tony Dubois", "Bureau 12, aile nord"],
    ][: len(places)]
    drawn = [
        shown(address[row], x=x, y=y - step * row, size=9)
        for row in range(4)
        for address, (x, y, step) in zip(addresses, places, strict=True)
        if row < len(address)
    ]
    drawn.append(shown("La livraison se fait franco de port à l'adresse ci-dessus.", y=420))
    path = write_pdf(tmp_path / "a.pdf", [" ".join(drawn)])

    text = pool.parse(path, name="a.pdf").pages[0].text

    one_after_the_other = " ".join(line for address in addresses for line in address)
    assert " ".join(text.split()).startswith(one_after_the_other)


def _drawn(rows: Sequence[Sequence[str]], columns: Sequence[float], *, step: float = 14) -> str:
    """Cells at their columns' left edges, row by row; "" draws nothing."""
    return " ".join(
        shown(text, x=x, y=520 - step * number, size=9)
        for number, row in enumerate(rows)
        for x, text in zip(columns, row, strict=True)
        if text
    )


@pytest.mark.parametrize("leader", [" . . . . . . . . . .", "..............."])
def test_dots_that_lead_to_a_figure_are_no_part_of_the_label(
    pool: ParserPool, tmp_path: Path, leader: str
) -> None:
    labels = ["Net sales", "Cost of goods", "Profit", "Tax", "Net earnings"]
    rows = [[f"{label}{leader}", f"{n}4.1", f"(1{n}.5)"] for n, label in enumerate(labels)]
    path = write_pdf(tmp_path / "a.pdf", [_drawn(rows, (42, 220, 300))])

    lines = of_kind(pool.parse(path, name="a.pdf"), ElementKind.TABLE)[0].split("\n")

    assert lines == [f"{label} | {n}4.1 | (1{n}.5)" for n, label in enumerate(labels)]


def test_a_currency_that_stands_apart_is_in_the_cell_of_its_amount(
    pool: ParserPool, tmp_path: Path
) -> None:
    rows = [[name, "", f"{n}0.5", "", f"{n}2.5"] for n, name in enumerate("abcde", start=1)]
    rows[0][1] = rows[0][3] = rows[4][1] = rows[4][3] = "$"
    path = write_pdf(tmp_path / "a.pdf", [_drawn(rows, (42, 180, 205, 260, 285))])

    lines = of_kind(pool.parse(path, name="a.pdf"), ElementKind.TABLE)[0].split("\n")

    assert lines[0] == "a | $ 10.5 | $ 12.5"
    assert lines[1] == "b | 20.5 | 22.5"


@pytest.mark.parametrize("raised", [0, 5, 10])
def test_a_label_over_two_lines_has_its_figures_at_any_height(
    pool: ParserPool, tmp_path: Path, raised: int
) -> None:
    drawn = []
    for number, second in enumerate(("Gemeinden", "Kreise", "Bezirke", "Verbände")):
        y = 500 - 26 * number
        drawn.append(shown("Erstattungen an", y=y, size=9) + shown(second, y=y - 10, size=9))
        drawn.append(shown(f"{number}1,5", x=200, y=y - 10 + raised, size=9))
        drawn.append(shown(f"{number}2,5", x=280, y=y - 10 + raised, size=9))
    path = write_pdf(tmp_path / "a.pdf", [" ".join(drawn)])

    lines = of_kind(pool.parse(path, name="a.pdf"), ElementKind.TABLE)[0].split("\n")

    assert lines[1] == "Erstattungen an Kreise | 11,5 | 12,5"


def test_a_cell_between_rules_holds_a_telephone_number_whole(
    pool: ParserPool, tmp_path: Path
) -> None:
    rows = [["Office", "Telephone", "Room"]]
    rows += [[f"Office {n}", f"0421 361-20{n}5", f"{n}.14"] for n in range(5)]
    rules = " ".join(f"0.5 w {x} 440 m {x} 532 l S" for x in (38, 140, 260, 330))
    rules += " ".join(f" 0.5 w 38 {532 - 14 * n} m 330 {532 - 14 * n} l S" for n in range(7))
    path = write_pdf(tmp_path / "a.pdf", [_drawn(rows, (42, 146, 266)) + rules])

    lines = of_kind(pool.parse(path, name="a.pdf"), ElementKind.TABLE)[0].split("\n")

    assert lines == [" | ".join(row) for row in rows]


def test_a_list_that_is_folded_into_two_halves_is_read_one_after_the_other(
    pool: ParserPool, tmp_path: Path
) -> None:
    months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
    rows = [["Month", "Rate", "Month", "Rate"]]
    rows += [[months[n], f"{n}.5", months[n + 6], f"{n + 6}.5"] for n in range(6)]
    path = write_pdf(tmp_path / "a.pdf", [_drawn(rows, (42, 110, 220, 290))])

    text = pool.parse(path, name="a.pdf").pages[0].text

    assert [line for line in text.split("\n") if line] == [
        *("Month | Rate", *(f"{months[n]} | {n}.5" for n in range(6))),
        *("Month | Rate", *(f"{months[n]} | {n}.5" for n in range(6, 12))),
    ]


# -- marks ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "raised", "after", "stored"),
    [
        ("5 x 10", "6", " units", "5 x 10⁶ units"),
        ("25 m", "2", " dry", "25 m² dry"),
        ("24.91", "2", " million", "24.91² million"),
        ("Sales", "12", ", net", "Sales¹², net"),
        ("24.91", "", "2 million", "24.912 million"),
    ],
)
def test_raised_figures_do_not_become_digits_of_the_number_before(
    pool: ParserPool, tmp_path: Path, before: str, raised: str, after: str, stored: str
) -> None:
    at = 42 + _width(before, 12)
    behind = at + _width(raised, 7)
    drawn = shown(before, y=500) + shown(raised, x=at, y=505, size=7)
    path = write_pdf(tmp_path / "a.pdf", [drawn + shown(after, x=behind, y=500)])

    found = pool.parse(path, name="a.pdf")

    assert found.pages[0].text == stored
    assert found.warnings == ()


def test_a_raised_letter_stands_apart_from_its_number_and_not_from_an_ordinal(
    pool: ParserPool, tmp_path: Path
) -> None:
    drawn = [
        shown(said, y=y) + shown(mark, x=42 + _width(said, 12), y=y + 5, size=7)
        for said, mark, y in (("519.562", "a", 500), ("519.562", "a,b", 460), ("1", "er", 420))
    ]
    found = pool.parse(write_pdf(tmp_path / "a.pdf", [" ".join(drawn)]), name="a.pdf")

    assert found.pages[0].text.split("\n\n") == ["519.562 a", "519.562 a,b", "1er"]


def test_a_mark_that_the_file_draws_before_its_word_stands_behind_it(
    pool: ParserPool, tmp_path: Path
) -> None:
    mark = shown("4", x=92.7, y=497, size=7)  # where the word ends
    rest = shown("has less", x=130, y=500)
    path = write_pdf(tmp_path / "a.pdf", [mark + shown("(and PPF", y=500) + rest])

    found = pool.parse(path, name="a.pdf")

    assert found.pages[0].text == "(and PPF4 has less"
    assert found.warnings == ()


def test_several_marks_stand_behind_their_word_each(pool: ParserPool, tmp_path: Path) -> None:
    drawn = [shown("24.91", y=500), shown("181", x=200, y=500), shown("Total costs", y=470)]
    at = 42 + _width("24.91", 12)
    drawn[1:1] = [shown(mark, x=at + 7 * n, y=505, size=7) for n, mark in enumerate("256")]
    path = write_pdf(tmp_path / "a.pdf", [" ".join(drawn)])

    text = pool.parse(path, name="a.pdf").pages[0].text

    assert "24.91 ² ⁵ ⁶" in text
    assert "181" in text
