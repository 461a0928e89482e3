"""When a sentence can't be the answer: it lacks what the question asks for, or what it names."""

import pytest

from sovereign_rag.answering.expected_answer import expected_answer_type, lacks


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
    assert not lacks("Who came three times?", "en", "Ana kam 3 Mal.", "Ana kam 3 Mal.", "de")
    assert lacks("Who came three times?", "en", "Ana kam zwei Mal.", "Ana kam zwei Mal.", "de")


def test_the_abbreviation_of_number_is_not_read_as_a_negation() -> None:
    assert not lacking("Who was No 1 in 2019?", "In 2019 Ana was 1 of 3.")
    assert lacking("Who was no member in 2019?", "In 2019 Ana was a member.")


def test_a_decade_without_its_century_is_recognised() -> None:
    assert not lacking("Who played in the 70s?", "In the 1970s Ana played.")
    assert lacking("Who played in the 70s?", "In the 1980s Ana played.")


@pytest.mark.parametrize(
    ("question", "row", "other"),
    [
        (
            "Who must authorise hospitality worth £300?",
            "£100 to £500 | Board Director",
            "£0 to £100 | None required",
        ),
        (
            "Which plan is there for 60 people?",
            "More than 50 people take the large plan.",
            "Up to 12 people take the small plan.",
        ),
        (
            "Which invoice was issued on 25 April 2018?",
            "Invoice 181301674 of 2018-04-25",
            "Invoice 471102 of 2018-03-05",
        ),
        ("What happens at 2 p.m.?", "At 14:00 the gate closes.", "At 16:00 the gate closes."),
    ],
)
def test_a_value_of_the_question_may_stand_in_another_notation_or_lie_in_a_range(
    question: str, row: str, other: str
) -> None:
    assert not lacking(question, row)
    assert lacking(question, other)


def test_digits_of_a_name_are_no_number_that_an_answer_must_repeat() -> None:
    sentence = "Employee-family coverage: $287.65"

    assert not lacking("What is the deduction for family coverage at 37signals?", sentence)
    assert lacking("What is the deduction for 37 employees?", sentence)


def test_an_account_with_spaces_is_the_one_without() -> None:
    question = "Zu welcher Rechnung gehört die IBAN DE21 8600 0000 0086 0010 55?"

    assert not lacking(question, "Rechnung 471102, IBAN: DE21860000000086001055", "de")
    assert lacking(question, "Rechnung 471102, IBAN: DE21860000000086001056", "de")


def test_markup_of_the_question_brings_no_numbers() -> None:
    sentence = "The fee is refunded in March."

    assert not lacking("<h2>Who&#39;s</h2> **refunding** the [fee](/p/77)?", sentence)
    assert lacking("Who refunds fee 77?", sentence)


def test_a_not_may_stand_in_what_the_sentence_stands_under() -> None:
    def lacks_under(under: str) -> bool:
        item = "Current contractors"
        return lacks("Who may NOT be referred?", "en", item, item, "en", under=under)

    assert not lacks_under("The only groups of people who cannot be referred are:")
    assert lacks_under("The groups of people who can be referred are:")


def test_an_amount_of_money_does_not_answer_when() -> None:
    assert lacking("When was it repaired?", "It was repaired for 300 euros.")
    assert not lacking("When was it repaired?", "It was repaired in 1999 for 300 euros.")


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


@pytest.mark.parametrize(
    ("language", "question", "borders", "other"),
    [
        (
            "en",
            "Can I expense a card bought in March 2023?",
            "Cards bought from April 26th 2023 onwards are paid.",
            "The card of April 26th 2023 is paid.",
        ),
        (
            "fr",
            "Une carte achetée en mars 2023 est-elle remboursée ?",
            "Les cartes achetées à partir du 26 avril 2023 sont remboursées.",
            "La carte du 26 avril 2023 est remboursée.",
        ),
        (
            "de",
            "Wird eine Karte vom 3. März 2023 bezahlt?",
            "Karten, die ab dem 26. April 2023 gekauft wurden, werden bezahlt.",
            "Die Karte vom 26. April 2023 wird bezahlt.",
        ),
        (
            "es",
            "¿Se paga una tarjeta comprada en marzo de 2023?",
            "Se pagan las tarjetas compradas a partir del 26 de abril de 2023.",
            "Se paga la tarjeta del 26 de abril de 2023.",
        ),
        (
            "it",
            "È rimborsata una tessera comprata nel marzo 2023?",
            "Sono rimborsate le tessere comprate a partire dal 26 aprile 2023.",
            "È rimborsata la tessera del 26 aprile 2023.",
        ),
    ],
)
def test_what_holds_from_a_date_on_speaks_of_other_dates_too(
    language: str, question: str, borders: str, other: str
) -> None:
    assert not lacking(question, borders, language)
    assert lacking(question, other, language)


@pytest.mark.parametrize(
    ("language", "free", "without", "sentence"),
    [
        ("fr", "sans frais", "sans badge", "L'accès est gratuit."),
        ("de", "ohne Gebühren", "ohne Ausweis", "Der Zutritt ist kostenlos."),
        ("en", "without any fee", "without a badge", "Access is free."),
        ("es", "sin gastos", "sin tarjeta", "El acceso es gratuito."),
        ("it", "senza spese", "senza tessera", "L'ingresso è gratuito."),
    ],
)
def test_what_costs_nothing_is_free_and_what_goes_without_something_is_not(
    language: str, free: str, without: str, sentence: str
) -> None:
    assert not lacking(f"Is it {free}?", sentence, language)
    assert lacking(f"Is it {without}?", sentence, language)


def test_another_number_of_the_same_form_is_not_the_one_asked_for() -> None:
    row = "VB-1050 | Ball valve | 63.20"

    assert lacks("How much is valve VB-1065?", "en", row, row, "en")
    assert not lacks("How much is valve VB-1050?", "en", row, row, "en")
    assert not lacks("How much is a valve at 37signals?", "en", row, row, "en")
