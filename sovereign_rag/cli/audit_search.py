"""`audit show`, `who-saw`, `seen-by`, `rights`: what auditors ask of the record."""

import csv
import json
import sys
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import typer

from sovereign_rag.access import local_owner
from sovereign_rag.cli.app import CommandRun, command
from sovereign_rag.cli.output import encode_json, print_json, safe, table

if TYPE_CHECKING:
    from sovereign_rag.storage.audit_chain import AuditRecord
    from sovereign_rag.storage.audit_search import AuditFilter

app = typer.Typer()

_COLUMNS: Final = (
    *(">number", "at (UTC)", "tenant", "who"),
    *("by", "action", "documents", "detail"),
)

_TIMES = ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]
Since = Annotated[
    datetime | None, typer.Option(formats=_TIMES, help="From this day or moment on (UTC).")
]
Until = Annotated[
    datetime | None, typer.Option(formats=_TIMES, help="Before this day or moment (UTC).")
]
TenantOnly = Annotated[str | None, typer.Option(help="Of this tenant alone.")]
Others = Annotated[
    list[str] | None,
    typer.Option(
        metavar="WRITER=FOLDER",
        help="The record of another machine by its data folder, mounted or copied, in place of "
        "its copy in the catalog: its audit.writer, and the folder; repeatable.",
    ),
]
Format = Annotated[
    Literal["table", "csv", "jsonl"],
    typer.Option("--format", help="csv, or jsonl: a line of JSON each."),
]


@dataclass(frozen=True, slots=True)
class Period:
    """The options that narrow every question."""

    since: Since = None
    until: Until = None
    tenant: TenantOnly = None
    other: Others = None


@command(
    app,
    "show",
    examples=(
        "sovereign-rag audit show --last 20",
        "sovereign-rag audit show --person user:ana --since 2026-03-01 --format csv",
        "sovereign-rag audit show --action delete --last 1000000 --format jsonl",
    ),
)
def show(
    run: CommandRun,
    last: Annotated[int, typer.Option(min=1, help="Only so many, the latest ones.")] = 50,
    after: Annotated[int, typer.Option(min=0, help="Only those above this number.")] = 0,
    person: Annotated[
        str | None, typer.Option(metavar="user:NAME", help="Who acted; or owner, nobody, system.")
    ] = None,
    document: Annotated[
        str | None, typer.Option(metavar="ID", help="Those that tell of this document.")
    ] = None,
    action: Annotated[
        str | None, typer.Option(help="E.g. answer, sign_in; delete means delete.done, too.")
    ] = None,
    label: Annotated[
        str | None,
        typer.Option(metavar="group:NAME", help="Who acted with it, or was given a right by it."),
    ] = None,
    format_: Format = "table",
    *,
    period: Period,
) -> None:
    """Show the latest entries, oldest first: who did what, and what they were shown.

    That it was shown is on the record, too.
    """
    wanted = _filter(period, person=person, document=document, action=action, label=label)
    read = _read_all(run, "audit.show", wanted, period, last=last, after=after)
    records = [record for _, record in read]
    if not records:
        run.note("No record fits. Actions and people are spelt as `audit show` alone prints them.")
    titles = _titles(run, records)
    entries = ({"writer": writer, **_to_dict(record, titles)} for writer, record in read)
    if run.json:
        print_json({"entries": list(entries)})
        return
    if format_ == "jsonl":
        _print_lines(entries)
        return
    columns: tuple[str, ...] = _COLUMNS
    rows = [_row(record, titles) for record in records]
    if {writer for writer, _ in read} - {run.settings.audit.writer}:
        columns = ("writer", *columns)
        rows = [(writer, *row) for (writer, _), row in zip(read, rows, strict=True)]
    _print_rows(run, columns, rows, format_)


@command(
    app,
    "who-saw",
    examples=("sovereign-rag audit who-saw 6f1c… --since 2026-03-01",),
)
def who_saw(
    run: CommandRun,
    document: Annotated[str, typer.Argument(metavar="ID", help="As `documents list` prints it.")],
    format_: Format = "table",
    *,
    period: Period,
) -> None:
    """Tell who was shown a document: its text, or that it is there."""
    from sovereign_rag.storage.audit_search import sights

    records = _read(run, "audit.who_saw", _filter(period, document=document), period)
    _tell_unknown(run, records, document=document)
    titles = _titles(run, records)
    seen = [sight for sight in sights(records) if sight.document == document]
    _print_found(run, "seen", [{**asdict(s), "title": titles.get(document)} for s in seen], format_)


