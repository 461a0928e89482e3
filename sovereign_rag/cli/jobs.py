"""`jobs`: what was asked of the ingestion, and how far it is."""

from typing import TYPE_CHECKING, Annotated, Final

import typer
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from sovereign_rag.access import DEFAULT_TENANT
from sovereign_rag.cli.app import CommandRun, command, new_app
from sovereign_rag.cli.identity import Asker, Tenant
from sovereign_rag.cli.output import facts, moment, print_json, safe, table

if TYPE_CHECKING:
    from sovereign_rag.cli.target import Target
    from sovereign_rag.services.serialization.jobs import JobOut, JobProgressOut

app = new_app("Follow, cancel and retry ingestion jobs.")

JobArgument = Annotated[str, typer.Argument(metavar="ID", help="As `jobs list` prints it.")]
_STYLES: Final = {
    "done": "green",
    "indexed": "green",
    "running": "cyan",
    "paused": "yellow",
    "partial": "yellow",
    "failed": "red",
    "cancelled": "dim",
    "cancelling": "dim",
    "unchanged": "dim",
    "waiting": "dim",
}


@command(app, "list", examples=("sovereign-rag jobs list --limit 5",))
def list_(
    run: CommandRun,
    limit: Annotated[int, typer.Option(min=1, help="Most jobs.")] = 50,
    tenant: Tenant = DEFAULT_TENANT,
) -> None:
    """List the latest jobs, newest first."""
    with run.target(Asker(tenant=tenant)) as target:
        found = target.jobs(limit=limit)
    if run.json:
        print_json({"jobs": [job.plain() for job in found]})
        return
    if not found:
        run.note("No jobs yet; `sovereign-rag ingest PATH` makes one.")
        return
    rows = (
        (
            job.job_id,
            _styled(job.state.value),
            f"{job.done} of {job.total}",
            ", ".join(f"{n} {state}" for state, n in job.counts.items() if n),
            job.submitted_by,
            moment(job.created),
        )
        for job in found
    )
    columns = ("id", "state", "documents", "of which", "submitted by", "created")
    run.out.print(table(columns, rows))
    for job in found:
        if job.pause_reason is not None:
            run.out.print(_pause(job))


@command(
    app,
    "show",
    examples=("sovereign-rag jobs show 4b7e…", "sovereign-rag jobs show 4b7e… --follow"),
)
def show(
    run: CommandRun,
    job_id: JobArgument,
    follow: Annotated[
        bool, typer.Option("--follow", help="Show the progress until the job ends.")
    ] = False,
    failed: Annotated[bool, typer.Option("--failed", help="List the failed alone.")] = False,
    tenant: Tenant = DEFAULT_TENANT,
) -> None:
    """Show a job, how far it is, and what became of each of its documents."""
    with run.target(Asker(tenant=tenant)) as target:
        if follow:
            _follow(run, target, job_id)
        progress = target.job(job_id)
        tasks = list(target.job_documents(job_id, states=["failed"] if failed else []))
    if run.json:
        print_json({**progress.plain(), "tasks": [task.plain() for task in tasks]})
        return
    run.out.print(facts(_facts(progress)))
    if progress.pause_reason is not None:
        run.out.print(_pause(progress))
    rows = ((_styled(t.state.value), t.pages, t.chunks, t.name, t.reason) for t in tasks)
    run.out.print(table(("state", ">pages", ">chunks", "name", "reason"), rows))


@command(app, "cancel", examples=("sovereign-rag jobs cancel 4b7e…",))
def cancel(run: CommandRun, job_id: JobArgument, tenant: Tenant = DEFAULT_TENANT) -> None:
    """Cancel a job: documents in work stop within seconds, what is in stays in."""
    with run.target(Asker(tenant=tenant)) as target:
        job = target.cancel_job(job_id)
    if run.json:
        print_json(job.plain())
    elif not job.cancelled:
        run.note("The job had ended already; there was nothing to cancel.")
    else:
        run.note(f"Cancelled; {job.done} of {job.total} documents have ended.")


@command(app, "retry", examples=("sovereign-rag jobs retry 4b7e…",))
def retry(run: CommandRun, job_id: JobArgument, tenant: Tenant = DEFAULT_TENANT) -> None:
    """Put a job's failed and cancelled documents back in the queue, for the next worker."""
    with run.target(Asker(tenant=tenant)) as target:
        job = target.retry_job(job_id)
    if run.json:
        print_json(job.plain())
    else:
        waiting = job.total - job.done
        run.note(
            f"{waiting} documents wait. A running server takes them up, or `sovereign-rag worker`."
        )


def _follow(run: CommandRun, target: "Target", job_id: str) -> None:
    """Draw the progress on standard error until the job ends; Ctrl-C leaves it to itself."""
    with Live(console=run.err, transient=True, auto_refresh=False) as live:
        for job in target.follow_job(job_id):
            live.update(_drawn(job), refresh=True)


def _drawn(job: "JobProgressOut") -> Table:
    drawn = Table.grid(padding=(0, 1))
    bar = Table.grid(padding=(0, 1))
    bar.add_row(
        _styled(job.state.value),
        ProgressBar(total=max(job.total, 1), completed=job.done, width=30),
        Text(_rate(job)),
    )
    drawn.add_row(bar)
    if job.pause_reason is not None:
        drawn.add_row(_pause(job))
    names = ", ".join(safe(task.name, one_line=True) for task in job.current)
    drawn.add_row(Text(names if len(names) <= 100 else names[:99] + "…", "dim"))
    return drawn


def _facts(job: "JobProgressOut") -> dict[str, object]:
    is_open = job.finished is None
    return {
        "id": job.job_id,
        "state": job.state.value,
        "submitted by": job.submitted_by,
        "created": moment(job.created),
        "finished": moment(job.finished),
        "documents": f"{job.done} of {job.total} done",
        "pages": f"{job.pages_done} of {job.pages_known} known",
        "chunks": job.chunks,
        "rate": _rate(job) if is_open else None,
        "in work": ", ".join(task.name for task in job.current),
    }


def _rate(job: "JobProgressOut") -> str:
    said = f"{job.done} of {job.total} documents, {job.pages_done} pages"
    if job.documents_per_minute:
        said += f", {job.documents_per_minute:g} documents a minute"
    if job.seconds_left is not None:
        minutes, seconds = divmod(round(job.seconds_left), 60)
        said += f", {minutes}:{seconds:02} left"
    return said


def _pause(job: "JobOut | JobProgressOut") -> Text:
    again = "" if job.retry_at is None else f" Tried again at {moment(job.retry_at)}."
    since = "" if job.paused_since is None else f" since {moment(job.paused_since)}"
    reason = safe(job.pause_reason or "", one_line=True)
    return Text(f"paused{since}: {reason}{again}", "yellow")


def _styled(state: str) -> Text:
    return Text(state, _STYLES.get(state, ""))
