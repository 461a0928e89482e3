"""Words, inflections and identifiers become terms that find each other again."""

from pathlib import Path

import pytest

from sovereign_rag.domain import SparseVector
from sovereign_rag.embedding.compounds import CompoundSplitter
from sovereign_rag.embedding.lexical import Bm25Encoder
from sovereign_rag.errors import ModelError
from sovereign_rag.settings import load_settings
from sovereign_rag.text.identifiers import identifiers

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
        ("24,91", "24,91² EUR", "de"),  # the mark of a note is no digit
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


@pytest.mark.parametrize(
    ("text", "iban"),
    [
        ("auf AT61 1904 3002 3457 3201 bis Ende", "at611904300234573201"),
        ("AT61 1904 3002 3457 3201 ist es", "at611904300234573201"),
        ("a ES91 2100 0418 4502 0005 1332 hoy", "es9121000418450200051332"),
        ("DE21 8600 0000 0086 0010 55 oder", "de21860000000086001055"),  # its sum is wrong
    ],
)
def test_an_iban_ends_where_it_ends(text: str, iban: str) -> None:
    assert list(identifiers(text)) == [iban]


@pytest.mark.parametrize(
    ("asked", "in_language", "text", "language"),
    [
        ("3. Oktober 2018", "de", "Rechnung vom 03.10.2018", "de"),
        ("3 October 2018", "en", "Rechnung vom 03.10.2018", "de"),
        ("2018-10-03", "en", "Rechnung vom 3. Oktober 2018", "de"),
        ("octobre 2018", "fr", "Rechnung vom 03.10.2018", "de"),
        ("at 2 p.m.", "en", "um 14:00 Uhr", "de"),
        ("68.9 percent", "en", "68,9 % des codes", "fr"),
        ("1000 Euro", "de", "1.000,00 EUR", "de"),
        ("19", None, "nineteen people", "en"),
        ("nineteen", "en", "19 Personen", "de"),
    ],
)
def test_a_value_meets_its_other_notations(
    asked: str, in_language: str | None, text: str, language: str
) -> None:
    def common(encoder: Bm25Encoder, text: str) -> set[int]:
        question = set(encoder.encode_query(asked, in_language).indices)
        return question & set(encoder.encode_passages([text], [language])[0].indices)

    met = common(ENCODER, text)

    assert met - common(Bm25Encoder(values=False), text)
    assert met - common(
        ENCODER,
        text.replace("3", "5")
        .replace("8", "7")
        .replace("9", "7")
        .replace("1", "2")
        .replace("nine", "four"),
    )


def test_the_pieces_of_a_day_and_of_an_iban_are_no_terms_of_a_question() -> None:
    day = ENCODER.encode_query("Rechnung vom 3. Oktober 2018", "de")
    month = ENCODER.encode_query("Rechnungen vom Oktober 2018", "de")
    spaced = ENCODER.encode_query("IBAN DE21 8600 0000 0086 0010 55", "de")

    assert len(day.indices) == 2  # the word and the day
    assert len(month.indices) == 4  # the month of a year as well as its words
    assert spaced == ENCODER.encode_query("IBAN DE21860000000086001055", "de")


def test_an_index_of_before_is_searched_with_the_terms_that_it_has() -> None:
    before = Bm25Encoder(values=False)
    text = "Rechnung vom 03.10.2018"

    assert before.key != ENCODER.key
    assert ENCODER.as_made(before.key).encode_query(text, "de") == before.encode_query(text, "de")
    assert ENCODER.as_made(ENCODER.key) is ENCODER
    assert ENCODER.as_made("bm25-9-of-later") is ENCODER


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


def test_term_weights_are_those_of_the_bm25_formula() -> None:
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


@pytest.fixture(scope="module")
def splitter() -> CompoundSplitter:
    return CompoundSplitter(load_settings().models_dir)


@pytest.mark.parametrize(
    ("word", "parts"),
    [
        ("Kündigungsfrist", ("kündigung", "frist")),
        ("Verwaltungsgericht", ("verwaltung", "gericht")),
        ("Datenschutzgrundverordnung", ("daten", "schutz", "grund", "verordnung")),
        ("MIETVERTRAG", ("miet", "vertrag")),
        ("Berechnung", ()),  # no Rechnung in it
        ("Entscheidung", ()),
        ("Universität", ()),
        ("Frist", ()),
        ("", ()),
    ],
)
def test_a_german_compound_has_parts_and_another_word_none(
    splitter: CompoundSplitter, word: str, parts: tuple[str, ...]
) -> None:
    assert splitter.parts(word) == parts


@pytest.mark.parametrize(
    ("question", "text"),
    [
        ("Frist", "Die Kündigungsfrist beträgt drei Monate."),
        ("gesetzliche Fristen der Kündigung", "die gesetzliche Kündigungsfrist"),
        ("Gericht", "die Verwaltungsgerichte"),
    ],
)
def test_a_compound_is_found_by_its_parts_in_german_alone(
    splitter: CompoundSplitter, question: str, text: str
) -> None:
    encoder = Bm25Encoder(compounds=splitter)
    asked = set(encoder.encode_query(question, "de").indices)

    def found(language: str) -> bool:
        return asked <= set(encoder.encode_passages([text], [language])[0].indices)

    assert found("de")
    assert not found("nl")
    assert not matches(question, text, "de")  # without the splitter


def test_a_question_with_a_compound_finds_its_parts_for_less(splitter: CompoundSplitter) -> None:
    encoder = Bm25Encoder(compounds=splitter)
    asked = encoder.encode_query("Kündigungsfrist", "de")
    whole = ENCODER.encode_query("Kündigungsfrist", "de").indices

    assert {w for i, w in zip(asked.indices, asked.values, strict=True) if i in whole} == {1.0}
    assert {w for i, w in zip(asked.indices, asked.values, strict=True) if i not in whole} == {0.3}


def test_parts_do_not_make_a_passage_longer(splitter: CompoundSplitter) -> None:
    text = "Die Kündigungsfrist beträgt drei Monate."
    whole = ENCODER.encode_passages([text], ["de"])[0]
    split = Bm25Encoder(compounds=splitter).encode_passages([text], ["de"])[0]
    weights = dict(zip(split.indices, split.values, strict=True))

    assert len(weights) == len(whole.indices) + 2
    assert {term: weights[term] for term in whole.indices} == dict(
        zip(whole.indices, whole.values, strict=True)
    )


def test_what_is_encoded_another_way_has_another_key(splitter: CompoundSplitter) -> None:
    keys = {
        ENCODER.key,
        Bm25Encoder(compounds=splitter).key,
        Bm25Encoder(average_words=99).key,
    }

    assert len(keys) == 3
    assert Bm25Encoder().key == ENCODER.key


def test_a_broken_table_of_compounds_is_refused_with_the_way_out(
    splitter: CompoundSplitter, tmp_path: Path
) -> None:
    assert splitter.parts("Kündigungsfrist")
    made = next(load_settings().models_dir.glob("compounds-*.npz"))
    (tmp_path / made.name).write_bytes(made.read_bytes()[:5_000])

    with pytest.raises(ModelError, match=r"delete .*compounds-"):
        CompoundSplitter(tmp_path).parts("Kündigungsfrist")
