"""The house's list of acronyms is searched in both directions."""

from pathlib import Path

import pytest

from sovereign_rag.errors import SettingsError
from sovereign_rag.retrieval.acronyms import Acronyms


@pytest.fixture
def house(tmp_path: Path) -> Acronyms:
    file = tmp_path / "acronyms.txt"
    file.write_text(
        "# of the personnel office\n\nRTT = réduction du temps de travail\n"
        "IT = information technology\nCET = compte épargne-temps ; central European time\n",
        encoding="utf-8",
    )
    return Acronyms.open(file)


@pytest.mark.parametrize(
    "question", ["combien de jours de rtt ?", "La réduction  du temps de travail, c'est quoi ?"]
)
def test_either_side_names_the_entry(house: Acronyms, question: str) -> None:
    assert house.met_in(question) == (("RTT", "réduction du temps de travail"),)


def test_two_letters_are_no_small_word(house: Acronyms) -> None:
    assert house.met_in("Is it open?") == ()
    assert house.met_in("Is IT open?") == (("IT", "information technology"),)


def test_all_meanings_are_known(house: Acronyms) -> None:
    assert [meaning for _, meaning in house.met_in("CET")] == [
        "compte épargne-temps",
        "central European time",
    ]


def test_a_line_that_is_no_entry_is_named(tmp_path: Path) -> None:
    file = tmp_path / "acronyms.txt"
    file.write_text("RTT = réduction du temps de travail\nCET compte\n", encoding="utf-8")

    with pytest.raises(SettingsError, match="Line 2"):
        Acronyms.open(file)


def test_without_a_list_nothing_is_known() -> None:
    assert Acronyms.open(None).met_in("RTT") == ()
