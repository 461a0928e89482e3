"""`answers`: an answer as a signed file, held against the archive later, and computed again."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sovereign_rag.access import DEFAULT_TENANT, local_owner
from sovereign_rag.cli.app import CommandRun, command, new_app
from sovereign_rag.cli.identity import Tenant
from sovereign_rag.cli.output import print_json, table
from sovereign_rag.errors import BadInput, EnvironmentFault

if TYPE_CHECKING:
    from sovereign_rag.services.serialization.answers import AnswerOut

app = new_app("Keep an answer as evidence, verify it later, and compute it again.")

Dossier = Annotated[Path, typer.Argument(metavar="FILE", help="As `answers export` wrote it.")]
PublicKey = Annotated[Path, typer.Option(help="Of whoever signed it.")]


@command(
    app,
    "export",
    examples=(
        "sovereign-rag ask 'Who pays for the taxi?' --json > answer.json",
        "sovereign-rag answers export answer.json --key dpo.pem --to dossier.json",
    ),
)
def export(
    run: CommandRun,
    answer: Annotated[
        Path, typer.Argument(metavar="ANSWER", help="As `ask --json` or the API wrote it.")
    ],
    key: Annotated[Path, typer.Option(help="Sign it with this key, as `audit key` makes one.")],
    to: Annotated[Path, typer.Option(metavar="FILE", help="Where it is written, a new file.")],
    tenant: Tenant = DEFAULT_TENANT,
) -> None:
    """Make a signed dossier of an answer that was given here, as the audit record tells.

    It holds question, rights at that time, passages with their hashes, the answer with its
    verdicts, timings and energy, models with theirs, and settings. It is as secret as they are.
    """
    from sovereign_rag.compliance import dossier
    from sovereign_rag.storage.audit_signing import private_key
    from sovereign_rag.storage.signed_statements import signed_statement

    signing, given = private_key(key), _answer(answer)
    with run.open() as service:
        made = dossier.export(service, given, local_owner(tenant))
    try:
        with to.open("xb") as file:
            to.chmod(0o600)
            file.write(signed_statement(dossier.KIND, made, signing))
    except FileExistsError as error:
        raise BadInput(f"{to} is there already. Name a new file.") from error
    except OSError as error:
        raise EnvironmentFault(f"{to} can't be written: {error.strerror}.") from error
    if run.json:
        print_json({"file": str(to), "record": made["record"]["number"]})
    else:
        run.out.print(f"{to}: the answer of record {made['record']['number']}")


@command(
    app, "verify", examples=("sovereign-rag answers verify dossier.json --public-key dpo.pub",)
)
def verify(
    run: CommandRun, file: Dossier, public_key: PublicKey, tenant: Tenant = DEFAULT_TENANT
) -> None:
    """Verify a dossier, and say which of its quotes still stand where they stood.

    Exit code 2: it was changed, or signed by somebody else.
    """
    from sovereign_rag.compliance import dossier

    told = _told(file, public_key)
    with run.open() as service:
        found = dossier.verify(service, told, local_owner(tenant))
    if run.json:
        print_json(asdict(found))
        return
    run.out.print("signed: ok")
    gone = "no longer as it says: words were erased from it since, or `audit verify` fails"
    run.out.print(f"on record: {'yes' if found.is_on_record else gone}")
    rows = ((quote.standing, quote.title, quote.quote) for quote in found.quotes)
    run.out.print(table(("the quote", "document", "text"), rows))


@command(
    app, "replay", examples=("sovereign-rag answers replay dossier.json --public-key dpo.pub",)
)
def replay(run: CommandRun, file: Dossier, public_key: PublicKey) -> None:
    """Ask the question of a dossier again, with the rights of then, and tell what differs.

    Greedy writing differs with how many answers are written at once: `generation.slots = 1`.
    """
    from sovereign_rag.compliance import dossier

    told = _told(file, public_key)
    with run.open() as service:
        differences = dossier.replay(service, told)
    if run.json:
        print_json([asdict(difference) for difference in differences])
    elif not differences:
        run.out.print("the same")
    else:
        rows = ((d.what, d.then, d.now) for d in differences)
        run.out.print(table(("what", "then", "now"), rows))


@command(app, "marks", examples=("sovereign-rag answers marks answer.json",))
def marks(
    run: CommandRun,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="An answer (JSON), page (HTML) or export.")
    ],
) -> None:
    """Check that an answer, a page or an export says to machines that an AI system gave it.

    Exports are PDF, DOCX and Markdown. AI Act, article 50. Exit code 2: it does not, or says
    something else than is true of it.
    """
    from sovereign_rag.compliance.ai_marks import problems

    found = problems(_bytes(file))
    if run.json:
        print_json({"ok": not found, "problems": found})
    elif not found:
        run.out.print("ok")
    if found:
        raise BadInput(f"{file}: {'; '.join(found)}. Export it anew.")


def _told(file: Path, public_key: Path) -> dict[str, Any]:
    from sovereign_rag.compliance.dossier import KIND
    from sovereign_rag.storage.audit_signing import public_key as read_key
    from sovereign_rag.storage.signed_statements import statement_in

    return statement_in(file, KIND, read_key(public_key), what="The dossier")


def _answer(file: Path) -> "AnswerOut":
    from pydantic import ValidationError

    from sovereign_rag.services.serialization.answers import AnswerOut

    try:
        return AnswerOut.model_validate(json.loads(_read(file)))
    except (ValueError, ValidationError) as error:
        raise BadInput(f"{file} holds no answer. Give one as `ask --json` writes it.") from error


def _bytes(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise BadInput(f"{file} can't be read: {error}.") from error


def _read(file: Path) -> str:
    try:
        return _bytes(file).decode("utf-8")
    except UnicodeDecodeError as error:
        raise BadInput(f"{file} can't be read: {error}.") from error
