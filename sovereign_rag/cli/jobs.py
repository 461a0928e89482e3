"""`jobs`: what was asked of the ingestion, and how far it is."""

from typing import Annotated

import typer

from sovereign_rag.access import DEFAULT_TENANT
from sovereign_rag.cli.app import Run, command, new_app
from sovereign_rag.cli.identity import Tenant
from sovereign_rag.cli.output import facts, print_json, table

JobId = Annotated[str, typer.Argument(metavar="ID", help="As `jobs list` prints it.")]
_MOST_TASKS = 1_000  # asked for at a time


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    jobs = new_app("Follow, cancel and retry ingestion jobs.")
    app.add_typer(jobs, name="jobs")

    @command(jobs, "list", examples=("sovereign-rag jobs list --limit 5",))
    def list_(
        run: Run,
        limit: Annotated[int, typer.Option(min=1, help="Most jobs.")] = 50,
        tenant: Tenant = DEFAULT_TENANT,
    ) -> None:
        """List the latest jobs, newest first."""
        from sovereign_rag.wire import job_to_dict

        with run.open() as service:
            found = service.catalog.jobs(tenant, limit=limit)
        if run.json:
            print_json({"jobs": [job_to_dict(job) for job in found]})
            return
        rows = (
            (
                job.id,
                "cancelled" if job.cancelled else "done" if job.finished else "open",
                f"{job.done} of {job.total}",
                ", ".join(f"{n} {state.value}" for state, n in job.counts.items() if n),
                job.submitted_by,
                f"{job.created:%Y-%m-%d %H:%M}",
            )
            for job in found
        )
        columns = ("id", "state", "documents", "of which", "submitted by", "created (UTC)")
        run.out.print(table(columns, rows))

    @command(jobs, "show", examples=("sovereign-rag jobs show 4b7e…",))
    def show(run: Run, job_id: JobId, tenant: Tenant = DEFAULT_TENANT) -> None:
        """Show a job and what became of each of its documents."""
        from sovereign_rag.wire import job_to_dict

        with run.open() as service:
            job = service.catalog.job(job_id, tenant)
            tasks = list(service.catalog.tasks(job_id, tenant, limit=_MOST_TASKS))
            while len(tasks) % _MOST_TASKS == 0 and tasks:
                more = service.catalog.tasks(job_id, tenant, after=tasks[-1].id, limit=_MOST_TASKS)
                if not more:
                    break
                tasks += more
        if run.json:
            print_json(job_to_dict(job, tasks))
            return
        run.out.print(
            facts(
                {
                    "id": job.id,
                    "submitted by": job.submitted_by,
                    "created": job.created,
                    "finished": job.finished,
                    "cancelled": "yes" if job.cancelled else None,
                    "documents": f"{job.done} of {job.total} done",
                }
            )
        )
        rows = ((t.state.value, t.pages, t.chunks, t.name, t.reason) for t in tasks)
        run.out.print(table(("state", ">pages", ">chunks", "name", "reason"), rows))

    @command(jobs, "cancel", examples=("sovereign-rag jobs cancel 4b7e…",))
    def cancel(run: Run, job_id: JobId, tenant: Tenant = DEFAULT_TENANT) -> None:
        """Cancel what of a job has not begun; what is in stays in."""
        from sovereign_rag.wire import job_to_dict

        with run.open() as service:
            service.catalog.cancel_job(job_id, tenant)
            job = service.catalog.job(job_id, tenant)
        if run.json:
            print_json(job_to_dict(job))
        else:
            run.note(f"Cancelled; {job.done} of {job.total} documents have ended.")

    @command(jobs, "retry", examples=("sovereign-rag jobs retry 4b7e…",))
    def retry(run: Run, job_id: JobId, tenant: Tenant = DEFAULT_TENANT) -> None:
        """Put a job's failed documents back in the queue, for the next worker."""
        from sovereign_rag.wire import job_to_dict

        with run.open() as service:
            service.catalog.retry_job(job_id, tenant)
            job = service.catalog.job(job_id, tenant)
        if run.json:
            print_json(job_to_dict(job))
        else:
            waiting = job.total - job.done
            run.note(
                f"{waiting} documents wait. A running server takes them up, or "
                "`sovereign-rag worker`."
            )
