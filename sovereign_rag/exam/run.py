"""An exam at once, because somebody says so: for the commands."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from sovereign_rag.answering.prompt import system_prompts
from sovereign_rag.exam.exam import Exam, Progress
from sovereign_rag.exam.question_set import the_paper
from sovereign_rag.exam.result import ExamResult
from sovereign_rag.exam.results_file import Exams, exam_key
from sovereign_rag.generation.opening import open_language_model
from sovereign_rag.generation.protocol import LanguageModel
from sovereign_rag.settings import EndpointSettings, Settings


def with_model(settings: Settings, name: str) -> Settings:
    """The settings with an imported model in place of theirs."""
    generation = settings.generation.model_copy(
        update={"model": Path(name), "sha256": None, "endpoint": EndpointSettings()}
    )
    return settings.model_copy(update={"generation": generation})


def examine(
    settings: Settings,
    *,
    again: bool = False,
    on_wait: Callable[[], None] = lambda: None,
    on_progress: Progress = lambda done, total: None,
) -> ExamResult:
    """The result of the exam of the model that the settings name, sat now if there is none.

    Args:
        again: Sit it though there is a result.
        on_wait: Called when another process has the same exam under way; its result is taken.

    Raises:
        ModelMissing, ModelError, SettingsError: The model or the endpoint is not usable.
        Busy, GenerationError: It did not answer; nothing is kept.
    """
    exams, paper = Exams(settings.models_dir), the_paper()
    with closing(open_language_model(settings, public_prompts=system_prompts())) as language_model:
        info = language_model.info
        key = exam_key(info.name, info.sha256, settings.generation, paper)
        if not again and (result := exams.kept(key)) is not None:
            return result
        with exams.alone(key, wait=False) as alone:
            if alone:
                return _sit(settings, language_model, exams, key, on_progress)
        on_wait()
        with exams.alone(key, wait=True):
            result = exams.kept(key)
            if result is None:  # the other one was stopped
                result = _sit(settings, language_model, exams, key, on_progress)
            return result


def _sit(
    settings: Settings, language_model: LanguageModel, exams: Exams, key: str, on_progress: Progress
) -> ExamResult:
    from sovereign_rag.embedding.dense import DenseEmbedder
    from sovereign_rag.embedding.lexical import Bm25Encoder

    exam = Exam(
        the_paper(),
        language_model,
        settings.generation,
        embedder=DenseEmbedder.open(settings),
        lexical=Bm25Encoder.open(settings),
    )
    result = exam.sit(on_progress=on_progress)
    exams.keep(key, result)
    return result
