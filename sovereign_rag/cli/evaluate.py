"""`eval`: how good search and answers are on labelled sets."""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from sovereign_rag.cli import abstention, compare
from sovereign_rag.cli.app import CommandRun, command, new_app
from sovereign_rag.cli.ask import KindOption, ModeOption
from sovereign_rag.cli.output import percent, print_json, table
from sovereign_rag.domain import SearchMode
from sovereign_rag.errors import BadInput
from sovereign_rag.version import VERSION

if TYPE_CHECKING:
    from sovereign_rag.evaluation.answers import AnswerReport
    from sovereign_rag.evaluation.datasets import LabelledQuestion
    from sovereign_rag.evaluation.retrieval import RetrievalReport
    from sovereign_rag.evaluation.scratch import ScratchIndex

app = new_app("Measure search and answers on labelled sets.")

Limit = Annotated[
    int | None,
    typer.Option("--limit-queries", min=1, help="Only so many, evenly spread over the file."),
]
Fresh = Annotated[bool, typer.Option("--fresh", help="Build the scratch index anew.")]
Out = Annotated[
    Path | None,
    typer.Option(help="Write the report with every single result to this file, for eval compare."),
]
_DECISIVE = {"chunk", "embedding", "retrieval", "answer", "generation"}
"""The settings that a result may depend on, noted beside it."""


app.add_typer(compare.app)


app.add_typer(abstention.app)


