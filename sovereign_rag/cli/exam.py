"""`models exam`: whether a model's own words are better than the passages themselves."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from sovereign_rag.cli.app import CommandRun, command
from sovereign_rag.cli.on_record import audited
from sovereign_rag.cli.output import print_json, table
from sovereign_rag.errors import SovereignError

if TYPE_CHECKING:
    from sovereign_rag.exam.exam import Progress as ExamProgress
    from sovereign_rag.exam.result import ExamResult, Score
    from sovereign_rag.models.manifest import ModelEntry
    from sovereign_rag.settings import Settings

app = typer.Typer()


@command(
    app,
    "exam",
    examples=("sovereign-rag models exam", "sovereign-rag models exam house-model --again"),
)
def exam(
    run: CommandRun,
    name: Annotated[
        str | None,
        typer.Argument(metavar="NAME", help="As `models list` prints it; else the one in use."),
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="Examine it anew, though there is a result.")
    ] = False,
) -> None:
    """Examine a language model: are its own words better than the passages themselves?

    25 questions in five languages over short passages that come along, five of which nothing
    answers. The model's answers and the best sentences are judged alike. With
    answer.kind = "auto" the better of the two answers from then on. The result is kept.
    """
    from sovereign_rag.exam.run import with_model

    settings = with_model(run.settings, name) if name else run.settings
    result = _examined(run, settings, again=again)
    if run.json:
        print_json({"exam": exam_to_dict(result)})
        return
    print_exam(run, result)


def examine_imported(run: CommandRun, name: str) -> "ExamResult | None":
    """Examine a model that has just come in; None: it could not be, which is told."""
    from sovereign_rag.exam.run import with_model

    try:
        return _examined(run, with_model(run.settings, name), again=False)
    except SovereignError as error:
        run.note(
            f"It was imported, but not examined: {error} Later: `sovereign-rag models exam {name}`",
            style="yellow",
        )
        return None


def kept_result(settings: "Settings", entry: "ModelEntry") -> "ExamResult | None":
    """What the exam of a model on disk gave; None: it sat none."""
    from sovereign_rag.exam.question_set import the_paper
    from sovereign_rag.exam.results_file import Exams, exam_key

    if entry.role != "generation" or not entry.sha256:
        return None
    key = exam_key(entry.name, entry.sha256, settings.generation, the_paper())
    return Exams(settings.models_dir).kept(key)


def in_words(result: "ExamResult | None") -> str:
    """What an exam gave, in a few words."""
    if result is None:
        return "not examined"
    score = result.score()
    return (
        f"{score.right} of {score.questions} right, the passages' best sentences "
        f"{score.extracts_right}"
    )


def exam_to_dict(result: "ExamResult") -> dict[str, object]:
    scores = {language: _to_dict(result.score(language)) for language in result.languages}
    for language, score in scores.items():
        score["trusted"] = result.trust(language).trusted
    return {
        "model": result.model,
        "taken": result.taken,
        "trusted": result.trust().trusted,
        **_to_dict(result.score()),
        "languages": scores,
    }


def _to_dict(score: "Score") -> dict[str, object]:
    return {
        "questions": score.questions,
        "right": score.right,
        "extracts_right": score.extracts_right,
        "unanswerable": score.unanswerable,
        "refused": score.refused,
        "prompt_tokens": score.prompt_tokens,
        "completion_tokens": score.completion_tokens,
        "seconds": round(score.seconds, 1),
        "extracts_seconds": round(score.extracts_seconds, 1),
    }


def print_exam(run: CommandRun, result: "ExamResult") -> None:
    """A row a language, and what follows."""
    columns = (
        *("language", ">questions", ">model right", ">extracts right", ">refused, of unanswerable"),
        *(">tokens read", ">written", ">s an answer", ">s extracts", "auto answers with"),
    )
    rows = [_row(language, result) for language in (*result.languages, None)]
    run.out.print(table(columns, rows))
    kind, trusted = run.settings.answer.kind, result.trust().trusted
    better = "its own words" if trusted else "extracts"
    run.note(f"{result.model}, {result.taken}: {better} with answer.kind = auto.")
    if kind != "auto":
        run.note(f"The setting answer.kind is {kind}, and holds whatever the exam says.")


def _row(language: str | None, result: "ExamResult") -> tuple[object, ...]:
    score = result.score(language)
    words = "the model's words" if result.trust(language).trusted else "extracts"
    return (
        language or "all",
        score.questions,
        score.right,
        score.extracts_right,
        f"{score.refused} of {score.unanswerable}",
        score.prompt_tokens,
        score.completion_tokens,
        f"{score.seconds / score.questions:.1f}",
        f"{score.extracts_seconds / score.questions:.1f}",
        words,
    )


def _examined(run: CommandRun, settings: "Settings", *, again: bool) -> "ExamResult":
    from sovereign_rag.exam.run import examine

    model = {"model": str(settings.generation.model or ""), "again": again}
    with audited(run, "models.exam", model) as outcome, _progress(run) as progress:
        result = examine(
            settings,
            again=again,
            on_wait=lambda: run.note("Another process examines this model; waiting for it."),
            on_progress=progress,
        )
        outcome |= {"model": result.model, "trusted": result.trust().trusted}
        return result


@contextmanager
def _progress(run: CommandRun) -> "Iterator[ExamProgress]":
    """A bar on stderr, on a terminal alone."""
    bar = Progress(
        TextColumn("examining"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=run.err,
        transient=True,
        disable=run.json or not run.err.is_terminal,
    )
    task = bar.add_task("examining", total=None)
    with bar:
        yield lambda done, total: bar.update(task, completed=done, total=total)
