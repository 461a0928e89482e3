"""Whether one text answers as another does is judged as computed by hand."""

import pytest

from sovereign_rag.text.answer_match import contains_answer, token_f1


@pytest.mark.parametrize(
    ("language", "answer", "gold"),
    [
        ("en", "It was the Panthers, of course.", "Panthers"),
        ("en", "The cost is $1,577.00", "$1577.00"),
        ("fr", "C'est l'Élysée.", "Élysée"),
        ("fr", "C’est à l’école de la ville", "l'école de ville"),
        ("de", "Das ist der Bundesrat.", "den Bundesrat"),
        ("es", "Fue el rey Carlos III.", "rey Carlos III"),
        ("it", "Era un'isola del Lazio", "isola del Lazio"),
        ("it", "presidente e CEO", "il presidente e CEO"),
    ],
)
def test_an_answer_is_found_whatever_its_articles_and_punctuation(
    language: str, answer: str, gold: str
) -> None:
    assert contains_answer(answer, [gold], language)


@pytest.mark.parametrize(
    ("language", "answer", "gold"),
    [
        ("en", "There were 1183 of them.", "118"),  # part of a number is another number
        ("en", "Carolina beat the Panthers", "Panthers beat Carolina"),
        ("de", "Die Antwort ist unbekannt.", "die"),  # an article alone is no answer
        ("en", "", "Panthers"),
    ],
)
def test_what_only_looks_like_the_answer_is_not_taken_for_it(
    language: str, answer: str, gold: str
) -> None:
    assert not contains_answer(answer, [gold], language)


@pytest.mark.parametrize(
    ("language", "answer", "gold", "expected"),
    [
        ("en", "the Denver Broncos", ["Denver Broncos"], 1.0),
        ("en", "Denver won", ["Denver Broncos", "Broncos"], 0.5),
        ("fr", "le roi de France", ["roi Louis"], 0.4),
        ("de", "im Jahr 1990", ["1990"], 0.5),
        ("es", "los normandos", ["normandos"], 1.0),
        ("it", "la Francia", ["Spagna"], 0.0),
        ("en", "anything", [], 0.0),
    ],
)
def test_token_f1_is_as_computed_by_hand(
    language: str, answer: str, gold: list[str], expected: float
) -> None:
    assert token_f1(answer, gold, language) == pytest.approx(expected)


# Running
