"""`documents reread --url`: a service reads documents again, and is waited for."""

import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from sovereign_rag.client.client import Client
from sovereign_rag.errors import CannotReread
from sovereign_rag.wiring import IngestProgress

if TYPE_CHECKING:
    from sovereign_rag.services.serialization.documents import DocumentOut
    from sovereign_rag.services.serialization.jobs import TaskOut


def chosen(client: Client, *, outdated: bool) -> "list[DocumentOut]":
    """The documents that the key may read, or those alone that another parser has read."""
    return [one for one in client.documents() if one.outdated or not outdated]


class RemoteRereading:
    """Documents that a service reads again, a job each."""

    def __init__(
        self,
        client: Client,
        *,
        on_progress: Callable[[IngestProgress], None],
        on_task: "Callable[[TaskOut], None]",
        stop: threading.Event,
    ) -> None:
        """
        Args:
            on_progress: Called now and then with how far all of them are.
            on_task: Called with each document that has ended.
            stop: Set it to ask for nothing more; what was asked for goes on over there.
        """
        self._client, self._stop = client, stop
        self._on_progress, self._on_task = on_progress, on_task
        self._begun = time.monotonic()
        self.job_ids: list[str] = []
        self.left_out: list[str] = []
        self.total = 0

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return round(time.monotonic() - self._begun, 2)

    def read(self, document_ids: Sequence[str], *, strict: bool) -> "list[TaskOut]":
        """Have documents read again and wait; gives what became of each.

        `strict`: one that can't be read again is an error, else it is among `left_out`.

        Raises:
            NotFound, Forbidden, CannotReread: As the service says; what it was asked for before
                goes on.
        """
        self.total = len(document_ids)
        for document_id in document_ids:
            if self._stop.is_set():
                break
            try:
                self.job_ids.append(self._client.reread_document(document_id).job_id)
            except CannotReread:
                if strict:
                    raise
                self.left_out.append(document_id)
        self.total -= len(self.left_out)
        tasks: list[TaskOut] = []
        for job_id in self.job_ids:
            self._wait(job_id)
            for task in self._client.job_documents(job_id):
                self._on_task(task)
                tasks.append(task)
            self._tell(tasks)
        return tasks

    def _wait(self, job_id: str) -> None:
        while self._client.job(job_id).finished is None and not self._stop.is_set():
            for _ in self._client.follow_job(job_id):
                if self._stop.is_set():
                    return

    def _tell(self, tasks: "Sequence[TaskOut]") -> None:
        done = sum(task.finished is not None for task in tasks)
        pages = sum(task.pages for task in tasks)
        self._on_progress(IngestProgress(done, self.total, pages, self.seconds, ()))
