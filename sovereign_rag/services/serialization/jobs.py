"""Jobs and what becomes of their documents, as they go out."""

from collections.abc import Sequence
from typing import Any, Self

from pydantic import Field

from sovereign_rag.catalog.records import JobProgress, JobRecord, JobState, TaskRecord, TaskState
from sovereign_rag.services.serialization.body import Body, iso


class TaskOut(Body):
    """One document of a job; its place on this machine's disk stays here."""

    task_id: int
    uri: str
    name: str
    state: TaskState
    reason: str | None
    document_id: str | None
    pages: int
    chunks: int
    attempts: int
    started: str | None
    finished: str | None

    @classmethod
    def of(cls, task: TaskRecord) -> Self:
        return cls(
            task_id=task.id,
            uri=task.uri,
            name=task.name,
            state=task.state,
            reason=task.reason,
            document_id=task.document_id,
            pages=task.pages,
            chunks=task.chunks,
            attempts=task.attempts,
            started=iso(task.started),
            finished=iso(task.finished),
        )


class _Job(Body):
    job_id: str
    submitted_by: str
    created: str
    finished: str | None
    cancelled: bool
    state: JobState
    pause_reason: str | None = Field(
        description="What of the machine keeps it from going on; it tries again by itself."
    )
    retry_at: str | None = Field(description="When a paused job is tried again.")
    paused_since: str | None = Field(
        None, description="Since when the vector store is away, where it is that."
    )
    total: int
    done: int
    counts: dict[str, int] = Field(description="Documents by state.")

    @staticmethod
    def _facts(job: JobRecord) -> dict[str, Any]:
        return {
            "job_id": job.id,
            "submitted_by": job.submitted_by,
            "created": job.created.isoformat(),
            "finished": iso(job.finished),
            "cancelled": job.cancelled,
            "state": job.state,
            "pause_reason": job.pause_reason,
            "retry_at": iso(job.retry_at),
            "paused_since": iso(job.paused_since),
            "total": job.total,
            "done": job.done,
            "counts": {state.value: count for state, count in job.counts.items()},
        }


class JobOut(_Job):
    """A job with its counts by state."""

    @classmethod
    def of(cls, job: JobRecord) -> Self:
        return cls(**cls._facts(job))


class JobProgressOut(_Job):
    """How far a job is; of the documents, those that the caller sent in or may read are named."""

    pages_done: int
    pages_known: int = Field(description="Of the documents read so far, the finished among them.")
    chunks: int
    documents_per_minute: float = Field(description="Over the last three minutes.")
    pages_per_minute: float
    seconds_left: float | None = Field(description="An estimate; null where it can't be told.")
    current: list[TaskOut] = Field(description="In work right now.")
    failures: list[TaskOut] = Field(description="The latest ten, newest first.")

    @classmethod
    def of(cls, progress: JobProgress) -> Self:
        return cls(
            **cls._facts(progress.job),
            pages_done=progress.pages_done,
            pages_known=progress.pages_known,
            chunks=progress.chunks,
            documents_per_minute=progress.documents_per_minute,
            pages_per_minute=progress.pages_per_minute,
            seconds_left=progress.seconds_left,
            current=[TaskOut.of(task) for task in progress.current],
            failures=[TaskOut.of(task) for task in progress.failures],
        )


class JobDocumentsOut(Body):
    """Those of a job's documents that the caller sent in or may read."""

    documents: list[TaskOut]
    next: int | None = Field(description="Give it as `after` for the next page; null at the end.")

    @classmethod
    def of(cls, tasks: Sequence[TaskRecord], *, following: int | None) -> Self:
        return cls(documents=[TaskOut.of(task) for task in tasks], next=following)


class JobsOut(Body):
    jobs: list[JobOut]

    @classmethod
    def of(cls, jobs: Sequence[JobRecord]) -> Self:
        return cls(jobs=[JobOut.of(job) for job in jobs])
