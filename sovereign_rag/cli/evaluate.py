"""`eval`: how good search and answers are on labelled sets."""

import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Protocol

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from sovereign_rag.cli.app import Run, command, new_app
from sovereign_rag.cli.ask import KindOption, Mode, ModeOption
from sovereign_rag.cli.output import percent, print_json, table
from sovereign_rag.errors import BadInput, EnvironmentFault

if TYPE_CHECKING:
    from sovereign_rag.evaluation.answers import AnswerReport
    from sovereign_rag.evaluation.datasets import LabelledQuestion
    from sovereign_rag.evaluation.retrieval import RetrievalReport
    from sovereign_rag.evaluation.scratch import ScratchIndex

Limit = Annotated[
    int | None,
    typer.Option("--limit-queries", min=1, help="Only so many, evenly spread over the file."),
]
Fresh = Annotated[bool, typer.Option("--fresh", help="Build the scratch index anew.")]
Out = Annotated[
    Path | None, typer.Option(help="Write the report with every single result to this file.")
]


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    evaluation = new_app("Measure search and answers on labelled sets.")
    app.add_typer(evaluation, name="eval")

    @command(
        evaluation,
        "retrieval",
        examples=(
            "sovereign-rag eval retrieval evaldata/retrieval/xquad_multi-de_a",
            "sovereign-rag eval retrieval evaldata/retrieval/scifact_en --mode lexical --json",
        ),
    )
    def retrieval(
        run: Run,
        folder: Annotated[
            Path,
            typer.Argument(metavar="DIR", help="With corpus.jsonl, queries.jsonl, qrels.tsv."),
        ],
        mode: Annotated[Mode, typer.Option(help="Which legs search.")] = Mode.HYBRID,
        limit: Limit = None,
        fresh: Fresh = False,
        out: Out = None,
    ) -> None:
        """Search a labelled set's queries and measure what is found.

        The corpus goes through the product's own chunking, embedding and store, into a scratch
        index in the cache folder that later runs use again.
        """
        from sovereign_rag.evaluation.datasets import read_retrieval_set
        from sovereign_rag.evaluation.retrieval import evaluate_retrieval

        labelled = read_retrieval_set(folder)
        with _scratch_of(run, folder, fresh=fresh) as index, _bar(run, "Searching") as progress:
            report = evaluate_retrieval(
                labelled, index, mode=mode.value, limit_queries=limit, on_progress=progress
            )
        _publish(run, report, out, _print_retrieval)

    @command(
        evaluation,
        "answers",
        examples=(
            "sovereign-rag eval answers evaldata/qa/xquad_de_a.jsonl "
            "--index evaldata/retrieval/xquad_multi-de_a --mini",
            "sovereign-rag eval answers evaldata/qa/rgb_fact_en.jsonl --kind generated",
        ),
    )
    def answers(
        run: Run,
        file: Annotated[Path, typer.Argument(metavar="FILE", help="Questions with answers.")],
        index: Annotated[
            Path | None,
            typer.Option(
                metavar="DIR",
                help="The retrieval set to answer from; questions that name another one look "
                "for it beside. Not needed where each question has its own texts.",
            ),
        ] = None,
        mini: Annotated[
            bool, typer.Option("--mini", help="Only the small subset that the file marks.")
        ] = False,
        kind: KindOption = None,
        mode: ModeOption = None,
        limit: Limit = None,
        fresh: Fresh = False,
        out: Out = None,
    ) -> None:
        """Ask a labelled set's questions and judge the answers.

        Every quote is looked up in the stored text once more, without the product's own check.
        """
        from sovereign_rag.evaluation.answers import AnswerReport, evaluate_answers
        from sovereign_rag.evaluation.datasets import read_questions
        from sovereign_rag.evaluation.retrieval import spread

        questions = spread(read_questions(file, mini=mini), limit)
        reports: list[AnswerReport] = []
        for folder, asked in _by_corpus(questions, index).items():
            opened = (
                _scratch_of(run, folder, fresh=fresh)
                if folder
                else _scratch(run, _hash(file), fresh=fresh)
            )
            with opened as scratch, _bar(run, "Asking") as progress:
                reports.append(
                    evaluate_answers(
                        file.stem,
                        asked,
                        scratch,
                        kind=kind.value if kind else None,
                        mode=mode.value if mode else None,
                        on_progress=progress,
                    )
                )
        results = tuple(result for report in reports for result in report.results)
        whole = AnswerReport(
            file.stem, reports[0].mode, reports[0].kind, reports[0].embedding_model, results
        )
        _publish(run, whole, out, _print_answers)


