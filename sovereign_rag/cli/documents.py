"""`documents`: what is in, what its stored text is, and its removal."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from sovereign_rag.access import DEFAULT_TENANT, local_owner
from sovereign_rag.cli.app import CommandRun, command, new_app
from sovereign_rag.cli.identity import Asker, Tenant
from sovereign_rag.cli.output import facts, print_json, safe, table

if TYPE_CHECKING:
    from sovereign_rag.access import Principal
    from sovereign_rag.catalog.records import DocumentRecord
    from sovereign_rag.services.documents import DocumentService

app = new_app("List, show and delete documents.")

_PAGE = 500  # records asked for at a time
DocumentArgument = Annotated[
    str, typer.Argument(metavar="ID", help="As `documents list` prints it.")
]


@command(app, "list", examples=("sovereign-rag documents list --as user:ana",))
def list_(
    run: CommandRun,
    asker: Asker,
) -> None:
    """List the documents that may be read."""
    from sovereign_rag.services.serialization.documents import DocumentOut

    who = asker.principal()
    with run.open() as service:
        records = list(_all(service.documents, who))
    if run.json:
        found = [DocumentOut.of(record).plain() for record in records]
        print_json({"documents": found, "count": len(found)})
        return
    columns = ("id", "status", ">pages", ">chunks", "language", "title", "uri")
    rows = ((r.id, r.status.value, r.pages, r.chunks, r.language, r.title, r.uri) for r in records)
    run.out.print(table(columns, rows))
    run.note(f"{len(records)} documents", style="dim")


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
    from sovereign_rag.services.serialization.documents import DocumentOut

    who = asker.principal()
    with run.open() as service:
        record = service.documents.get(document_id, who)
        pages = service.documents.pages(document_id, who) if text else ()
    if run.json:
        shown: dict[str, object] = {"document": DocumentOut.of(record).plain()}
        if text:
            shown["pages"] = [
                {"number": page.number, "name": page.name, "text": page.text} for page in pages
            ]
        print_json(shown)
        return
    if not text:
        run.out.print(facts(_facts(record)))
    for page in pages:
        name = f" ({safe(page.name, one_line=True)})" if page.name else ""
        run.out.print(Text(f"--- page {page.number}{name} ---", "dim"))
        run.out.print(Text(safe(page.text)), soft_wrap=True)


@command(app, "delete", examples=("sovereign-rag documents delete 6f1c… --yes",))
def delete(
    run: CommandRun,
    document_id: DocumentArgument,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    tenant: Tenant = DEFAULT_TENANT,
) -> None:
    """Delete a document: its chunks, its stored text, its original, its page images."""
    who = local_owner(tenant)
    with run.open() as service:
        record = service.documents.get(document_id, who)
        title = safe(record.title, one_line=True)
        run.confirm(f"Delete “{title}” ({record.pages} pages)?", yes=yes)
        service.documents.delete(document_id, who)
    if run.json:
        print_json({"deleted": record.id, "uri": record.uri})
    else:
        run.note(f"Deleted: {record.title}")


def _all(documents: "DocumentService", who: "Principal") -> "Iterator[DocumentRecord]":
    after: str | None = None
    while records := documents.list(who, limit=_PAGE, after=after):
        yield from records
        after = records[-1].id


def _facts(record: "DocumentRecord") -> dict[str, object]:
    return {
        "title": record.title,
        "id": record.id,
        "status": record.status.value,
        "reason": record.reason,
        "uri": record.uri,
        "format": record.media_type,
        "language": record.language,
        "pages": record.pages if record.paged else "the format has none",
        "chunks": record.chunks,
        "size": f"{record.size:,} bytes",
        "modified": record.modified,
        "readers": ", ".join(sorted(record.readers)) or "the owner alone",
        "level": record.level,
        "ingested": record.updated,
        "sha256": record.content_hash,
        **{name: value for name, value in record.properties.items()},
    }
