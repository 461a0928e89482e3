"""`ask`, `search` and `facets`: the ways in for a question."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from sovereign_rag.cli import conversation
from sovereign_rag.cli.answers import follow, passage_view, print_answer
from sovereign_rag.cli.app import CommandRun, command
from sovereign_rag.cli.filter_options import Filters
from sovereign_rag.cli.identity import Asker
from sovereign_rag.cli.output import print_json, table
from sovereign_rag.domain import RequestedKind, SearchMode
from sovereign_rag.errors import BadInput

if TYPE_CHECKING:
    from sovereign_rag.services.serialization.answers import AnswerOut

app = typer.Typer()

ModeOption = Annotated[
    SearchMode | None,
    typer.Option(help="Which legs search; the setting retrieval.mode unless said."),
]
KindOption = Annotated[
    RequestedKind | None,
    typer.Option(
        help="Verified extracts, or written by the language model; the setting answer.kind "
        "unless said."
    ),
]


@command(
    app,
    "ask",
    examples=(
        "sovereign-rag ask 'Quel est le prix du passeport ?'",
        "sovereign-rag ask 'What is our notice period?' --as user:ana --groups hr --json",
        "sovereign-rag ask 'Wie hoch ist der Zuschlag?' --type pdf --from 2024-01-01",
        "sovereign-rag ask --chat",
        "sovereign-rag ask 'Who is on call?' --url https://rag.example.org --key-file ana.key",
    ),
)
def ask(
    run: CommandRun,
    *,
    question: Annotated[
        str | None, typer.Argument(help="The question, in any language.", show_default=False)
    ] = None,
    chat: Annotated[
        bool,
        typer.Option(
            "--chat",
            help="Go on asking: a question may lean on those before it. /new begins anew, "
            "/quit or Ctrl-D ends.",
        ),
    ] = False,
    asker: Asker,
    kind: KindOption = None,
    mode: ModeOption = None,
    filters: Filters,
) -> None:
    """Answer a question from the documents, with quotes that were checked.

    Where nothing supports an answer, it says so; that is a result and no error.
    """
    if question is None and not chat:
        raise BadInput("There is no question. Give one, or --chat to be asked for them.")
    within = filters.search_filter()
    with run.target(asker) as target:

        def answered(asked: str, history: "Sequence[AnswerOut]") -> "AnswerOut":
            events = target.stream(asked, kind=kind, mode=mode, within=within, history=history)
            answer = follow(run, events)
            print_answer(run, answer, one_line=chat)
            return answer

        if chat:
            conversation.hold(run, question, answered)
        elif question is not None:
            answered(question, ())


@command(
    app,
    "search",
    examples=(
        "sovereign-rag search 'Kündigungsfrist' --limit 5",
        "sovereign-rag search 'délai de préavis' --as user:ana --groups hr",
        "sovereign-rag search 'passeport' --source /srv/handbook --language fr",
    ),
)
def search(
    run: CommandRun,
    query: Annotated[str, typer.Argument(help="What to look for, in any language.")],
    *,
    limit: Annotated[int, typer.Option(min=1, max=100, help="Most passages.")] = 10,
    asker: Asker,
    mode: ModeOption = None,
    filters: Filters,
) -> None:
    """Find passages, best first, with their scores and where each score came from."""
    within = filters.search_filter()
    with run.target(asker) as target:
        passages = target.search(query, limit=limit, mode=mode, within=within)
    if run.json:
        print_json({"query": query, "passages": [passage.plain() for passage in passages]})
    elif not passages:
        run.note("Nothing found.")
    else:
        for number, passage in enumerate(passages, start=1):
            run.out.print(passage_view(number, passage))


@command(
    app,
    "facets",
    examples=(
        "sovereign-rag facets",
        "sovereign-rag facets --as user:ana --groups hr --from 2024-01-01 --json",
    ),
)
def facets(
    run: CommandRun,
    *,
    asker: Asker,
    filters: Filters,
) -> None:
    """Count the passages that a search could find, by language and by type."""
    within = filters.search_filter()
    with run.target(asker) as target:
        counted = target.facets(within)
    if run.json:
        print_json(counted)
    elif not any(counted.values()):
        run.note("Nothing found.")
    else:
        rows = [
            (field.replace("_", " "), value, passages)
            for field, values in counted.items()
            for value, passages in values.items()
        ]
        run.out.print(table(("by", "value", ">passages"), rows))
