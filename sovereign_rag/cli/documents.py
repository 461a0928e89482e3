"""`documents`: what is in, what its stored text is, and its removal."""

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, cast

import typer
from rich.text import Text

from sovereign_rag.access import DEFAULT_TENANT, HIGHEST_LEVEL, local_owner, parse_readers
from sovereign_rag.catalog.document_query import DocumentQuery, Order
from sovereign_rag.catalog.records import DocumentStatus
from sovereign_rag.cli.app import CommandRun, command, new_app
from sovereign_rag.cli.filter_options import (
    Filters,
    From,
    Labels,
    Languages,
    Sources,
    To,
    Types,
)
from sovereign_rag.cli.identity import Asker, Tenant
from sovereign_rag.cli.ingest import Outcome, end, interruptible, progress_bar
from sovereign_rag.cli.output import facts, moment, print_json, safe, table
from sovereign_rag.errors import BadInput

if TYPE_CHECKING:
    from sovereign_rag.client.calls import Metadata
    from sovereign_rag.client.client import Client
    from sovereign_rag.services.rereading import RereadPlan
    from sovereign_rag.services.serialization.documents import DocumentOut

app = new_app("List, show, read again and delete documents.")

DocumentArgument = Annotated[
    str, typer.Argument(metavar="ID", help="As `documents list` prints it.")
]


@command(
    app,
    "list",
    examples=(
        "sovereign-rag documents list --as user:ana",
        "sovereign-rag documents list --status failed --status partial",
        "sovereign-rag documents list budget 2024 --type pdf --sort=-date",
    ),
)
def list_(
    run: CommandRun,
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[WORD]...", help="Of the title or the file name; all of them."),
    ] = None,
    *,
    statuses: Annotated[
        list[DocumentStatus] | None,
        typer.Option("--status", help="Only these. May be repeated."),
    ] = None,
    types: Types = None,
    sources: Sources = None,
    languages: Languages = None,
    labels: Labels = None,
    from_: From = None,
    to: To = None,
    sort: Annotated[
        str,
        typer.Option(
            "--sort",
            metavar="ORDER",
            help="id, title, date or updated; with a minus in front the last one first.",
        ),
    ] = "id",
    asker: Asker,
) -> None:
    """List the documents that may be read, or those of them that the options are about."""
    within = Filters(types, sources, languages, labels, from_, to).search_filter()
    query = DocumentQuery(
        words=" ".join(words or ()),
        statuses=frozenset(statuses) if statuses else None,
        media_types=within.media_types,
        languages=within.languages,
        sources=within.sources,
        labels=within.labels,
        date_from=within.modified_from,
        date_before=within.modified_before,
        order=_order(sort),
        descending=sort.startswith("-"),
    )
    with run.target(asker) as target:
        found = list(target.documents(query))
    if run.json:
        plain = [document.plain() for document in found]
        print_json({"documents": plain, "count": len(plain)})
        return
    columns = ("id", "status", ">pages", ">chunks", "language", "title", "uri")
    rows = (
        (d.document_id, d.status.value, d.pages, d.chunks, d.language, d.title, d.uri)
        for d in found
    )
    run.out.print(table(columns, rows))
    run.note(f"{len(found)} documents", style="dim")
    if outdated := sum(document.outdated for document in found):
        run.note(
            f"{outdated} of them were read by another parser than today's; `sovereign-rag "
            "documents reread --outdated` reads them again."
        )


@command(
    app,
    "show",
    examples=(
        "sovereign-rag documents show 6f1c… --text",
        "sovereign-rag documents show 6f1c… --text --json",
    ),
)
def show(
    run: CommandRun,
    document_id: DocumentArgument,
    *,
    text: Annotated[bool, typer.Option("--text", help="Its stored text, by page.")] = False,
    asker: Asker,
) -> None:
    """Show what is known of a document, and with --text the text that quotes are held against.

    A citation's start and end count in the text of its page; where the format has no pages,
    that is page 1.
    """
    with run.target(asker) as target:
        document = target.document(document_id)
        pages = target.pages(document_id) if text else ()
    if run.json:
        shown: dict[str, object] = {"document": document.plain()}
        if text:
            shown["pages"] = [
                {"number": page.number, "name": page.name, "text": page.text} for page in pages
            ]
        print_json(shown)
        return
    if not text:
        run.out.print(facts(_facts(document)))
    for page in pages:
        name = f" ({safe(page.name, one_line=True)})" if page.name else ""
        run.out.print(Text(f"--- page {page.number}{name} ---", "dim"))
        run.out.print(Text(safe(page.text)), soft_wrap=True)


