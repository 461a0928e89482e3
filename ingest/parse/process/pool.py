"""The pool of parsing processes: a hostile document costs one failed document."""

import itertools
import logging
import os
import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from ingest.parse.archive import ArchiveLimits, Contents
from ingest.parse.document.job import (
    IMAGE_NAME,
    INPUT_NAME,
    UNPACKED_NAME,
    Job,
    JobOutcome,
)
from ingest.parse.process.fork_server_client import (
    ForkServerClient,
    ForkServerDied,
    readable_paths,
)
from ingest.parse.process.fork_servers import OF_THIS_PROGRAM, ForkServers
from ingest.parse.process.outcome import read_made, result_of
from ingest.parse.process.parser_key import parser_key
from ingest.parse.process.sandbox import Protections, readable_root_of
from ingest.parse.process.scratch import ScratchRoot, remove_tree
from ingest.parse.process.validate import validated, validated_contents
from sovereign_rag.domain import PageCharacter, ParsedDocument
from sovereign_rag.errors import DocumentError, ParserUnavailable
from sovereign_rag.settings import ParseSettings
from sovereign_rag.storage.parsed_texts import decode_parsed
from sovereign_rag.system.cpu import usable_cores
from sovereign_rag.system.tracing import span

_log = logging.getLogger(__name__)
_MAX_IMAGE_BYTES = 64 << 20
_ROOM_MIB, _ROOM_ENTRIES = 64, 1_000  # beside what may come out of an archive
_job_ids = itertools.count(1)  # of all pools, which share a fork server
_TRIES = 2  # a fork server that dies is replaced, and the document gets one more chance


