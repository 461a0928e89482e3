"""`ingest --url`: files and folders handed in to a service, a few at a time, and waited for."""

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sovereign_rag.client.client import Client
from sovereign_rag.errors import BadInput
from sovereign_rag.services.stated import MetadataBody, read_body
from sovereign_rag.wiring import IngestProgress, WrongFile, find_files, said_beside

if TYPE_CHECKING:
    from sovereign_rag.services.serialization.jobs import JobOut, TaskOut

_AT_ONCE: Final = 50  # files in an upload
_BYTES_AT_ONCE: Final = 64 << 20  # unless a single file is larger


class Upload:
    """Files on their way into a service."""

    def __init__(
        self,
        client: Client,
        paths: Sequence[Path],
        *,
        on_progress: Callable[[IngestProgress], None],
        stop: threading.Event,
    ) -> None:
        """
        Args:
            paths: Files, and folders with all that is in them.
            on_progress: Called now and then with how far all of them are.
            stop: Set it to hand in nothing more; what is in goes on over there.

        Raises:
            BadInput: A path isn't there, or two files have one name, by which the service would
                take one for the other.
        """
        found = find_files(paths)
        self._client, self._on_progress, self._stop = client, on_progress, stop
        self._files = {file.path: file.beside for file in found.files}
        self._begun = time.monotonic()
        _require_names(list(self._files))
        self.left_out = [str(path) for path in found.left_out]
        self.wrong: list[WrongFile] = []  # files beside documents, which went in without them
        self.total = len(self._files)
        self.job_ids: list[str] = []

    @property
    def seconds(self) -> float:
        """Since the beginning."""
        return round(time.monotonic() - self._begun, 2)

    def hand_in(
        self, readers: Iterable[str] | None, level: int | None, password: str | None
    ) -> "Iterator[TaskOut]":
        """Upload and wait; gives what became of each file.

        The service works on the first ones while the next are on their way.
        """
        labels = None if readers is None else sorted(readers)
        upload = partial(self._client.upload, readers=labels, level=level, password=password)
        for batch, said in self._batches(at_once=_AT_ONCE if password is None else 1):
            if self._stop.is_set():
                break
            self.job_ids.append(self._handed_in(upload, batch, said).job_id)
            self._tell()
        for job_id in self.job_ids:
            self._wait(job_id)
            yield from self._client.job_documents(job_id)

    def _batches(self, *, at_once: int) -> "Iterator[tuple[list[Path], MetadataBody | None]]":
        """Files that go together; one of which something is said goes alone, with that."""
        plain: list[Path] = []
        for path, beside in self._files.items():
            said = said_beside(beside, read_body, self.wrong)
            if said is None:
                plain.append(path)
            else:
                yield [path], said
        for batch in _batches(plain, at_once=at_once):
            yield batch, None

    def _handed_in(
        self, upload: "Callable[..., JobOut]", batch: Sequence[Path], said: MetadataBody | None
    ) -> "JobOut":
        if said is None:
            return upload(*batch)
        try:
            return upload(*batch, metadata=said.model_dump(exclude_unset=True))
        except BadInput as error:  # a custom field that the service has not, most likely
            job = upload(*batch)
            self.wrong.append(WrongFile(str(self._files[batch[0]]), str(error)))
            return job

    def _wait(self, job_id: str) -> None:
        while self._client.job(job_id).finished is None and not self._stop.is_set():
            for _ in self._client.follow_job(job_id):
                self._tell()
                if self._stop.is_set():
                    return

    def _tell(self) -> None:
        jobs = [self._client.job(job_id) for job_id in self.job_ids]
        self._on_progress(
            IngestProgress(
                done=sum(job.done for job in jobs),
                total=self.total,
                pages=sum(job.pages_done for job in jobs),
                seconds=self.seconds,
                current=tuple(task.name for job in jobs for task in job.current),
            )
        )


def _require_names(files: Sequence[Path]) -> None:
    seen: dict[str, Path] = {}
    for file in files:
        other = seen.setdefault(file.name, file)
        if other is not file:
            raise BadInput(
                f"{other} and {file} have one name, and a service knows an upload by its name: the "
                "second would replace the first. Rename one, or let the service sync the folder."
            )


def _batches(files: Sequence[Path], *, at_once: int) -> Iterator[list[Path]]:
    batch: list[Path] = []
    size = 0
    for file in files:
        its_size = file.stat().st_size
        if batch and (len(batch) == at_once or size + its_size > _BYTES_AT_ONCE):
            yield batch
            batch, size = [], 0
        batch.append(file)
        size += its_size
    if batch:
        yield batch
