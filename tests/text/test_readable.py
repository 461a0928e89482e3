"""A quote is shown without the marks that its file has for its own ends."""

import pytest

from sovereign_rag.text.readable import readable


@pytest.mark.parametrize(
    ("quote", "shown"),
    [
        ("Write to [operations@x.org](mailto:operations@x.org).", "Write to operations@x.org."),
        ("See ![the plan](./plan_(2).png) and [it](https://x.org/a_(b)).", "See the plan and it."),
        ("**Notice** - at least _two_ months", "Notice - at least two months"),
        (
            "Entwickler\\*innen und __befristete__ Stellen",
            "Entwickler*innen und befristete Stellen",
        ),
        ("## Kündigung\nDrei Monate.", "Kündigung\nDrei Monate."),
        ("Telefon: <a href='tel:+49'>089 233</a><br/>", "Telefon: 089 233"),
        ("\uf0b7 passport\n\uf0b7 photograph", "• passport\n• photograph"),
        ("Die Verwal-\ntung zahlt.", "Die Verwaltung zahlt."),
        ("Annual report .......... 12", "Annual report … 12"),
        ("The e\ufb03cient of\ufb01ce", "The efficient office"),
        ("Total(cid:3)(cid:12) 45\u00ad euros", "Total 45 euros"),
    ],
)
def test_marks_are_not_shown(quote: str, shown: str) -> None:
    assert readable(quote) == shown


@pytest.mark.parametrize(
    "quote",
    [
        "a * b * c = 12, snake_case_name, 5 < 6 and 7 > 6",
        "Pay 1,000.00 € (see § 3) by 03.10.2018 …",
        "Nord-\nSüd-Verbindung",  # a capital: the hyphen is the word's
        "Grade 9 - 10 | 6 % | yes",
        "***",
        "x" * 30_000,
    ],
)
def test_what_is_read_stays(quote: str) -> None:
    assert readable(quote) == quote
