"""What a question wants named speaks for the sentence that names it."""

import pytest

from sovereign_rag.answering.wanted import Wanted


@pytest.mark.parametrize(
    ("language", "question", "names_it", "names_other"),
    [
        ("en", "how many days of leave", "There are 38 days of leave.", "Leave is booked online."),
        ("de", "Wie viele Wochen Urlaub?", "6 Wochen im Jahr", "höchstens 300 €"),
        ("fr", "quel pourcentage est remboursé", "75 % de l'abonnement", "20,20 € par repas"),
        ("de", "Welche Frist gilt?", "innerhalb von 30 Tagen", "nach Abschnitt 30"),
        ("it", "quanto costa il buono?", "8 euro", "8 ore"),
        ("es", "¿A quién escribo?", "csirt@ejemplo.es", "la dirección financiera"),
        ("en", "When do we get paid?", "on the 28th of the month", "every pay slip is sent"),
        ("fr", "à qui envoyer la note ?", "écrire à frais@exemple.fr", "par voie hiérarchique"),
        ("en", "What caused the outage?", "due to an expired key", "for 47 minutes"),
        (
            "fr",
            "Peut-on apporter des fleurs ?",
            "Les fleurs sont interdites.",
            "Les fleurs fanent.",
        ),
        ("it", "Si può fumare qui?", "È vietato fumare.", "Il fumo sale."),
        ("fr", "Pourquoi est-ce payant ?", "L'accès est gratuit.", "Il n'est pas gratuit."),
        ("en", "Why is Slack forbidden?", "Slack is allowed.", "Not acceptable at work."),
        ("fr", "À quelle heure ouvre l'accueil ?", "de 7 h 30 à 19 h", "par le hall nord"),
        ("de", "Um wie viel Uhr schließt die Kantine?", "um 14.30 Uhr", "für 7,50 €"),
        ("en", "What time does the desk open?", "from 8 a.m.", "on the ground floor"),
        ("es", "¿A qué hora abre?", "a las 9:30", "en la planta baja"),
        ("it", "A che ora apre la mensa?", "alle 12:00", "al piano terra"),
        ("de", "Wie lang muss ein Passwort sein?", "vierzehn Zeichen", "nur bei Verdacht"),
        ("en", "How long may the abstract be?", "at most 250 words", "in English"),
    ],
)
def test_a_value_of_the_kind_asked_for_fits(
    language: str, question: str, names_it: str, names_other: str
) -> None:
    wanted = Wanted.of(question, language)

    assert wanted.fit(names_it, language) > wanted.fit(names_other, language)


@pytest.mark.parametrize(
    ("language", "question", "spoken", "sentence"),
    [
        ("de", "Was geschah am 17.07.1978?", "fr", "Loi du 17 juillet 1978"),
        ("de", "IBAN AT611904300234573201", "it", "AT61 1904 3002 3457 3201"),
    ],
)
def test_a_value_that_the_question_names_is_found_in_any_notation(
    language: str, question: str, spoken: str, sentence: str
) -> None:
    assert Wanted.of(question, language).named_in(sentence, spoken) == 1.0


def test_a_number_itself_is_worth_more_than_a_range_that_holds_it() -> None:
    wanted = Wanted.of("Was gibt es bei 24 Stunden Abwesenheit?", "de")

    exactly, between = (
        wanted.named_in(row, "de") for row in ("24 Stunden | 28 €", "mehr als 8 Stunden | 14 €")
    )

    assert exactly == 1.0
    assert between is not None
    assert 0.5 < between < 1.0


def test_a_question_without_values_names_none() -> None:
    assert Wanted.of("Who approves purchases?", "en").named_in("The CFO does.", "en") is None


@pytest.mark.parametrize(
    ("language", "question", "nothing", "something"),
    [
        (
            "fr",
            "Combien coûte le parking P3 ?",
            "Le parking P3 est au personnel.",
            "Il est gratuit.",
        ),
        ("en", "What is the phone number of Ana?", "Author: Ana Diaz.", "Ana: +44 20 7946 0321"),
        ("de", "Wie lange gilt der Pass?", "Der Pass gilt im Inland.", "Er gilt 10 Jahre."),
    ],
)
def test_a_price_a_time_or_an_address_is_not_answered_without_one(
    language: str, question: str, nothing: str, something: str
) -> None:
    wanted = Wanted.of(question, language)

    assert wanted.misses(nothing, language)
    assert not wanted.misses(something, language)


def test_what_goes_on_from_the_question_before_asks_for_no_kind_of_its_own() -> None:
    assert Wanted.of("Et en été ?", "fr", "Où se garer ?").kind is None
    assert Wanted.of("Peut-on fumer en été ?", "fr", "Où se garer ?").kind == "leave"


@pytest.mark.parametrize(
    ("question", "names_it", "names_other"),
    [
        ("Wie lang muss ein Passwort sein?", "mindestens 14 Zeichen", "der Passwortmanager"),
        ("Wie lang ist der Kai?", "640 m", "der Kai am Nordufer"),
        ("Wie lange dauert die Probezeit?", "sechs Monate", "auf 14 Seiten"),
    ],
)
def test_how_long_a_thing_is_and_how_long_it_lasts_are_missed_where_neither_is_said(
    question: str, names_it: str, names_other: str
) -> None:
    wanted = Wanted.of(question, "de")

    assert not wanted.misses(names_it, "de")
    assert wanted.misses(names_other, "de")