def _by_corpus(
    questions: "Sequence[LabelledQuestion]", index: Path | None
) -> "dict[Path | None, list[LabelledQuestion]]":
    """Questions by the folder of the corpus that they are asked over; None: texts of their own.

    Raises:
        BadInput: A question needs a corpus and none is given, or it isn't there.
    """
    found: dict[Path | None, list[LabelledQuestion]] = {}
    for question in questions:
        folder: Path | None = None
        if not question.documents:
            if index is None:
                raise BadInput("These questions need a corpus: add --index with its folder.")
            folder = index
            if question.retrieval_set and question.retrieval_set != index.resolve().name:
                folder = index.resolve().parent / question.retrieval_set
            if not folder.is_dir():
                raise BadInput(f"The retrieval set {folder} is not there; --index names one.")
        found.setdefault(folder, []).append(question)
    return found


def _hash(file: Path) -> str:
    from sovereign_rag.models.manifest import hash_file

    return hash_file(file)


@contextmanager
def _scratch(run: Run, corpus: str, *, fresh: bool) -> "Iterator[ScratchIndex]":
    """The scratch index for a corpus, one process at a time: it is built once."""
    import platformdirs
    from filelock import FileLock, Timeout

    from sovereign_rag.evaluation.scratch import ScratchIndex, scratch_settings

    cache = Path(platformdirs.user_cache_dir("sovereign-rag")) / "eval"
    cache.mkdir(parents=True, exist_ok=True)
    settings = scratch_settings(run.settings, cache, corpus)
    try:
        with FileLock(settings.data_dir.with_suffix(".lock"), timeout=0):
            if fresh:
                shutil.rmtree(settings.data_dir, ignore_errors=True)
            with run.open(settings) as application:
                yield ScratchIndex(application)
    except Timeout as error:
        raise EnvironmentFault(
            "Another evaluation is using this index. Wait until it is done."
        ) from error


@contextmanager
def _scratch_of(run: Run, folder: Path, *, fresh: bool) -> "Iterator[ScratchIndex]":
    """The scratch index of a retrieval set, with its corpus in it."""
    from sovereign_rag.evaluation.datasets import corpus_hash, read_corpus
    from sovereign_rag.evaluation.scratch import fill

    with _scratch(run, corpus_hash(folder), fresh=fresh) as index:
        total = sum(1 for _ in read_corpus(folder))
        with _bar(run, "Indexing") as progress:
            fill(index, read_corpus(folder), total=total, on_progress=progress)
        yield index


@contextmanager
def _bar(run: Run, doing: str) -> Iterator[Callable[[int, int], None]]:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=30),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    )
    shown = run.err.is_terminal and not run.json
    with Progress(*columns, console=run.err, transient=True, disable=not shown) as progress:
        task = progress.add_task(doing, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


class _Report(Protocol):
    """A report of either kind."""

    def table(self) -> dict[str, dict[str, float | None]]: ...


def _publish(
    run: Run,
    report: "RetrievalReport | AnswerReport",
    out: Path | None,
    show: "Callable[[Run, dict[str, dict[str, float | None]]], None]",
) -> None:
    """Print the table, or the JSON of it; with `out` every single result goes to a file."""
    every = asdict(report)
    results = every.pop("results")
    summary = {**every, "table": report.table()}
    if out is not None:
        out.write_text(
            json.dumps({**summary, "results": results}, ensure_ascii=False, indent=1),
            encoding="utf-8",
        )
    if run.json:
        print_json(summary)
    else:
        described = ", ".join(f"{name} {value}" for name, value in every.items() if value)
        run.out.print(Text(described, "dim"))
        show(run, dict(summary["table"]))


def _print_retrieval(run: Run, rows: dict[str, dict[str, float | None]]) -> None:
    measures = [name for name in rows["all"] if name not in ("queries", "ms")]
    columns = ("language", ">queries", *(f">{name}" for name in measures), ">ms")
    cells = (
        (
            language,
            row["queries"],
            *(f"{row[name] or 0:.3f}" for name in measures),
            f"{row['ms']:.0f}",
        )
        for language, row in rows.items()
    )
    run.out.print(table(columns, cells))


def _print_answers(run: Run, rows: dict[str, dict[str, float | None]]) -> None:
    shares = ("answered", "containment", "f1", "refused", "verified")
    columns = (
        "language",
        ">questions",
        ">answerable",
        *(f">{name} %" for name in shares),
        ">quotes",
    )
    cells = (
        (
            language,
            row["questions"],
            row["answerable"],
            *(percent(row[name]) for name in shares),
            row["quotes"],
        )
        for language, row in rows.items()
    )
    run.out.print(table(columns, cells))
