"""`sync` and `watch`: the index made, and kept, equal to where documents come from."""

from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from sovereign_rag.access import DEFAULT_TENANT, local_owner
from sovereign_rag.cli.app import INTERRUPTED, SOME_FAILED, CommandRun, command
from sovereign_rag.cli.identity import Tenant
from sovereign_rag.cli.ingest import interruptible, progress_bar
from sovereign_rag.cli.output import print_json, safe, table
from sovereign_rag.errors import BadInput

if TYPE_CHECKING:
    from sovereign_rag.errors import SovereignError
    from sovereign_rag.wiring import NamedSource, Step, SyncReport, SyncRequest

app = typer.Typer()

_TOLD = ("new", "changed", "moved", "rights", "metadata", "deleted", "waiting")
_WORDS = {
    "new": "new",
    "changed": "changed",
    "moved": "moved",
    "rights": "rights only",
    "metadata": "metadata only",
    "unchanged": "unchanged",
    "waiting": "waiting for a worker",
    "deleted": "deleted",
    "nobody": "readers unknown or nobody",
    "unreadable": "could not be fetched",
}

Wanted = Annotated[
    list[str],
    typer.Argument(metavar="PATH|SOURCE...", help="Folders, or names of [sources.NAME] sections."),
]
Readers = Annotated[
    str | None,
    typer.Option(
        metavar="group:A,user:B",
        help="Who may read what no .access.yaml speaks of. Remembered for the next sync of the "
        "folder. Never said: nobody but the owner.",
    ),
]
Level = Annotated[int | None, typer.Option(min=0, help="Least clearance of a reader.")]
AccessOption = Annotated[
    str | None,
    typer.Option(
        metavar="posix|readers",
        help="posix: who may read a file on this machine, by owner, group and mode, may read it "
        "here. Remembered, too.",
    ),
]
MaxDelete = Annotated[
    str | None,
    typer.Option(
        metavar="10%|25",
        help="Most documents that may be deleted, as a share or a count; more, and nothing is "
        "changed. 10% unless the source says otherwise.",
    ),
]
Verify = Annotated[
    bool,
    typer.Option("--verify", help="Read every file, also where time and size are as they were."),
]


@command(
    app,
    "sync",
    examples=(
        "sovereign-rag sync /srv/documents --readers group:staff",
        "sovereign-rag sync /srv/documents --dry-run",
        "sovereign-rag sync archive --max-delete 100%",
    ),
)
def sync(
    run: CommandRun,
    wanted: Wanted,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Print what would happen, and change nothing.")
    ] = False,
    readers: Readers = None,
    level: Level = None,
    access: AccessOption = None,
    max_delete: MaxDelete = None,
    verify: Verify = False,
    tenant: Tenant = DEFAULT_TENANT,
) -> None:
    """Make the index equal to a source: new, changed, moved and deleted documents, and rights.

    What has the time and size that it had is not read again; what moved is neither parsed nor
    embedded again; a change of rights takes effect at once. Who may read comes from
    .access.yaml files in the folders, from POSIX rights, from metadata or from --readers, see
    docs/sources.md; where nobody says, nobody reads. Ctrl-C stops after the documents at hand,
    and the same command goes on from there. Exit code 7: too much would have been deleted.
    """
    _check(access, max_delete)
    failed = False
    reports: list[SyncReport] = []
    with run.open() as service, progress_bar(run) as bar, interruptible(run) as stop:
        for name in wanted:
            source = service.sync.find(name, tenant)
            request = _request(
                source,
                dry_run=dry_run,
                readers=readers,
                level=level,
                access=access,
                max_delete=max_delete,
                verify=verify,
            )
            report = service.sync.sync(
                source,
                local_owner(source.section.tenant),
                request,
                on_progress=bar.show,
                on_task=bar.tell,
                stop=stop,
            )
            reports.append(report)
            tasks = report.ingested.tasks if report.ingested is not None else ()
            failed |= any(task.state == "failed" for task in tasks)
            if stop.is_set():
                break
    if run.json:
        print_json({"sources": [_to_dict(report) for report in reports]})
    else:
        for report in reports:
            _print(run, report)
    if stop.is_set():
        run.note("Stopped; the same command goes on from there, and so does a worker.")
        raise typer.Exit(INTERRUPTED)
    if failed:
        raise typer.Exit(SOME_FAILED)


@command(
    app,
    "watch",
    examples=(
        "sovereign-rag watch /srv/documents",
        "sovereign-rag watch archive mailbox --every 5m",
    ),
)
def watch(
    run: CommandRun,
    wanted: Wanted,
    readers: Readers = None,
    level: Level = None,
    access: AccessOption = None,
    max_delete: MaxDelete = None,
    every: Annotated[
        str | None,
        typer.Option(metavar="10m", help="Look through it so often, whatever events there were."),
    ] = None,
    tenant: Tenant = DEFAULT_TENANT,
) -> None:
    """Keep the index equal to sources until Ctrl-C.

    Changes in folders are noticed as they happen; object storage, mailboxes and readers, which
    report none, are looked through by their schedule. A sync that fails, for a disk that is
    unmounted perhaps, is told and tried again.
    """
    from sovereign_rag.settings.sources import parse_interval

    _check(access, max_delete)
    seconds = None if every is None else parse_interval(every).total_seconds()
    with run.open() as service, interruptible(run, note="") as stop:
        sources = [service.sync.find(name, tenant) for name in wanted]
        said = [
            _request(s, readers=readers, level=level, access=access, max_delete=max_delete)
            for s in sources
        ]
        service.watcher.watch(
            sources,
            stop,
            request=said[0],
            every_s=seconds,
            on_report=lambda report: _tell(run, report),
            on_error=lambda name, error: _tell_error(run, name, error),
            on_ready=lambda: run.note("Watching; Ctrl-C stops."),
        )


