"""A model's statements are held against the passages that it read."""

import pytest

from sovereign_rag.answering.verification import ClaimVerifier
from sovereign_rag.domain import Chunk, PageSpan, PageText, Passage, Verdict
from sovereign_rag.embedding.dense import DenseEmbedder
from sovereign_rag.embedding.lexical import Bm25Encoder

DOCUMENT = "00000000-0000-0000-0000-000000000001"


class Pages:
    """The stored page of one document."""

    def __init__(self, text: str) -> None:
        self._page = PageText(1, text)

    def page(self, passage: Passage, number: int) -> PageText | None:
        return self._page if number == 1 else None


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
