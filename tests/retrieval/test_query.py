"""What the words of a question weigh."""

import math

import pytest

from sovereign_rag.embedding.lexical import Bm25Encoder
from sovereign_rag.retrieval.query import Query, as_among_many, nowhere, weighed

LEXICAL = Bm25Encoder()


def asked(question: str, language: str, passages: int, held_by: dict[str, int]) -> Query:
    """A question over so many passages, of which some hold a word; the others stand in none."""
    holders = {
        term: count
        for word, count in held_by.items()
        for term in LEXICAL.encode_query(word, language).indices
    }
    terms = LEXICAL.encode_query(question, language)
    idf = {
        term: math.log((passages + 1) / (holders.get(term, 0) + 0.5))
        for term in (*terms.indices, *nowhere(LEXICAL))
    }
    return weighed(Query(question, language, terms, {}, 0.0), idf, LEXICAL)


def share(query: Query, word: str) -> float:
    """Of a question's weight, what a word has."""
    (term,) = LEXICAL.encode_query(word, query.language).indices
    return query.idf[term] * LEXICAL.max_term_weight / query.ideal


@pytest.mark.parametrize("lead_in", ["Erklär mir bitte: ", "Explique-moi : ", ""])
def test_words_that_ask_in_another_language_are_not_owed_by_an_answer(lead_in: str) -> None:
    query = asked(f"{lead_in}what is salary sacrifice?", "en", 100, {"salary": 9, "sacrifice": 4})

    assert len(query.terms.indices) == 2


def test_a_word_that_stands_in_each_of_a_few_passages_still_weighs_something() -> None:
    query = asked("maximum allowance", "en", 4, {"allowance": 4})

    assert share(query, "allowance") < 0.05
    assert share(as_among_many(query, LEXICAL), "allowance") > 0.25


def test_among_many_passages_words_weigh_as_they_are_rare() -> None:
    query = asked("maximum allowance", "en", 5_000, {"allowance": 400})

    among_many = as_among_many(query, LEXICAL)

    assert share(among_many, "allowance") == pytest.approx(share(query, "allowance"), abs=0.002)
