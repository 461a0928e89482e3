"""Words, inflections and identifiers become terms that find each other again."""

import pytest

from sovereign_rag.domain import SparseVector
from sovereign_rag.embedding.lexical import Bm25Encoder, identifiers

ENCODER = Bm25Encoder()


def passage(text: str, language: str | None) -> SparseVector:
    return ENCODER.encode_passages([text], [language])[0]


def matches(question: str, text: str, language: str | None) -> bool:
    asked = set(ENCODER.encode_query(question, language).indices)
    return bool(asked) and asked <= set(passage(text, language).indices)


@pytest.mark.parametrize(
    ("question", "text", "language"),
    [
        ("entreprise", "le siège de l'entreprise", "fr"),
        ("l’entreprise", "les entreprises françaises", "fr"),
        ("impayee", "une facture impayée", "fr"),
        ("congés payés", "Le congé payé est dû.", "fr"),
        ("Straße", "DIE STRASSE IST GESPERRT", "de"),
        ("strasse", "in der Straße", "de"),
        ("Rechnungen", "Die Rechnung ist fällig.", "de"),
        ("Mu\u0308ller", "Herr Müller", "de"),  # decomposed, as macOS writes it
        ("contracts", "The contract ends.", "en"),
        ("facturas", "una factura", "es"),
        ("azienda", "il bilancio dell'azienda", "it"),
        ("Nederland", "in Nederland", "nl"),  # no stemmer here: word by word
        ("документ", "новый документ", None),
        ("2024", "im Jahr 2024", "de"),
    ],
)
def test_a_word_finds_its_other_forms(question: str, text: str, language: str | None) -> None:
    assert matches(question, text, language)


@pytest.mark.parametrize(
    ("question", "text", "language"),
    [("Rechnung", "Die Berechnung stimmt.", "de"), ("chat", "le château", "fr")],
)
def test_a_word_does_not_find_another_word(question: str, text: str, language: str) -> None:
    assert not matches(question, text, language)


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("Was steht in REF-2024/00123-B?", "Betreff: ref-2024/00123-b, Seite 1"),
        ("§ 433 BGB", "nach §433 Abs. 1"),
        ("§§ 433 ff.", "gemäß § 433"),
        ("DE89 3704 0044 0532 0130 00", "IBAN DE89370400440532013000"),
        ("article L. 121-3", "selon l'article L121-3 du code"),
        ("article L.121-3", "l’article L. 121-3"),
        ("R*123-4", "l'article R.123-4"),
        ("pièce AB-77.120/X", "Réf. AB-77.120/X (acier)"),
        ("27001:2022", "ISO/IEC 27001:2022"),
        ("REF–2024–7", "REF-2024-7"),  # dashes as a word processor writes them
    ],
)
def test_an_identifier_is_one_term_in_every_language(question: str, text: str) -> None:
    asked, stored = list(identifiers(question)), list(identifiers(text))
    assert asked[0] in stored

    in_german = set(ENCODER.encode_query(question, "de").indices)
    only_identifier = in_german & set(passage(text, "fr").indices)
    without = set(passage(text.replace("3", "4").replace("7", "8").replace("0", "1"), "fr").indices)

    assert only_identifier - without


def test_an_identifier_that_differs_in_one_character_is_another() -> None:
    assert list(identifiers("L.121-3")) != list(identifiers("L.12-13"))
    assert list(identifiers("REF-2024/00123-B")) != list(identifiers("REF-2024/00123-C"))
    assert list(identifiers("§ 433")) != list(identifiers("§ 43"))


def test_plain_words_and_numbers_are_no_identifiers() -> None:
    assert list(identifiers("und/oder, 3.5 Prozent, um 10:30, 1234 Stück, www.example.org")) == []


@pytest.mark.parametrize(
    ("question", "language", "kept"),
    [
        ("Was ist für die Rechnung wichtig", "de", "Rechnung wichtig"),
        ("Wie können wir während der Probezeit kündigen", "de", "Probezeit kündigen"),
        ("Quelle est la même date à été", "fr", "date"),
        ("what is the deadline for appeals", "en", "deadline appeals"),
        ("perché il bilancio sarà più alto", "it", "bilancio alto"),
        ("también está la factura más alta", "es", "factura alta"),
    ],
)
def test_stop_words_are_left_out_of_a_question(question: str, language: str, kept: str) -> None:
    asked = set(ENCODER.encode_query(question, language).indices)

    assert set(ENCODER.encode_query(kept, language).indices) <= asked
    assert len(asked) <= len(kept.split()) + 1  # "quelle" and "wie" are stop words; lists differ


def test_a_question_of_stop_words_alone_keeps_them() -> None:
    assert matches("to be or not to be", "To be, or not to be, that is the question", "en")


def test_weights_follow_bm25() -> None:
    encoder = Bm25Encoder(average_words=4)
    text = "alpha beta beta gamma"  # four words, so the length counts as usual

    once, twice = 2.2 / (1 + 1.2), 2 * 2.2 / (2 + 1.2)

    vector = encoder.encode_passages([text], [None])[0]
    assert sorted(vector.values) == pytest.approx([once, once, twice])
    assert max(vector.values) < encoder.max_term_weight


def test_a_question_weighs_each_distinct_term_once() -> None:
    vector = ENCODER.encode_query("facture facture impayée", "fr")

    assert vector.values == (1.0, 1.0)


def test_a_text_without_words_has_no_terms() -> None:
    assert ENCODER.encode_passages(["", " – !"], ["fr", None]) == [SparseVector((), ())] * 2
    assert ENCODER.encode_query("?", "de") == SparseVector((), ())