@command(
    app,
    "seen-by",
    examples=("sovereign-rag audit seen-by user:ana --until 2026-04-01",),
)
def seen_by(
    run: CommandRun,
    person: Annotated[str, typer.Argument(metavar="user:NAME", help="Or owner.")],
    format_: Format = "table",
    *,
    period: Period,
) -> None:
    """Tell what a person was shown, and what of it was text.

    What the owner looked at as that person is told as `owner as user:NAME`.
    """
    from sovereign_rag.storage.audit_search import sights

    records = _read(run, "audit.seen_by", _filter(period, person=person), period)
    _tell_unknown(run, records, person=person)
    titles = _titles(run, records)
    found = [{**asdict(s), "title": titles.get(s.document)} for s in sights(records)]
    _print_found(run, "seen", found, format_)


@command(
    app,
    "rights",
    examples=("sovereign-rag audit rights 6f1c…", "sovereign-rag audit rights --label group:hr"),
)
def rights(
    run: CommandRun,
    document: Annotated[
        str | None, typer.Argument(metavar="ID", help="As `documents list` prints it; else all.")
    ] = None,
    label: Annotated[
        str | None, typer.Option(metavar="group:NAME", help="Changes that name this reader.")
    ] = None,
    format_: Format = "table",
    *,
    period: Period,
) -> None:
    """Tell who said when that who may read a document, and who could before."""
    from sovereign_rag.storage.audit_search import right_changes

    wanted = _filter(period, document=document, label=label)
    records = _read(run, "audit.rights", wanted, period)
    _tell_unknown(run, records, document=document)
    titles = _titles(run, records)
    found = [
        {**asdict(change), "title": titles.get(change.document)}
        for change in right_changes(records)
        if document in {None, change.document} and _names(asdict(change), label)
    ]
    _print_found(run, "changes", found, format_)


def _names(change: Mapping[str, Any], label: str | None) -> bool:
    before = (change["before"] or {}).get("readers", ())
    return label is None or label in (change["readers"] or ()) or label in before


def _filter(period: Period, **wanted: str | None) -> "AuditFilter":
    from sovereign_rag.storage.audit_search import AuditFilter

    return AuditFilter(
        **wanted,
        tenant=period.tenant,
        since=_utc(period.since),
        until=_utc(period.until),
    )


def _utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.replace(tzinfo=UTC)


def _row(record: "AuditRecord", titles: Mapping[str, str]) -> tuple[object, ...]:
    return (
        record.number,
        f"{record.entry.at:%Y-%m-%d %H:%M:%S}",
        record.entry.tenant,
        record.entry.principal,
        _json(record.entry.by) if record.entry.by else "",
        record.entry.action,
        ", ".join(_named(record, titles).values()),
        _json(record.entry.detail),
    )


def _tell_unknown(
    run: CommandRun,
    records: "Sequence[AuditRecord]",
    *,
    document: str | None = None,
    person: str | None = None,
) -> None:
    """That nothing was found because nothing of that name is on the record, which is no answer."""
    if records or (document is None and person is None):
        return
    what = f"No record of this time names the document {document}: give its whole id."
    if person is not None:
        what = f"{person} did nothing on the record of this time: people stand there as user:NAME."
    run.note(f"{what} That is not to say that nothing was shown.")


def _read(
    run: CommandRun, action: str, wanted: "AuditFilter", period: Period
) -> "list[AuditRecord]":
    own = run.settings.audit.writer
    return [
        record if writer == own else replace(record, writer=writer)
        for writer, record in _read_all(run, action, wanted, period)
    ]


