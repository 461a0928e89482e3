"""When a sentence can't be the answer: it lacks what the question asks for, or what it names."""

import pytest

from sovereign_rag.answering.expected_answer import expected_answer_type, lacks, quantities


def lacking(question: str, sentence: str, language: str = "en", around: str = "") -> bool:
    return lacks(question, language, sentence, around or sentence, language)


@pytest.mark.parametrize(
    ("language", "question", "without", "right"),
    [
        ("en", "When was the fort built?", "The fort was built by hand.", "It was built in 1555."),
        ("fr", "En quelle année fut bâti le fort ?", "Il fut bâti vite.", "Il fut bâti en 1555."),
        ("de", "Wann wurde sie gebaut?", "Sie wurde rasch gebaut.", "Sie entstand im Mai 1555."),
        ("es", "¿En qué año se construyó?", "Fue construido allí.", "Se construyó en 1555."),
        ("it", "Quando fu costruito?", "Fu costruito in fretta.", "Fu costruito in primavera."),
    ],
)
def test_a_question_for_a_time_is_not_answered_by_a_sentence_without_one(
    language: str, question: str, without: str, right: str
) -> None:
    assert expected_answer_type(question, language) == "time"
    assert lacking(question, without, language)
    assert not lacking(question, right, language)


@pytest.mark.parametrize(
    ("language", "question", "without", "right"),
    [
        ("en", "How many rooms are there?", "The rooms are large.", "There are twenty-two rooms."),
        ("fr", "Combien de salles y a-t-il ?", "Les salles sont vastes.", "Il y en a deux."),
        ("de", "Wie viele Räume gibt es?", "Die Räume sind groß.", "Es gibt dreizehn Räume."),
        ("de", "Wie viele Tage gibt es?", "Es gibt freie Tage.", "Es gibt dreißig Tage."),
        ("es", "¿Cuántas salas hay?", "Las salas son grandes.", "Hay doce salas."),
        ("it", "Quante sale ci sono?", "Le sale sono grandi.", "Ci sono 22 sale."),
    ],
)
def test_a_question_for_an_amount_is_not_answered_by_a_sentence_without_one(
    language: str, question: str, without: str, right: str
) -> None:
    assert expected_answer_type(question, language) == "amount"
    assert lacking(question, without, language)
    assert not lacking(question, right, language)


def test_the_year_that_the_question_names_is_not_the_one_it_asks_for() -> None:
    question = "When did the war that began in 1754 end?"

    assert lacking(question, "The war began in 1754.")
    assert not lacking(question, "The war began in 1754 and ended in 1763.")


def test_a_number_of_the_question_has_to_stand_near_the_sentence() -> None:
    question, sentence = "Which region was taken in 1935?", "Manchuria was taken."

    assert lacking(question, sentence, around="In 1931 the war began. Manchuria was taken.")
    assert not lacking(question, sentence, around="In 1935 the war began. Manchuria was taken.")


def test_a_small_number_is_the_same_in_digits_and_in_the_words_of_each_language() -> None:
    assert quantities("three of 40", "en") == quantities("drei von 40", "de") == {"3", "40"}
    assert not lacks("Who came three times?", "en", "Ana kam 3 Mal.", "Ana kam 3 Mal.", "de")
    assert lacks("Who came three times?", "en", "Ana kam zwei Mal.", "Ana kam zwei Mal.", "de")


def test_a_quarter_before_a_year_is_no_thousand_and_number_one_is_no_no() -> None:
    assert quantities("sales in Q3 2019", "en") == {"3", "2019"}
    assert quantities("12 000 and 1,234", "en") == {"12000", "1234"}
    assert not lacking("Who was No 1 in 2019?", "In 2019 Ana was 1 of 3.")
    assert lacking("Who was no member in 2019?", "In 2019 Ana was a member.")


def test_a_part_of_a_larger_number_is_none_and_a_decade_is_one_of_its_century() -> None:
    question = "Quelle prime touche un agent après vingt-cinq ans ?"

    assert quantities(question, "fr") == quantities("treinta y cinco", "es") == set()
    assert not lacking("Who played in the 70s?", "In the 1970s Ana played.")
    assert lacking("Who played in the 70s?", "In the 1980s Ana played.")


def test_a_question_for_what_is_not_so_needs_a_sentence_that_says_not() -> None:
    question = "Which fee is not refunded?"

    assert lacking(question, "The fee for courses is refunded.")
    assert not lacking(question, "The fee for books is never refunded.")
    assert not lacking("Which fee is refunded?", "The fee for books is never refunded.")


def test_other_questions_and_other_languages_lack_nothing_by_their_words() -> None:
    assert expected_answer_type("Who built the fort?", "en") is None
    assert not lacking("Who built the fort?", "The fort is large.")
    assert expected_answer_type("När byggdes fortet?", "sv") is None
    assert lacking("Vad hände 1935?", "Kriget började 1931.", "sv")
