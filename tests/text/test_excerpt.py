"""What a list of results shows of a passage: where the words stand, with the words marked."""

import pytest

from sovereign_rag.text.excerpt import Piece, excerpt

FAR = "The board met in June and heard the report of its chair. " * 8
DECLARED = "It then declared a quarterly dividend of twelve cents a share. "


def shown(pieces: tuple[Piece, ...]) -> str:
    return "".join(piece.text for piece in pieces)


def found(pieces: tuple[Piece, ...]) -> list[str]:
    return [piece.text for piece in pieces if piece.found]


def test_the_part_with_the_words_is_shown_wherever_it_stands() -> None:
    pieces = excerpt(FAR + DECLARED + FAR, "quarterly dividend")

    assert found(pieces) == ["quarterly", "dividend"]
    assert "declared a quarterly dividend of twelve cents" in shown(pieces)
    assert len(shown(pieces)) <= 262
    assert shown(pieces).startswith("…")
    words = {word.strip(".…") for word in shown(pieces).split()}
    assert words <= {word.strip(".") for word in (FAR + DECLARED).split()}


def test_without_the_words_the_beginning_is_shown() -> None:
    pieces = excerpt(FAR, "Ausschüttung")

    assert found(pieces) == []
    assert shown(pieces).startswith("The board met in June")
    assert shown(pieces).endswith("…")


@pytest.mark.parametrize(
    ("text", "searched", "words"),
    [
        ("Dividends are paid; the dividend rose.", "DIVIDEND", ["Dividends", "dividend"]),
        ("Les élèves inscrits", "eleve", ["élèves"]),
        ("Das Gehaltsband der Stufe 7", "Gehalt Stufe", ["Gehaltsband", "Stufe"]),
        ("The tax of 1987 and of 19871", "1987", ["1987"]),
        ("La RTT et les RTTs", "RTT", ["RTT"]),  # a short word is taken as it is
        ("the end of the line", "line of the", ["line"]),  # short ones beside it tell nothing
        ("a.*b", ".*", []),
    ],
)
def test_a_word_is_marked_in_its_forms(text: str, searched: str, words: list[str]) -> None:
    pieces = excerpt(text, searched)

    assert found(pieces) == words
    assert shown(pieces) == text


def test_empty_cells_of_a_table_are_one_line_between_words() -> None:
    assert shown(excerpt("Item 1. | | | | Business | 4", "")) == "Item 1. | Business | 4"
