"""A model's statements are held against the passages that it read."""

from collections.abc import Sequence

import pytest

from sovereign_rag.answering.verification import ClaimVerifier, Rarity
from sovereign_rag.domain import Chunk, PageSpan, PageText, Passage, QuoteVerdict, Verdict
from sovereign_rag.embedding.dense import DenseEmbedder
from sovereign_rag.embedding.lexical import Bm25Encoder

DOCUMENT = "00000000-0000-0000-0000-000000000001"


class Pages:
    """The stored page of one document."""

    def __init__(self, text: str) -> None:
        self._page = PageText(1, text)

    def page(self, passage: Passage, number: int) -> PageText | None:
        return self._page if number == 1 else None

    def verdict(self, passage: Passage, page: PageText, start: int, end: int) -> QuoteVerdict:
        return QuoteVerdict.VERIFIED


def passage(text: str, language: str = "en") -> Passage:
    chunk = Chunk(DOCUMENT, "v1", 0, text, (PageSpan(1, 0, len(text)),), language=language)
    return Passage(chunk, "Title", "file:///x", True, 1.0, {})


@pytest.fixture(scope="module")
def checker(embedder: DenseEmbedder) -> ClaimVerifier:
    return ClaimVerifier(embedder=embedder, lexical=Bm25Encoder())


SOURCE = (
    "Employees have 30 days of leave a year. The notice period is 3 months. "
    "Leave may not be carried over to the following year."
)


@pytest.mark.parametrize(
    ("statement", "supported"),
    [
        ("Employees have 30 days of leave.", True),
        ("The employees have 30 days of leave per year.", True),
        ("Employees have 28 days of leave.", False),  # another number
        ("Employees have 30 % of leave.", False),  # 30, but not percent
        ("The notice period is 3 months.", True),
        ("The notice period is not 3 months.", False),  # negated
        ("Leave may be carried over to the following year.", False),  # the negation is gone
        ("Leave may not be carried over to the following year.", True),
        ("The canteen opens at noon.", False),  # from nowhere
    ],
)
def test_a_statement_is_supported_only_where_numbers_and_negations_agree(
    checker: ClaimVerifier, statement: str, supported: bool
) -> None:
    (checked,) = checker.check(statement, "en", [passage(SOURCE)], Pages(SOURCE))

    assert checked.supported is supported
    assert bool(checked.citations) is (checked.verdict is not Verdict.UNSUPPORTED)
    assert all(citation.verified for citation in checked.citations)


def test_a_draft_is_cut_into_statements_each_with_its_own_verdict(
    checker: ClaimVerifier,
) -> None:
    draft = "The notice period is 3 months. It was decided in Paris in 1999."

    checked = checker.check(draft, "en", [passage(SOURCE)], Pages(SOURCE))

    assert [statement.supported for statement in checked] == [True, False]


def test_a_statement_that_is_said_in_part_is_told_apart_from_one_from_nowhere(
    checker: ClaimVerifier,
) -> None:
    draft = (
        "Employees have 30 days of leave a year and a free parking space near the office. "
        "Coffee costs nothing on Fridays."
    )

    partly, nowhere = checker.check(draft, "en", [passage(SOURCE)], Pages(SOURCE))

    assert (partly.verdict, nowhere.verdict) == (Verdict.PARTLY, Verdict.UNSUPPORTED)
    assert partly.citations[0].quote == "Employees have 30 days of leave a year."
    assert not partly.supported


def verdict(
    checker: ClaimVerifier, text: str, source: str, language: str, *, question: str = ""
) -> Verdict:
    (checked,) = checker.check(
        text, language, [passage(source, language)], Pages(source), question=question
    )
    return checked.verdict


@pytest.mark.parametrize(
    ("language", "statement", "source"),
    [
        ("en", "Interest is 25 % a year.", "Interest is 2.5 % a year."),
        ("de", "Die Frist beträgt drei Tage.", "Die Frist beträgt 3 Monate."),
        ("fr", "La caution est de 300 dollars.", "La caution est de 300 euros."),
        ("en", "The lease ends on 4 May 2024.", "The lease ends on 3 May 2024."),
        ("en", "Visitors must sign the list.", "Visitors may sign the list."),
        ("de", "Alle Kunden erhalten einen Bonus.", "Einige Kunden erhalten einen Bonus."),
        ("fr", "La période commence le 5 mai.", "La période se termine le 5 mai."),
        ("es", "La cuota es mensual para todos.", "La cuota es anual para todos."),
        ("it", "Solo i direttori approvano le fatture.", "I direttori approvano le fatture."),
        ("en", "The tenant warns the landlord.", "The landlord warns the tenant."),
        ("en", "The archive is kept in Dublin.", "The archive is kept in Frankfurt."),
        ("de", "Zuständig ist das Finanzamt Köln.", "Zuständig ist das Finanzamt Bonn."),
        ("en", "The office has 30 rooms.", "The office has 30 desks."),
        ("fr", "Le retrait est gratuit.", "Le retrait n'est pas gratuit."),
    ],
)
def test_a_statement_that_says_otherwise_in_the_words_of_the_source_is_not_supported(
    checker: ClaimVerifier, language: str, statement: str, source: str
) -> None:
    assert verdict(checker, statement, source, language) is not Verdict.SUPPORTED
    assert verdict(checker, source, source, language) is Verdict.SUPPORTED


