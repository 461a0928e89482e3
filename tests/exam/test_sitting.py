"""The exam itself: what is right, for a model and for the passages' best sentences."""

from collections import Counter

import pytest

from sovereign_rag.domain import LANGUAGES
from sovereign_rag.embedding.dense import DenseEmbedder
from sovereign_rag.embedding.lexical import Bm25Encoder
from sovereign_rag.exam.exam import Exam
from sovereign_rag.exam.question_set import Paper, the_paper
from sovereign_rag.exam.result import ExamResult
from sovereign_rag.exam.results_file import exam_key
from sovereign_rag.generation.llama_cpp import LlamaCppModel
from sovereign_rag.settings import EndpointSettings, GenerationSettings, load_settings
from tests.exam.scripted import ScriptedModel, copying, short


def sat(embedder: DenseEmbedder, language_model: ScriptedModel, paper: Paper) -> ExamResult:
    exam = Exam(
        paper, language_model, GenerationSettings(), embedder=embedder, lexical=Bm25Encoder()
    )
    return exam.sit()


def right(result: ExamResult) -> list[str]:
    return [mark.question for mark in result.marks if mark.right]


def test_each_language_is_asked_as_much_and_has_a_question_that_nothing_answers() -> None:
    questions = the_paper().questions

    assert Counter(q.language for q in questions) == dict.fromkeys(LANGUAGES, 5)
    assert Counter(q.language for q in questions if not q.answers) == dict.fromkeys(LANGUAGES, 1)
    assert all(bool(q.example) is bool(q.answers) for q in questions)
    assert all(answer in q.example for q in questions for answer in q.answers[:1])


def test_who_says_not_found_is_right_where_nothing_answers_and_wrong_elsewhere(
    embedder: DenseEmbedder,
) -> None:
    refusing = ScriptedModel(lambda question, prompt: "NOT FOUND")

    result = sat(embedder, refusing, short("fr-1", "fr-5"))

    assert right(result) == ["fr-5"]
    assert (result.score().refused, result.score().unanswerable) == (1, 1)
    assert [mark.extracts_right for mark in result.marks] == [True, False]


def test_a_wrong_answer_or_one_with_something_made_up_is_not_right(
    embedder: DenseEmbedder,
) -> None:
    sayings = [
        "The cold room is kept at minus 40 degrees.",
        "The cold room on the second floor is kept at minus 20 degrees. Penguins live in it.",
        "It is warm.",
        "The cold room on the second floor is kept at minus 20 degrees.",
    ]
    said = iter(sayings)
    language_model = ScriptedModel(lambda question, prompt: next(said))
    exam = Exam(
        short("en-1"),
        language_model,
        GenerationSettings(),
        embedder=embedder,
        lexical=Bm25Encoder(),
    )

    marks = [exam.ask(exam.questions[0]) for _ in sayings]

    assert [mark.right for mark in marks if mark] == [False, False, False, True]


def test_who_copies_the_passage_out_gains_nothing_by_it(embedder: DenseEmbedder) -> None:
    paper = short("en-1", "en-2", "en-5")

    result = sat(embedder, ScriptedModel(copying), paper)

    assert right(result) == ["en-1"]  # it stands first; the others' answers at the end, or nowhere


@pytest.mark.model
def test_the_model_that_comes_along_is_no_better_than_the_passages(
    embedder: DenseEmbedder,
) -> None:
    settings = load_settings(overrides={"generation": {"tune": False, "max_tokens": 48}})
    language_model = LlamaCppModel.open(settings)
    paper = short("fr-1", "de-1", "es-3", "it-3", "en-5")
    exam = Exam(
        paper, language_model, settings.generation, embedder=embedder, lexical=Bm25Encoder()
    )

    try:
        result = exam.sit()
    finally:
        language_model.close()

    score = result.score()
    assert score.extracts_right == 4
    assert score.right < score.extracts_right
    assert not result.trust("fr").trusted
    assert 0 < score.completion_tokens <= 5 * 48


def test_another_model_other_prompts_or_another_exam_have_a_key_of_their_own() -> None:
    paper, usual = short("fr-1"), GenerationSettings()
    model = "a" * 64
    keys = [
        exam_key("m", model, usual, paper),
        exam_key("m", "b" * 64, usual, paper),
        exam_key("m", "", usual, paper),
        exam_key("m", model, usual, paper, prompts=("fr-00000000",)),
        exam_key("m", model, usual, the_paper().__class__(paper.passages, (), "12345678")),
        exam_key("m", model, GenerationSettings(temperature=0.5), paper),
        exam_key("m", model, GenerationSettings(weights="as_is"), paper),
        exam_key("m", model, GenerationSettings(kv_cache="q8_0"), paper),
        exam_key("m", model, GenerationSettings(max_tokens=64), paper),
    ]

    assert len(set(keys)) == len(keys)
    same = GenerationSettings(max_tokens=4_000, threads=1, slots=2)
    assert exam_key("another name", model, same, paper) == keys[0]


def test_a_server_s_model_goes_by_its_name_and_where_it_is() -> None:
    def key(name: str, *urls: str) -> str:
        endpoint = EndpointSettings(urls=urls, allow=("10.0.0.0/8",), model=name)
        return exam_key(name, "", GenerationSettings(endpoint=endpoint), the_paper())

    one, other = "http://10.0.0.1/v1", "http://10.0.0.2/v1"

    assert len({key("a", one), key("b", one), key("a", other), key("a", one, other)}) == 4
    assert key("a", one, other) == key("a", other, one)
