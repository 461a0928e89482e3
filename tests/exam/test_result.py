"""What follows from the counts of an exam."""

import re

import pytest

from sovereign_rag.answering.draft import extracts_notice, generated
from sovereign_rag.answering.prompt import Prompt
from sovereign_rag.answering.trust import Trust
from sovereign_rag.domain import LANGUAGES, Statement, Verdict
from sovereign_rag.exam.result import ExamResult
from sovereign_rag.generation.protocol import Delta
from tests.exam.scripted import ScriptedModel, result_of


@pytest.mark.parametrize(
    ("right", "extracts", "trusted"), [(4, 3, True), (3, 3, True), (2, 3, False)]
)
def test_a_model_is_trusted_that_is_at_least_as_good_as_the_extracts(
    right: int, extracts: int, trusted: bool
) -> None:
    trust = result_of(right, extracts).trust("fr")

    assert (trust.trusted, trust.by) == (trusted, "exam")
    assert (trust.questions, trust.right, trust.extracts_right) == (25, 5 * right, 5 * extracts)


def test_in_a_language_where_it_falls_behind_it_is_not_trusted_and_in_the_others_it_is() -> None:
    result = result_of(5, 3, de=(1, 3), it=(2, 3))

    german, italian = result.trust("de"), result.trust("it")

    assert not german.trusted
    assert (german.questions, german.right, german.extracts_right) == (5, 1, 3)
    assert italian.trusted  # one question of five is chance
    assert result.trust("fr").trusted
    assert result.trust("pt").trusted  # the exam has none of it: all together counts
    assert result.trust().trusted


def test_being_good_in_one_language_does_not_help_a_model_that_is_worse_in_all() -> None:
    result = result_of(0, 3, fr=(5, 3))

    assert not result.trust("fr").trusted
    assert result.trust("fr").right == 5


def test_a_result_is_the_same_after_it_was_written_down() -> None:
    result = result_of(4, 3)

    assert ExamResult.of_json(result.to_json()) == result


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_notice_tells_the_counts_in_the_asker_s_language(language: str) -> None:
    language_model, said = ScriptedModel(), (Statement("x", Verdict.SUPPORTED, ()),)
    good, bad = result_of(4, 3).trust(language), result_of(1, 3).trust(language)

    def written(trust: Trust) -> str:
        prompt = Prompt((), "x", ())
        return generated("x", said, prompt, language_model, Delta(""), language, trust=trust).notice

    of_extracts = extracts_notice("auto", language_model, bad, language)

    assert "scripted" in of_extracts
    assert [counted(text) for text in (of_extracts, written(bad), written(good))] == [
        *(["25", "5", "15"], ["25", "5", "15"], ["25", "20", "15"]),
    ]


def counted(notice: str) -> list[str]:
    return re.findall(r"\d+", notice)
