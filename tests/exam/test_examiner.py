"""A model is examined when nobody asks anything, once, and whole or not at all."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sovereign_rag.embedding.dense import DenseEmbedder
from sovereign_rag.embedding.lexical import Bm25Encoder
from sovereign_rag.exam.examiner import Examiner
from sovereign_rag.exam.question_set import Paper
from sovereign_rag.exam.results_file import Exams, exam_key
from sovereign_rag.generation.protocol import ModelInfo
from sovereign_rag.settings import GenerationSettings, Settings
from tests.exam.scripted import INFO, ScriptedModel, copying, result_of, short

PAPER = short("en-1", "en-2")
Make = Callable[..., Examiner]


@pytest.fixture
def settings(product_settings: Callable[..., Settings], tmp_path: Path) -> Settings:
    return product_settings(models_dir=tmp_path / "models")


@pytest.fixture
def examiner(settings: Settings, embedder: DenseEmbedder) -> Iterator[Make]:
    made: list[Examiner] = []

    def make(idle_s: float = 0.01, paper: Paper = PAPER, **generation: object) -> Examiner:
        own = GenerationSettings.model_validate(generation)
        changed = settings.model_copy(update={"generation": own})
        lexical = Bm25Encoder()
        made.append(
            Examiner(
                changed, embedder=lambda: embedder, lexical=lexical, paper=paper, idle_s=idle_s
            )
        )
        return made[-1]

    yield make
    for one in made:
        one.close()


def threads(language_model: ScriptedModel) -> list[threading.Thread]:
    """Those that examine it."""
    name = f"exam of {language_model.info.name}"
    return [thread for thread in threading.enumerate() if thread.name == name]


def until_over(language_model: ScriptedModel) -> None:
    for thread in threads(language_model):
        thread.join(300)


def until_examined(examiner: Examiner, language_model: ScriptedModel) -> None:
    until_over(language_model)
    assert examiner.kept(language_model) is not None


def test_until_it_is_examined_its_size_decides_and_then_its_exam(examiner: Make) -> None:
    small = ScriptedModel()
    made = examiner()

    before = made.judge(small, "en")
    until_examined(made, small)
    after = made.judge(small, "en")

    assert (before.trusted, before.by) == (False, "prior")
    assert (after.trusted, after.by) == (True, "exam")
    assert (after.questions, after.right, after.extracts_right) == (2, 2, 2)


def test_a_large_model_that_is_worse_than_the_passages_loses_its_trust(examiner: Make) -> None:
    large = ScriptedModel(
        lambda question, prompt: "NOT FOUND",
        info=ModelInfo("large", "7" * 64, "none", 10**11, 8_192, None),
    )
    made = examiner()

    before = made.judge(large, "en")
    until_examined(made, large)

    assert before.trusted
    assert not made.judge(large, "en").trusted


def test_the_result_serves_the_next_start_and_nobody_is_asked_again(examiner: Make) -> None:
    first, again = ScriptedModel(), ScriptedModel(copying)
    made = examiner()
    made.judge(first, "en")
    until_examined(made, first)

    told = examiner().judge(again, "en")

    assert told.by == "exam"
    assert again.asked == []


def test_a_real_question_comes_first_and_the_exam_goes_on_after_it(examiner: Make) -> None:
    language_model = ScriptedModel()
    language_model.holds = {1}
    made = examiner()
    made.judge(language_model, "en")
    for _ in range(2):
        assert language_model.writing.acquire(timeout=300)

    with made.question():  # the second one, held, is cancelled for it
        assert made.judge(language_model, "en").by == "prior"
        asked = list(language_model.asked)
    until_examined(made, language_model)

    assert asked == ["en-1", "en-2"]
    assert language_model.asked == ["en-1", "en-2", "en-2"]
    result = made.kept(language_model)
    assert result is not None
    assert [mark.question for mark in result.marks] == ["en-1", "en-2"]


def test_a_service_that_ends_in_the_middle_keeps_nothing_of_the_exam(
    examiner: Make, settings: Settings
) -> None:
    language_model = ScriptedModel()
    language_model.holds = {1}
    made = examiner()
    made.judge(language_model, "en")
    for _ in range(2):
        assert language_model.writing.acquire(timeout=300)

    made.close()

    assert made.kept(language_model) is None
    assert not (settings.models_dir / "exams.json").exists()
    later, free = examiner(), ScriptedModel()
    later.judge(free, "en")
    until_examined(later, free)
    assert free.asked == ["en-1", "en-2"]


def test_a_model_that_fails_in_its_exam_is_left_alone_until_the_next_start(
    examiner: Make,
) -> None:
    language_model = ScriptedModel()
    language_model.fails = True
    made = examiner()

    before = made.judge(language_model, "en")
    until_over(language_model)

    assert made.kept(language_model) is None
    assert made.judge(language_model, "en") == before


@pytest.mark.parametrize(
    ("generation", "info"),
    [
        ({"exam": False}, INFO),
        ({}, ModelInfo("a server's", "", "", 0, 8_192, None, trusted=True)),
    ],
)
def test_nobody_is_examined_by_itself_whom_the_admin_keeps_from_it_nor_a_server(
    examiner: Make, generation: dict[str, object], info: ModelInfo
) -> None:
    language_model = ScriptedModel(info=info)

    told = examiner(**generation).judge(language_model, "en")

    assert told.by == "prior"
    assert threads(language_model) == []


def test_two_that_would_examine_the_same_model_take_turns(
    examiner: Make, settings: Settings
) -> None:
    one, other = ScriptedModel(), ScriptedModel()
    key = exam_key(INFO.name, INFO.sha256, GenerationSettings(), PAPER)
    exams = Exams(settings.models_dir)
    waiting = examiner()

    with exams.alone(key, wait=False) as first, exams.alone(key, wait=False) as second:
        waiting.judge(other, "en")
        exams.keep(key, result_of(4, 3))
    until_examined(waiting, one)

    assert (first, second) == (True, False)
    assert other.asked == []
    assert waiting.judge(other, "en").right == 20


def test_a_broken_file_of_results_counts_as_none_and_is_made_again(settings: Settings) -> None:
    exams = Exams(settings.models_dir)
    exams.folder.mkdir(parents=True)
    file = exams.folder / "exams.json"

    for broken in (
        "{",
        "[]",
        '{"k": {"model": "m"}}',
        '{"k": {"model": 1, "taken": 2, "marks": []}}',
    ):
        file.write_text(broken, encoding="utf-8")
        assert exams.kept("k") is None
    assert exams.keep("k", result_of(4, 3))

    assert exams.kept("k") == result_of(4, 3)


def test_a_folder_that_cannot_be_written_is_told_and_does_not_stop_an_exam(
    tmp_path: Path,
) -> None:
    (tmp_path / "models").write_text("a file where the folder should be", encoding="utf-8")
    exams = Exams(tmp_path / "models")

    with exams.alone("k", wait=False) as alone:
        kept = exams.keep("k", result_of(4, 3))

    assert (alone, kept) == (True, False)