@pytest.mark.parametrize(
    ("language", "statement", "source"),
    [
        ("de", "Die Frist beträgt bis zu 24 Monate.", "Die Frist beträgt längstens 24 Monate."),
        ("de", "Der Anteil beträgt 19 Prozent.", "Der Anteil beträgt 19 %."),
        ("en", "Staff get 2 weeks of leave.", "Staff get two weeks of leave."),
        ("en", "1. The fee is at most 20 euros.", "The fee is no more than 20 euros."),
        ("en", "Visitors may not park there.", "Visitors are prohibited from parking there."),
        ("en", "The landlord is warned by the tenant.", "The tenant warned the landlord."),
        ("fr", "Le délai est de deux mois maximum.", "Le délai ne peut dépasser 2 mois."),
        ("es", "El plazo es de hasta 30 días.", "El plazo máximo es de 30 días."),
        ("it", "La riunione è il 3 ottobre 2018.", "La riunione è il 03/10/2018."),
        ("de", "Der Umtausch ist kostenlos möglich.", "Der Umtausch ist ohne Kosten möglich."),
        ("en", "The exchange is free.", "The exchange is free of charge, without any fee."),
    ],
)
def test_the_same_said_in_another_way_is_supported(
    checker: ClaimVerifier, language: str, statement: str, source: str
) -> None:
    assert verdict(checker, statement, source, language) is Verdict.SUPPORTED


def test_rare_words_weigh_more_than_common_ones(checker: ClaimVerifier) -> None:
    source, statement = "The canteen of the office is open.", "The sauna of the office is open."
    sauna = set(Bm25Encoder().encode_query("sauna", "en").indices)

    def rarity(terms: Sequence[int]) -> dict[int, float]:
        return {term: 9.0 if term in sauna else 1.0 for term in terms}

    def check(weights: Rarity | None) -> Verdict:
        (checked,) = checker.check(
            statement, "en", [passage(source)], Pages(source), rarity=weights
        )
        return checked.verdict

    assert check(None) is Verdict.SUPPORTED
    assert check(rarity) is Verdict.UNSUPPORTED


DATES = (
    "The museum was opened by the mayor in 1931. It holds 400 paintings. "
    "The garden behind it was planted by a guild in 1955."
)


def test_a_bare_answer_has_to_stand_where_the_words_of_the_question_stand(
    checker: ClaimVerifier,
) -> None:
    question = "When was the museum opened?"

    assert verdict(checker, "1931", DATES, "en", question=question) is Verdict.SUPPORTED
    assert verdict(checker, "1955", DATES, "en", question=question) is Verdict.UNSUPPORTED
    assert verdict(checker, "1955", DATES, "en") is Verdict.SUPPORTED  # the question is not known


def test_a_bare_answer_has_to_be_of_the_kind_that_is_asked_for(checker: ClaimVerifier) -> None:
    question = "When was the museum opened?"

    assert verdict(checker, "The mayor", DATES, "en", question=question) is Verdict.UNSUPPORTED
    who = "By whom was the museum opened?"
    assert verdict(checker, "The mayor", DATES, "en", question=who) is Verdict.SUPPORTED


def test_what_only_repeats_the_question_is_no_answer_unless_yes_is_one(
    checker: ClaimVerifier,
) -> None:
    statement = "The museum was opened by the mayor."

    wanted = verdict(checker, statement, DATES, "en", question="Who opened the museum, mayor or?")
    told = verdict(checker, statement, DATES, "en", question="Was the museum opened by the mayor?")

    assert (wanted, told) == (Verdict.UNSUPPORTED, Verdict.SUPPORTED)


def test_a_number_of_the_question_may_lie_in_a_range_of_the_source(
    checker: ClaimVerifier,
) -> None:
    source = "Hospitality worth £100 to £500 is authorised by a Board Director."
    statement = "Hospitality worth £300 is authorised by a Board Director."

    asked = verdict(
        checker, statement, source, "en", question="Who authorises hospitality worth £300?"
    )

    assert asked is Verdict.SUPPORTED
    assert verdict(checker, statement, source, "en") is not Verdict.SUPPORTED
