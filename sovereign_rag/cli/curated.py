"""`curated`: answers that the house keeps for questions that are asked often."""

from datetime import UTC, date, datetime, timedelta
from typing import Annotated

import typer

from sovereign_rag.access import DEFAULT_TENANT, local_owner
from sovereign_rag.cli.app import CommandRun, command, new_app
from sovereign_rag.cli.identity import Tenant
from sovereign_rag.cli.output import print_json, safe, table
from sovereign_rag.errors import BadInput

app = new_app("Keep answers of the house for questions that are asked often.")

AnswerId = Annotated[str, typer.Argument(metavar="ID", help="As `curated list` prints it.")]
Due = Annotated[
    str | None,
    typer.Option(
        metavar="DAY", help="When it is looked at again: 2027-05-31; else in half a year."
    ),
]
_HALF_A_YEAR = timedelta(days=182)


@command(app, "list", examples=("sovereign-rag curated list", "sovereign-rag curated list --json"))
def list_(run: CommandRun, tenant: Tenant = DEFAULT_TENANT) -> None:
    """List the answers, what is to be looked at again first."""
    from sovereign_rag.services.serialization.curated import CuratedOut

    with run.open() as service:
        views = service.console.curated.all(local_owner(tenant))
    answers = [CuratedOut.of(view) for view in views]
    if run.json:
        print_json({"answers": [answer.plain() for answer in answers]})
        return
    rows = (
        (
            one.id,
            safe(one.wordings[0], one_line=True) if one.wordings else "-",
            ", ".join(one.texts or {}),
            one.checked_by,
            f"{one.due}{' overdue' if one.overdue else ''}",
            one.trouble or "",
        )
        for one in answers
    )
    run.out.print(table(("id", "question", "languages", "checked by", "due", "trouble"), rows))


@command(
    app,
    "add",
    examples=(
        'sovereign-rag curated add --question "How many days of leave do I have?" '
        '--text "en:Thirty days a year." --source Leave.pdf --quote "thirty working days"',
    ),
)
def add(
    run: CommandRun,
    question: Annotated[list[str], typer.Option(help="In one wording or several.")],
    text: Annotated[list[str], typer.Option(metavar="LANGUAGE:TEXT", help="The answer: en:…")],
    source: Annotated[list[str], typer.Option(help="A document, by its id or its file's name.")],
    quote: Annotated[list[str], typer.Option(help="What it says; one for each --source.")],
    due: Due = None,
    tenant: Tenant = DEFAULT_TENANT,
) -> None:
    """Keep an answer: it is given to who may read its sources and asks the question."""
    from sovereign_rag.services.curated_desk import WantedAnswer, WantedSource

    if len(source) != len(quote):
        raise BadInput("Give one --quote for each --source, in the same order.")
    sources = [WantedSource(*pair) for pair in zip(source, quote, strict=True)]
    wanted = WantedAnswer(question, dict(map(_text, text)), sources, _day(due))
    with run.open() as service:
        made = service.console.curated.save(wanted, local_owner(tenant))
    _tell(run, made, "kept")


@command(app, "check", examples=("sovereign-rag curated check 8d21… --due 2027-12-31",))
def check(
    run: CommandRun, answer_id: AnswerId, due: Due = None, tenant: Tenant = DEFAULT_TENANT
) -> None:
    """Say that an answer is right as it is; its quotes are looked up again."""
    with run.open() as service:
        service.console.curated.confirm(answer_id, _day(due), local_owner(tenant))
    _tell(run, answer_id, "checked")


@command(app, "remove", examples=("sovereign-rag curated remove 8d21…",))
def remove(run: CommandRun, answer_id: AnswerId, tenant: Tenant = DEFAULT_TENANT) -> None:
    """Forget an answer."""
    with run.open() as service:
        service.console.curated.remove(answer_id, local_owner(tenant))
    _tell(run, answer_id, "removed")


def _tell(run: CommandRun, id_: str, done: str) -> None:
    if run.json:
        print_json({"id": id_, "state": done})
    else:
        run.out.print(f"{id_} {done}")


def _text(given: str) -> tuple[str, str]:
    language, colon, text = given.partition(":")
    if not colon or len(language) != 2:
        raise BadInput(f"--text {given!r}: begin with the language, e.g. en:Thirty days a year.")
    return language, text


def _day(given: str | None) -> date:
    if given is None:
        return datetime.now(UTC).date() + _HALF_A_YEAR
    try:
        return date.fromisoformat(given)
    except ValueError as error:
        raise BadInput(f"--due {given!r} is no day: write 2027-05-31.") from error