def _read_all(
    run: CommandRun,
    action: str,
    wanted: "AuditFilter",
    period: Period,
    *,
    last: int | None = None,
    after: int = 0,
) -> "list[tuple[str, AuditRecord]]":
    """The records that are meant, with their writers, by the catalog's clock.

    That they were looked at is on the record before they show.
    """
    from sovereign_rag.storage.audit import entry
    from sovereign_rag.storage.audit_opening import has_catalog, opened_audit, opened_catalog
    from sovereign_rag.storage.audit_others import OtherRecord, merged, others_of

    named = [OtherRecord.of(text) for text in period.other or ()]
    own = run.settings.audit.writer
    with opened_audit(run.settings) as audit, opened_catalog(run.settings) as catalog:
        others = others_of(catalog, own=own, named=named)
        chains = [(own, audit.read(after=after))]
        chains += [(one.writer, one.read(after=after)) for one in others]
        found = deque((r for r in merged(chains) if wanted.matches(r[1].entry)), maxlen=last)
        if has_catalog(run.settings):  # a copy elsewhere stays as it was copied
            asked = {name: str(v) for name, v in asdict(wanted).items() if v is not None}
            shown = {"first": found[0][1].number, "last": found[-1][1].number} if found else {}
            of = {"writers": [writer for writer, _ in chains]} if others else {}
            audit.append(entry(action, local_owner(), {"asked": asked, **shown, **of}))
    return list(found)


def _titles(run: CommandRun, records: "Sequence[AuditRecord]") -> dict[str, str]:
    """Titles by document id; of a document that is gone what the records themselves call it."""
    from sovereign_rag.catalog.catalog import Catalog
    from sovereign_rag.storage.audit_opening import has_catalog
    from sovereign_rag.storage.audit_search import documents_of

    titles: dict[str, str] = {}
    for record in records:
        for id_, told in documents_of(record.entry).items():
            titles.setdefault(id_, "")
            titles[id_] = str(told.get("uri") or "") or titles[id_]
    if titles and has_catalog(run.settings):
        with Catalog.open(run.settings) as catalog:
            titles |= catalog.documents.titles_of(list(titles))
    return {id_: title for id_, title in titles.items() if title}


def _named(record: "AuditRecord", titles: Mapping[str, str]) -> dict[str, str]:
    from sovereign_rag.storage.audit_search import documents_of

    return {id_: titles[id_] for id_ in documents_of(record.entry) if id_ in titles}


def _to_dict(record: "AuditRecord", titles: Mapping[str, str]) -> dict[str, object]:
    return {
        "number": record.number,
        "at": record.entry.at.isoformat(),
        "action": record.entry.action,
        "tenant": record.entry.tenant,
        "principal": record.entry.principal,
        "by": dict(record.entry.by),
        "detail": dict(record.entry.detail),
        "titles": _named(record, titles),
    }


def _print_found(
    run: CommandRun, name: str, found: Sequence[Mapping[str, Any]], format_: str
) -> None:
    plain = [{**one, "at": one["at"].isoformat()} for one in found]
    if all(one["writer"] is None for one in plain):  # there is one machine alone
        plain = [{k: v for k, v in one.items() if k != "writer"} for one in plain]
    if run.json:
        print_json({name: plain})
    elif format_ == "jsonl":
        _print_lines(plain)
    else:
        columns = list(plain[0]) if plain else ["number", "at", "person", "document", "action"]
        rows = [[_cell(one[column]) for column in columns] for one in plain]
        _print_rows(run, columns, rows, format_)


def _print_lines(found: Iterable[Mapping[str, object]]) -> None:
    for one in found:
        sys.stdout.write(encode_json(one) + "\n")
    sys.stdout.flush()


def _print_rows(
    run: CommandRun, columns: Sequence[str], rows: Sequence[Sequence[object]], format_: str
) -> None:
    if format_ == "csv":
        writer = csv.writer(sys.stdout)
        writer.writerow([column.removeprefix(">") for column in columns])
        writer.writerows([[_harmless(cell) for cell in row] for row in rows])
        sys.stdout.flush()
    else:
        run.out.print(table(columns, rows))


def _harmless(cell: object) -> object:
    """What a spreadsheet would compute, or a terminal act upon, stays a text."""
    if not isinstance(cell, str):
        return cell
    text = safe(cell)
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text


def _cell(value: object) -> object:
    if isinstance(value, (dict, list, tuple)):
        return _json(value)
    return "" if value is None else value


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
