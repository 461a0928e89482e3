"""A quote of a PDF is verified when the page itself shows it where it is said to stand."""

from dataclasses import replace
from pathlib import Path

import pytest

from sovereign_rag.answering.page_check import PageCheck
from sovereign_rag.domain import Box, PageCharacter, PageText, Word
from sovereign_rag.errors import DocumentError


class Originals:
    """A content store in which every content is one path."""

    def original(self, content_hash: str) -> Path:
        return Path(content_hash)


class Shown:
    """A reader of a page that shows a text, each character a hundredth of the page wide."""

    def __init__(self, text: str | None) -> None:
        self._text = text
        self.asked = 0

    def page_characters(self, path: Path, page: int) -> tuple[PageCharacter, ...]:
        self.asked += 1
        if self._text is None:
            raise DocumentError("broken", "The PDF is damaged.")
        return tuple(PageCharacter(c, (n + 0.5) / 100, 0.5) for n, c in enumerate(self._text))


def stored(text: str) -> PageText:
    """A page whose words have the boxes that `Shown` gives them."""
    words, at = [], 0
    for word in text.split(" "):
        box = Box(1, at / 100, 0.4, (at + len(word)) / 100, 0.6)
        words.append(Word(at, at + len(word), box))
        at += len(word) + 1
    return PageText(1, text, words=tuple(words))


@pytest.mark.parametrize(
    ("shown", "agrees"),
    [("Rate 2.6 percent", True), ("Rate 2,6 percent", False), ("Rate 6.2 percent", False)],
)
def test_a_quote_is_held_against_the_characters_in_its_boxes(shown: str, agrees: bool) -> None:
    page = stored("Rate 2.6 percent")

    assert PageCheck(Originals(), Shown(shown)).agrees("a", page, 0, 16) is agrees


def test_a_number_that_the_page_does_not_show_is_not_verified() -> None:
    page = stored("Rate 26 percent")

    check = PageCheck(Originals(), Shown("Rate 2.6percent"))

    assert check.agrees("a", page, 0, 4)
    assert not check.agrees("a", page, 0, 15)


class Formula(Shown):
    """A page on which the last two characters of "x12 " stand over each other."""

    def page_characters(self, path: Path, page: int) -> tuple[PageCharacter, ...]:
        shown = super().page_characters(path, page)
        return (*shown[:2], PageCharacter(shown[2].text, shown[1].x, 0.55))


def test_a_number_whose_figures_stand_over_each_other_is_not_verified() -> None:
    page = stored("x12 ")

    assert PageCheck(Originals(), Shown("x12")).agrees("a", page, 0, 3)
    assert not PageCheck(Originals(), Formula("x12")).agrees("a", page, 0, 3)


def test_only_the_words_that_are_quoted_are_compared() -> None:
    page = stored("Rate 26 percent")

    check = PageCheck(Originals(), Shown("Rate 99 percent"))

    assert check.agrees("a", page, 8, 15)
    assert not check.agrees("a", page, 5, 15)


def test_what_was_recognised_on_a_page_with_text_is_not_held_against_its_codes() -> None:
    page = stored("Rate 26 percent")
    rate, figure, percent = page.words
    recognised = replace(page, words=(rate, replace(figure, confidence=0.95), percent))
    check = PageCheck(Originals(), Shown("Rate 19 percent"))

    assert check.agrees("a", recognised, 0, 15)
    assert not check.agrees("a", page, 0, 15)


def test_a_glyph_that_the_file_has_no_letter_for_is_not_verified() -> None:
    page = stored("Cube \ufffdD1 holds")
    check = PageCheck(Originals(), Shown("Cube hD1 holds"))

    assert check.agrees("a", page, 0, 4)
    assert not check.agrees("a", page, 0, 8)


def test_a_page_that_can_not_be_read_again_verifies_nothing() -> None:
    assert not PageCheck(Originals(), Shown(None)).agrees("a", stored("Rate 26"), 0, 7)


def test_words_without_a_place_have_nothing_to_be_held_against() -> None:
    assert PageCheck(Originals(), Shown(None)).agrees("a", PageText(1, "City: Orleans"), 0, 13)


def test_a_page_is_read_once_however_often_it_is_cited() -> None:
    reader = Shown("Rate 26 percent")
    check = PageCheck(Originals(), reader)

    for _ in range(3):
        assert check.agrees("a", stored("Rate 26 percent"), 0, 15)

    assert reader.asked == 1