class ParserPool:
    """Reads documents, each in a process of its own without network, files or secrets.

    Thread-safe; `settings.workers` documents at once, further callers wait. Nothing is started
    before the first document. The process that forks is the program's, and ends with the last pool
    that is closed; a pool that is not closed ends with the program, also when that is killed.

    Args:
        settings: Limits of one document.
        scratch_dir: Where documents are unpacked; unset: the system's folder for temporary
            files. Everything in it is removed after use, and at the next start after a crash.
        data_dir: The data folder, which no parser may reach.
        fork_servers: Whose fork server is asked.
        recognition_refused: Why no page may be recognised at the moment; "": pages may.
    """

    def __init__(
        self,
        settings: ParseSettings,
        *,
        scratch_dir: Path | None = None,
        data_dir: Path | None = None,
        fork_servers: ForkServers = OF_THIS_PROGRAM,
        recognition_refused: Callable[[], str] = str,
    ) -> None:
        self._settings = settings
        self._data_dir = data_dir
        self._scratch = ScratchRoot(scratch_dir)
        self._places = threading.BoundedSemaphore(settings.workers or usable_cores())
        self._lock = threading.Lock()
        self._fork_servers = fork_servers
        self._recognition_refused = recognition_refused
        self._has_joined = False
        self._jobs: dict[int, ForkServerClient] = {}  # in work, where
        self._told = False

    def parse(
        self,
        path: Path,
        *,
        name: str,
        media_type: str | None = None,
        password: str | None = None,
        cancel: threading.Event | None = None,
    ) -> ParsedDocument:
        """Read a file.

        Args:
            path: The file; it is copied before it is opened by a parser.
            name: The file name as a person knows it; a hint to the format.
            media_type: What it is; unset: found from its bytes.
            password: Opens an encrypted PDF or Office file.
            cancel: Once it is set, the process that reads the file is killed.

        Raises:
            DocumentError: This document can't be read. Its `reason` is one of bomb, broken,
                cancelled, crashed, empty, encrypted, memory, timeout, too_large, unreadable,
                unsupported, and recognition where a page needs that and it is refused; its
                message is for an admin.
            NoText: Pages were read and no text was on them.
            ParserUnavailable: The parsing process can't be started, a protection is missing
                while `settings.sandbox` is "required", or the data folder lies where parsers read.
        """
        job = self._job("parse", name=name, media_type=media_type, password=password)
        job = replace(job, recognition_refused=self._recognition_refused())
        with span("ingest.parse"), self._done(job, path, cancel) as (_, result):
            try:
                return validated(decode_parsed(_mapping(result["parsed"])))
            except (ValueError, KeyError, TypeError) as error:
                raise DocumentError(
                    "crashed",
                    f"Reading {name!r} gave a result that makes no sense, which a hostile file may "
                    "cause. Save it as PDF, or leave it out.",
                ) from error

    def render_page(
        self,
        path: Path,
        page: int,
        *,
        dpi: int = 110,
        media_type: str,
        password: str | None = None,
    ) -> bytes:
        """A PNG of a page of a PDF, or of a frame of an image; pages count from 1.

        Raises:
            DocumentError: As `parse`; "unsupported" for formats without page images and
                "no_page" for a page that isn't there.
            ParserUnavailable: As `parse`.
        """
        job = self._job("render", name=path.name, media_type=media_type, password=password)
        with self._done(replace(job, page=page, dpi=dpi), path) as (scratch, _):
            image = read_made(scratch / IMAGE_NAME, _MAX_IMAGE_BYTES)
        if not image.startswith(b"\x89PNG\r\n\x1a\n"):
            raise DocumentError(
                "crashed", f"Page {page} could not be drawn. Read it as text instead."
            )
        return image

    def page_characters(self, path: Path, page: int) -> tuple[PageCharacter, ...]:
        """The characters that a page of a PDF shows, and where; pages count from 1.

        Raises:
            DocumentError: As `render_page`.
            ParserUnavailable: As `parse`.
        """
        job = replace(self._job("characters", name=path.name), page=page)
        with self._done(job, path) as (_, result):
            found = result["characters"]
        try:
            text, places = _mapping(found)["text"], _mapping(found)["places"]
            return tuple(
                PageCharacter(str(character), float(x), float(y))
                for character, (x, y) in zip(text, places, strict=True)
            )
        except (ValueError, KeyError, TypeError) as error:
            raise DocumentError(
                "crashed", f"Page {page} could not be read again. Take the file in anew."
            ) from error

    @contextmanager
    def unpack(
        self,
        path: Path,
        *,
        name: str,
        limits: ArchiveLimits,
        cancel: threading.Event | None = None,
    ) -> Iterator[tuple[Path, Contents | None]]:
        """Take an archive apart.

        Yields:
            A folder with the files that came out, named by their numbers, for as long as the
            context lasts, and what they are; None: it is no archive.

        Raises:
            DocumentError: As `parse`, "bomb" where a limit was passed.
            ParserUnavailable: As `parse`.
        """
        job = replace(
            self._job("unpack", name=name),
            limits=asdict(limits),
            scratch_mib=limits.max_unpacked_mib + self._settings.max_file_mib + _ROOM_MIB,
            scratch_entries=limits.max_members + _ROOM_ENTRIES,
            file_mib=(limits.max_bytes >> 20) + 1,
        )
        with self._done(job, path, cancel) as (scratch, result):
            try:
                contents = validated_contents(result["contents"], limits)
            except (ValueError, KeyError, TypeError) as error:
                raise DocumentError(
                    "crashed",
                    f"Unpacking {name!r} gave a result that makes no sense, which a hostile file "
                    "may cause. Unpack it with its program, or leave it out.",
                ) from error
            yield scratch / UNPACKED_NAME, contents

    @cached_property
    def key(self) -> str:
        """The version of this parser, for the name of a stored text: letters, digits, hyphens.

        Another engine, another OCR setting or another version of our code is another key.
        """
        return parser_key(self._settings)

    def protections(self) -> Protections:
        """The layers that a child really has on this machine, tried out in one.

        Raises:
            ParserUnavailable: The process can't be started.
        """
        with self._done(self._job("probe"), None) as (_, result):
            found = Protections(**_mapping(result["protections"]))
            return replace(found, network_denied=found.network_denied and not result["network"])

    def close(self) -> None:
        """End what this pool started and remove what it wrote. Documents in work fail."""
        with self._lock:
            if self._has_joined:
                for job_id, client in self._jobs.items():
                    client.kill(job_id)
                self._jobs.clear()
                self._fork_servers.leave()
                self._has_joined = False
            self._scratch.remove()

    def __enter__(self) -> "ParserPool":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _job(
        self,
        task: Literal["parse", "render", "characters", "unpack", "probe"],
        *,
        name: str = "",
        media_type: str | None = None,
        password: str | None = None,
    ) -> Job:
        limits = self._settings
        return Job(
            id=0,
            task=task,
            scratch="",
            name=name,
            media_type=media_type,
            password=password,
            timeout_s=limits.timeout_s,
            memory_mib=limits.memory_mib,
            max_pages=limits.max_pages,
            ocr=limits.ocr,
            ocr_languages=limits.ocr_languages,
            ocr_dpi=limits.ocr_dpi,
            sandbox_required=limits.sandbox == "required",
        )

    @contextmanager
    def _done(
        self, job: Job, path: Path | None, cancel: threading.Event | None = None
    ) -> Iterator[tuple[Path, dict[str, object]]]:
        """Run a job; yields its scratch folder and its result, and removes the folder."""
        self._check_data_dir()
        with self._places:
            for attempt in range(1, _TRIES + 1):
                scratch = self._scratch.make()
                try:
                    if path is not None:
                        self._copy_in(path, scratch / INPUT_NAME, job.name)
                    numbered = replace(job, id=next(_job_ids), scratch=str(scratch))
                    outcome = self._run(numbered, cancel)
                    if cancel is not None and cancel.is_set():
                        raise DocumentError(
                            "cancelled",
                            f"Reading {job.name!r} was cancelled; `sovereign-rag jobs retry` "
                            "takes it up again.",
                        )
                    result = result_of(numbered, outcome, scratch)
                    self._tell_what_is_missing(result.get("without"))
                    yield scratch, result
                    return
                except ForkServerDied as error:
                    if attempt == _TRIES:
                        raise ParserUnavailable(
                            f"The parsing process ended by itself, twice: {error}. Is there "
                            "enough memory? `sovereign-rag doctor` tells more."
                        ) from error
                finally:
                    remove_tree(scratch)  # what stays goes with its parent

    def _check_data_dir(self) -> None:
        if self._data_dir is None:
            return
        root = readable_root_of(self._data_dir, readable_paths())
        if root is not None:
            raise ParserUnavailable(
                f"The data folder {self._data_dir} lies in {root}, which every parser may read: a "
                "hostile document could read all others. Move it elsewhere, and name its new place "
                "with --data-dir or SOVEREIGN_RAG_DATA_DIR."
            )

    def _tell_what_is_missing(self, layers: object) -> None:
        if isinstance(layers, list) and layers and not self._told:
            self._told = True
            _log.warning(
                "This machine gives the parser no %s: a hostile document is confined by the other "
                "layers alone. Set SOVEREIGN_RAG_PARSE__SANDBOX to required to refuse documents "
                "here; `sovereign-rag doctor` tells more.",
                ", ".join(map(str, layers)),
            )

    def _run(self, job: Job, cancel: threading.Event | None) -> JobOutcome:
        with self._lock:
            if not self._has_joined:
                self._fork_servers.join()
                self._has_joined = True
            client = self._jobs[job.id] = self._fork_servers.running()
        try:
            outcome = client.run(job, cancel)
        except ForkServerDied:
            self._put_down(job)
            raise
        self._put_down(job)
        return outcome

    def _put_down(self, job: Job) -> None:
        with self._lock:
            if self._jobs.pop(job.id, None) is None:
                raise ParserUnavailable(
                    f"{job.name!r} was being read when this program was told to end. Start it "
                    "again: what was not finished is taken up."
                )

    def _copy_in(self, path: Path, target: Path, name: str) -> None:
        """Copy, so that the child needs no right to read the original and can't change it."""
        try:
            source = path.open("rb")
        except OSError as error:
            raise DocumentError(
                "unreadable",
                f"{name!r} can't be opened: {error.strerror}. Check that it is there and that this "
                "program's user may read it.",
            ) from error
        with source:
            size = os.fstat(source.fileno()).st_size
            if size > self._settings.max_file_mib << 20:
                raise DocumentError(
                    "too_large",
                    f"{name!r} has {size >> 20} MiB, the limit is {self._settings.max_file_mib}. "
                    "Split it, or raise SOVEREIGN_RAG_PARSE__MAX_FILE_MIB.",
                )
            try:
                with target.open("wb") as copy:
                    shutil.copyfileobj(source, copy, 1 << 20)
            except OSError as error:
                raise ParserUnavailable(
                    f"Could not copy {name!r} into {target.parent.parent}: {error.strerror}. Is "
                    "the disk full?"
                ) from error


def _mapping(value: object) -> dict[str, Any]:
    """A child's answer is whatever it wrote; what is in it is checked by whoever reads it."""
    if not isinstance(value, dict):
        raise TypeError("no mapping")
    return value