@command(
    app,
    "retrieval",
    examples=(
        "sovereign-rag eval retrieval evaldata/retrieval/xquad_multi-de_a",
        "sovereign-rag eval retrieval evaldata/retrieval/scifact_en --mode lexical --json",
    ),
)
def retrieval(
    run: CommandRun,
    folder: Annotated[
        Path,
        typer.Argument(metavar="DIR", help="With corpus.jsonl, queries.jsonl, qrels.tsv."),
    ],
    mode: Annotated[SearchMode, typer.Option(help="Which legs search.")] = "hybrid",
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

    _check(out)
    labelled = read_retrieval_set(folder)
    with _scratch_of(run, folder, fresh=fresh) as index, _bar(run, "Searching") as progress:
        report = evaluate_retrieval(
            labelled, index, mode=mode, limit_queries=limit, on_progress=progress
        )
    _publish(run, report, out, _print_retrieval)


@command(
    app,
    "answers",
    examples=(
        "sovereign-rag eval answers evaldata/qa/xquad_de_a.jsonl "
        "--index evaldata/retrieval/xquad_multi-de_a --mini",
        "sovereign-rag eval answers evaldata/qa/rgb_fact_en.jsonl --kind generated",
        "sovereign-rag eval answers our-questions.xlsx --out before.json",
    ),
)
def answers(
    run: CommandRun,
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="Questions with answers: JSON lines, or a spreadsheet (XLSX, ODS, CSV) with "
            "the columns question and answer, and if wanted answerable, language, document, "
            "id. The folder of a retrieval set asks its queries: of those it is known what "
            "answers them, not the answer's words.",
        ),
    ],
    index: Annotated[
        Path | None,
        typer.Option(
            metavar="DIR",
            help="The retrieval set to answer from; questions that name another one look "
            "for it beside. Not needed where each question has its own texts; without it a "
            "spreadsheet's are asked over the documents of the data folder.",
        ),
    ] = None,
    mini: Annotated[
        bool, typer.Option("--mini", help="Only the small subset that the file marks.")
    ] = False,
    language: Annotated[
        list[str] | None,
        typer.Option(metavar="CODE", help="Only questions in this language; may be repeated."),
    ] = None,
    leave_out_gold: Annotated[
        bool,
        typer.Option(
            "--leave-out-gold",
            help="Ask as if the documents that answer were not there: right is to say so.",
        ),
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
    from sovereign_rag.evaluation.datasets import with_gold_left_out
    from sovereign_rag.evaluation.retrieval import spread
    from sovereign_rag.evaluation.spreadsheets import SUFFIXES

    _check(out)
    sheet = file.suffix.lower() in SUFFIXES
    if sheet and leave_out_gold:
        raise BadInput("--leave-out-gold is for question sets that are asked over a corpus.")
    everything = _questions(file, mini=mini, languages=language or [])
    if leave_out_gold:
        everything = with_gold_left_out(everything)
    questions = spread(everything, limit)
    own = sheet and index is None
    index = index or (file if file.is_dir() else None)
    reports: list[AnswerReport] = []
    for folder, asked in ({None: questions} if own else _by_corpus(questions, index)).items():
        opened: AbstractContextManager[ScratchIndex]
        if own:
            opened = _own_documents(run)
        elif folder:
            opened = _scratch_of(run, folder, fresh=fresh)
        else:
            opened = _scratch(run, _hash(file), fresh=fresh)
        with opened as scratch, _bar(run, "Asking") as progress:
            reports.append(
                evaluate_answers(
                    file.stem,
                    asked,
                    scratch,
                    kind=kind,
                    mode=mode,
                    on_progress=progress,
                )
            )
    results = tuple(result for report in reports for result in report.results)
    whole = AnswerReport(
        file.stem,
        reports[0].mode,
        reports[0].kind,
        reports[0].embedding_model,
        results,
        left_aside=sum(report.left_aside for report in reports),
    )
    _publish(run, whole, out, _print_answers)


def _questions(
    file: Path, *, mini: bool, languages: Sequence[str]
) -> "tuple[LabelledQuestion, ...]":
    """The questions of a set: JSON lines, a spreadsheet, or the folder of a retrieval set.

    Raises:
        BadInput: They can't be read, `mini` is wanted of what marks no subset, or none is in
            `languages` (where any is given).
    """
    from sovereign_rag.evaluation.datasets import as_questions, read_questions, read_retrieval_set
    from sovereign_rag.evaluation.spreadsheets import SUFFIXES, read_spreadsheet

    sheet = file.suffix.lower() in SUFFIXES
    if mini and (sheet or file.is_dir()):
        raise BadInput("--mini is for question sets that mark a subset; use --limit-queries.")
    if file.is_dir():
        questions = as_questions(read_retrieval_set(file))
    else:
        questions = read_spreadsheet(file) if sheet else read_questions(file, mini=mini)
    spoken = tuple(q for q in questions if not languages or q.language in languages)
    if not spoken:
        raise BadInput(f"{file} holds no questions in {', '.join(languages)}.")
    return spoken


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


def _scratch(
    run: CommandRun, corpus: str, *, fresh: bool
) -> "AbstractContextManager[ScratchIndex]":
    from sovereign_rag.evaluation.scratch import cache_folder, open_scratch

    return open_scratch(run.settings, cache_folder(), corpus, fresh=fresh, open_service=run.open)


@contextmanager
def _own_documents(run: CommandRun) -> "Iterator[ScratchIndex]":
    """The documents of the data folder, as its owner sees them; only asked, never added to."""
    from sovereign_rag.evaluation.scratch import ScratchIndex

    with run.open() as application:
        yield ScratchIndex(application)


@contextmanager
def _scratch_of(run: CommandRun, folder: Path, *, fresh: bool) -> "Iterator[ScratchIndex]":
    """The scratch index of a retrieval set, with its corpus in it."""
    from sovereign_rag.evaluation.datasets import corpus_hash, read_corpus
    from sovereign_rag.evaluation.scratch import fill

    with _scratch(run, corpus_hash(folder), fresh=fresh) as index:
        total = sum(1 for _ in read_corpus(folder))
        with _bar(run, "Indexing") as progress:
            fill(index, read_corpus(folder), total=total, on_progress=progress)
        yield index


@contextmanager
def _bar(run: CommandRun, doing: str) -> Iterator[Callable[[int, int], None]]:
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


def _check(out: Path | None) -> None:
    """Refuse before the work what can't be written after it. Raises BadInput."""
    if out is not None and (out.is_dir() or not out.parent.is_dir()):
        raise BadInput(f"--out {out}: give a file in a folder that is there.")


def _publish(
    run: CommandRun,
    report: "RetrievalReport | AnswerReport",
    out: Path | None,
    show: "Callable[[CommandRun, dict[str, dict[str, float | None]]], None]",
) -> None:
    """Print the table, or the JSON of it; with `out` every single result goes to a file."""
    every = {**asdict(report), "version": VERSION}
    results = every.pop("results")
    summary = {**every, "table": report.table()}
    if out is not None:
        out.write_text(
            json.dumps(
                {**summary, "settings": _settings(run), "results": results},
                ensure_ascii=False,
                indent=1,
            ),
            encoding="utf-8",
        )
    if run.json:
        print_json(summary)
    else:
        described = ", ".join(f"{name} {value}" for name, value in every.items() if value)
        run.out.print(Text(described, "dim"))
        show(run, dict(summary["table"]))


def _settings(run: CommandRun) -> dict[str, object]:
    """What the results may depend on; secrets are written as asterisks."""
    return run.settings.model_dump(mode="json", include=_DECISIVE)


def _print_retrieval(run: CommandRun, rows: dict[str, dict[str, float | None]]) -> None:
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


def _print_answers(run: CommandRun, rows: dict[str, dict[str, float | None]]) -> None:
    shares = ("answered", "containment", "f1", "refused", "found", "verified")
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