@command(
    app,
    "reread",
    examples=(
        "sovereign-rag documents reread 6f1c…",
        "sovereign-rag documents reread --outdated --dry-run",
        "sovereign-rag documents reread --all --yes",
    ),
)
def reread(
    run: CommandRun,
    document_ids: Annotated[
        list[str] | None, typer.Argument(metavar="ID", help="As `documents list` prints them.")
    ] = None,
    *,
    every: Annotated[bool, typer.Option("--all", help="All documents of the tenant.")] = False,
    outdated: Annotated[
        bool,
        typer.Option("--outdated", help="Those that another parser than today's has read."),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say how many it would be, and do nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    tenant: Tenant = DEFAULT_TENANT,
) -> None:
    """Read documents again from their kept originals, as the parser of today reads them.

    Readers, level and names stay as they are. What is there is searched until the new text is
    published, and stays where reading fails. What today's parser has read already is left as it
    is. Exit code 6: some documents failed.
    """
    ids = document_ids or []
    if sum((bool(ids), every, outdated)) != 1:
        raise BadInput("Say which: IDs, --outdated or --all, and one of them alone.")
    if ids and dry_run:
        raise BadInput("--dry-run goes with --outdated or --all.")
    with run.client(Asker(tenant=tenant)) as client:
        if client is not None:
            _reread_by(client, run, ids, outdated=outdated, dry_run=dry_run, yes=yes)
            return
    who = local_owner(tenant)
    with run.open() as service:
        rereading = service.rereading
        if ids:
            job = rereading.submit(ids, who)
        else:
            plan = rereading.plan(who, outdated=outdated)
            _tell_left_out(run, plan)
            if dry_run or not plan.documents:
                _print_plan(run, plan)
                return
            run.confirm(f"Read {plan.documents} documents ({plan.pages} pages) again?", yes=yes)
            job = rereading.submit_all(who, outdated=outdated)
        with progress_bar(run) as bar, interruptible(run) as stop:
            report = service.ingestion.work_off(
                job, on_progress=bar.show, on_task=bar.tell, stop=stop
            )
    also = ", and so does `sovereign-rag worker`"
    end(run, Outcome.of(report), is_stopped=stop.is_set(), also=also)


def _metadata(text: str | None) -> "Metadata | None":
    try:
        said = None if text is None else json.loads(text)
    except json.JSONDecodeError as error:
        raise BadInput('--metadata is no JSON: write \'{"tags": ["budget"]}\'.') from error
    if said is not None and not isinstance(said, dict):
        raise BadInput('--metadata is one JSON object: write \'{"tags": ["budget"]}\'.')
    return cast("Metadata | None", said)


def _order(sort: str) -> Order:
    try:
        return Order(sort.removeprefix("-"))
    except ValueError as error:
        raise BadInput(
            f"--sort {sort} is not known. Write one of {', '.join(Order)}, or -date for the last "
            "one first."
        ) from error


def _reread_by(
    client: "Client", run: CommandRun, ids: list[str], *, outdated: bool, dry_run: bool, yes: bool
) -> None:
    """Have a service read again: those named, or of those that its key may read."""
    from sovereign_rag.cli.rereading import RemoteRereading, chosen
    from sovereign_rag.services.rereading import RereadPlan

    is_named = bool(ids)
    if not is_named:
        found = chosen(client, outdated=outdated)
        plan = RereadPlan(len(found), sum(one.pages for one in found), 0, 0)
        if dry_run or not found:
            _print_plan(run, plan)
            return
        run.confirm(f"Read {plan.documents} documents ({plan.pages} pages) again?", yes=yes)
        ids = [one.document_id for one in found]
    with progress_bar(run) as bar, interruptible(run) as stop:
        rereading = RemoteRereading(client, on_progress=bar.show, on_task=bar.tell, stop=stop)
        tasks = rereading.read(ids, strict=is_named)
    if rereading.left_out:
        run.note(
            f"{len(rereading.left_out)} documents are left out, whose originals or passwords are "
            "not kept: hand them in again, with `sovereign-rag ingest` or the sync of their source."
        )
    outcome = Outcome(
        rereading.job_ids, tasks, rereading.total, rereading.left_out, rereading.seconds
    )
    end(run, outcome, is_stopped=stop.is_set(), also="")


def _print_plan(run: CommandRun, plan: "RereadPlan") -> None:
    if run.json:
        print_json(asdict(plan))
    elif plan.documents:
        run.note(f"{plan.documents} documents ({plan.pages} pages) would be read again.")
    else:
        run.note("There is nothing to read again.")


def _tell_left_out(run: CommandRun, plan: "RereadPlan") -> None:
    if plan.without_original:
        run.note(
            f"{plan.without_original} documents are left out, whose originals are not kept: hand "
            "them in again, with `sovereign-rag ingest` or the sync of their source."
        )
    if plan.locked:
        run.note(
            f"{plan.locked} documents are left out that a password opened, which is not kept: "
            "`sovereign-rag ingest FILE --password` reads them again."
        )


@command(
    app,
    "edit",
    examples=(
        "sovereign-rag documents edit 6f1c… --readers group:hr,user:ana",
        "sovereign-rag documents edit 6f1c… --level 2",
        """sovereign-rag documents edit 6f1c… --metadata '{"tags": ["budget"]}'""",
    ),
)
def edit(
    run: CommandRun,
    document_id: DocumentArgument,
    *,
    readers: Annotated[
        str | None,
        typer.Option(
            "--readers",
            metavar="LABELS",
            help="Who may read it: everyone, group:NAME, user:NAME, separated by commas; "
            '"" for the owner alone.',
        ),
    ] = None,
    level: Annotated[
        int | None,
        typer.Option("--level", min=0, max=HIGHEST_LEVEL, help="Clearance that reading it takes."),
    ] = None,
    metadata: Annotated[
        str | None,
        typer.Option(
            "--metadata",
            metavar="JSON",
            help="What is said of it: title, address, author, date, tags, fields; what is left "
            "out stays, null takes it back.",
        ),
    ] = None,
    tenant: Tenant = DEFAULT_TENANT,
) -> None:
    """Change who may read a document, and what is said of it; nothing is read again.

    Who is no reader any more finds nothing of it from then on, also while the store is away.
    """
    labels = None if readers is None else sorted(parse_readers(readers))
    with run.target(Asker(tenant=tenant)) as target:
        edited = target.edit_document(
            document_id, readers=labels, level=level, metadata=_metadata(metadata)
        )
    document = edited.document
    if run.json:
        print_json(edited.plain())
        return
    named = ", ".join(document.readers or ()) or "the owner alone"
    run.note(f"{document.title}: read by {named}, level {document.level}")
    if not edited.settled:
        run.note(
            "The store is away: who is no reader any more is none already, who is new reads it "
            "once the store is back."
        )


@command(app, "delete", examples=("sovereign-rag documents delete 6f1c… --yes",))
def delete(
    run: CommandRun,
    document_id: DocumentArgument,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    tenant: Tenant = DEFAULT_TENANT,
) -> None:
    """Delete a document: its chunks, its stored text, its original, its page images."""
    with run.target(Asker(tenant=tenant)) as target:
        document = target.document(document_id)
        title = safe(document.title, one_line=True)
        run.confirm(f"Delete “{title}” ({document.pages} pages)?", yes=yes)
        target.delete_document(document_id)
    if run.json:
        print_json({"deleted": document.document_id, "uri": document.uri})
    else:
        run.note(f"Deleted: {document.title}")


def _facts(record: "DocumentOut") -> dict[str, object]:
    readers = record.readers
    return {
        "title": record.title,
        "id": record.document_id,
        "status": record.status.value,
        "reason": record.reason,
        "uri": record.uri,
        "format": record.media_type,
        "language": record.language,
        "pages": record.pages if record.paged else "the format has none",
        "chunks": record.chunks,
        "size": f"{record.size:,} bytes",
        "modified": moment(record.modified),
        "readers": None if readers is None else ", ".join(readers) or "the owner alone",
        "level": record.level,
        "ingested": moment(record.updated),
        "parser": record.parser + (", another than today's: see reread" if record.outdated else ""),
        "sha256": record.sha256,
        **{name: value for name, value in record.properties.items()},
    }