def _check(access: str | None, max_delete: str | None) -> None:
    from sovereign_rag.settings.sources import parse_max_delete

    if access not in {None, "posix", "readers"}:
        raise BadInput(f"--access is posix or readers, not {access!r}.")
    if max_delete is not None:
        parse_max_delete(max_delete)


def _request(
    source: "NamedSource",
    *,
    readers: str | None,
    level: int | None,
    access: str | None,
    max_delete: str | None,
    dry_run: bool = False,
    verify: bool = False,
) -> "SyncRequest":
    from sovereign_rag.access import parse_readers
    from sovereign_rag.wiring import SyncRequest

    if readers is not None:
        parse_readers(readers)
    if source.in_settings and (readers, level, access) != (None, None, None):
        raise BadInput(
            f"Who may read {source.name!r} stands in its section of the settings, "
            f"[sources.{source.name}]; change it there, and leave out --readers, --level, --access."
        )
    return SyncRequest(
        dry_run=dry_run,
        verify=verify,
        max_delete=max_delete,
        readers=readers,
        level=level,
        access=access,
    )


def _to_dict(report: "SyncReport") -> dict[str, object]:
    plan = report.plan
    tasks = report.ingested.tasks if report.ingested is not None else ()
    return {
        "source": report.source,
        "dry_run": report.dry_run,
        "counts": dict(report.counts),
        "changes": [
            {
                "change": step.change.value,
                "uri": step.uri,
                "from": step.moved_from.uri if step.moved_from is not None else None,
                "readers": sorted(step.access.readers) if step.access is not None else None,
                "level": step.access.level if step.access is not None else None,
                "readers_from": step.access.origin.value if step.access is not None else None,
            }
            for step in plan.steps
            if step.change.value in _TOLD
        ],
        "nobody": [step.uri for step in plan.nobody],
        "invalid_access": [{"file": i.key, "problem": i.problem} for i in plan.invalid],
        "wrong_metadata": [{"file": w.key, "problem": w.problem} for w in plan.wrong],
        "left_out": [{"path": item.key, "reason": item.reason} for item in plan.left_out],
        "unseen": list(plan.unseen),
        "kept": plan.kept,
        "job_id": None if report.job is None else report.job.id,
        "documents": dict(Counter(task.state.value for task in tasks)),
    }


def _print(run: CommandRun, report: "SyncReport") -> None:
    plan = report.plan
    if report.dry_run:
        rows = [_row(step) for step in plan.steps if step.change.value in _TOLD]
        run.out.print(table(("would be", "document", "who may read", "said by"), rows))
    counts = [(_WORDS[name], n) for name, n in report.counts.items() if n and name in _WORDS]
    run.out.print(Text(safe(report.source, one_line=True), "bold"))
    run.out.print(table(("", ">documents"), counts))
    for wrong in plan.invalid:
        run.note(f"{wrong.key}: {wrong.problem}. Until then nobody reads what it is for.", "red")
    for file in plan.wrong:
        run.note(f"{file.key}: {file.problem}. Its document is there without it.", "red")
    if plan.unseen:
        folders = ", ".join(plan.unseen[:5])
        run.note(f"Could not be looked into, and kept as it was: {folders}", "yellow")
    if plan.left_out:
        reasons = Counter(item.reason for item in plan.left_out)
        told = ", ".join(f"{n} {reason}" for reason, n in reasons.most_common())
        run.note(f"Left out: {told}. --json lists them.", "dim")
    if plan.nobody:
        first = ", ".join(step.name for step in plan.nobody[:3])
        run.note(
            f"{len(plan.nobody)} documents have no readers ({first} …): nobody finds them but the "
            "owner. Say who may: --readers, or a .access.yaml beside them.",
            "yellow",
        )


def _row(step: "Step") -> tuple[object, ...]:
    access = step.access
    place = step.uri if step.moved_from is None else f"{step.moved_from.uri} -> {step.uri}"
    readers = "" if access is None else ", ".join(sorted(access.readers)) or "nobody"
    return _WORDS[step.change.value], place, readers, "" if access is None else access.origin.value


def _tell(run: CommandRun, report: "SyncReport") -> None:
    """One line for a sync that changed something."""
    if run.json:
        if any(report.counts.get(name) for name in _TOLD):
            print_json(_to_dict(report))
        return
    told = [f"{report.counts[n]} {_WORDS[n]}" for n in _TOLD if report.counts.get(n)]
    if told:
        run.out.print(Text(f"{safe(report.source, one_line=True)}: {', '.join(told)}"))
        run.out.file.flush()


def _tell_error(run: CommandRun, name: str, error: "SovereignError") -> None:
    run.note(f"{name}: {error}", "red")
