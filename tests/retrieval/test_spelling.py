"""A misspelt word is taken for the one that was meant, among words that the asker may read."""

import pytest

from sovereign_rag.retrieval.spelling import closest

KNOWN = ("sabbatical", "password", "regelfall", "pseudonymisation", "referral", "apprentices")


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("sabatical", "sabbatical"),
        ("passwrod", "password"),
        ("regellfall", "regelfall"),
        ("pseudonimisation", "pseudonymisation"),
        ("referal", "referral"),
        ("aprentices", "apprentices"),
    ],
)
def test_a_typing_error_is_mended(typed: str, meant: str) -> None:
    assert closest(typed, KNOWN) == meant


@pytest.mark.parametrize("typed", ["grandparents", "tattoos", "password", "salary"])
def test_another_word_and_the_right_one_are_left_alone(typed: str) -> None:
    assert closest(typed, KNOWN) is None


@pytest.mark.parametrize("typed", ["chess", "chesse"])
def test_a_word_is_like_another_as_written_not_only_as_it_sounds(typed: str) -> None:
    meant = {"chess": None, "chesse": "cheese"}
    assert closest(typed, ["cheese", "cheques"]) == meant[typed]


def test_an_article_without_its_apostrophe_is_taken_off() -> None:
    assert closest("lincertezza", ["taratura", "incertezza"]) == "incertezza"
    assert closest("dindemnité", ["indemnite", "congé"]) == "indemnite"
    assert closest("lettera", ["incertezza", "taratura"]) is None
