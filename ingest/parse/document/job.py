"""What the pool asks of a child, as it travels over a pipe, and what the child's readers need."""

import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Literal

from ingest.parse.document.blocks import DocumentDraft

RESULT_NAME = "result.json"
IMAGE_NAME = "page.png"
INPUT_NAME = "input"
STDERR_NAME = "stderr"
UNPACKED_NAME = "unpacked"
_CHILD = {"in_child": True}


MAX_INNER_FILES = 200
MAX_INNER_BYTES = 256 << 20


@dataclass(slots=True)
class AttachmentBudget:
    """What is left for inner documents, at all depths together."""

    files: int = MAX_INNER_FILES
    bytes: int = MAX_INNER_BYTES
    started: float = field(default_factory=time.monotonic)


def _no_reading(path: Path, job: "Job") -> tuple[str, DocumentDraft]:
    raise RuntimeError("A job reads inner documents by `read_inner`: read it by `read_file`.")


class RecognitionRefused(BaseException):
    """A page has to be recognised, and nothing may be: the whole document is to be read later.

    No Exception, so that no reader takes it for a damaged part and goes on without.
    """


@dataclass(frozen=True, slots=True)
class Job:
    """One document to be read, or one page of it to be drawn.

    What is marked by `_CHILD` is set within the child, and does not travel.
    """

    id: int
    task: Literal["parse", "render", "characters", "unpack", "probe"]
    scratch: str  # the only folder the child may write to; holds INPUT_NAME, the document
    name: str = ""
    media_type: str | None = None
    password: str | None = None
    page: int = 1
    dpi: int = 110
    timeout_s: float = 300.0
    memory_mib: int = 2_048
    scratch_mib: int = 2_048  # all files together
    scratch_entries: int = 50_000  # files and folders
    file_mib: int = 512  # one file
    limits: dict[str, int] | None = None  # of an archive
    max_pages: int = 5_000
    ocr: bool = True
    ocr_languages: str = "eng"
    ocr_dpi: int = 200
    recognition_refused: str = ""  # why
    sandbox_required: bool = False
    depth: int = field(default=0, metadata=_CHILD)  # of the documents around: the mail, ...
    budget: AttachmentBudget | None = field(default=None, metadata=_CHILD)  # of the outermost
    # How a reader reads a document within its own, whatever its format; returns its media type too.
    read_inner: Callable[[Path, "Job"], tuple[str, DocumentDraft]] = field(
        default=_no_reading, metadata=_CHILD
    )

    def to_line(self) -> str:
        travels = [item.name for item in fields(self) if "in_child" not in item.metadata]
        return json.dumps({name: getattr(self, name) for name in travels}) + "\n"

    @staticmethod
    def from_line(line: str) -> "Job":
        return Job(**json.loads(line))


Reader = Callable[[Path, Job], DocumentDraft]
"""Reads a file within the limits of a job.

Raises DocumentError; any other exception is taken for a damaged document.
"""

Excess = Literal["time", "processes", "disk", "memory"]
"""What a document took too much of, and was ended for."""


@dataclass(frozen=True, slots=True)
class JobOutcome:
    """How a child ended: its exit code (negative: the signal), and what it was ended for."""

    id: int
    exit_code: int
    excess: Excess | None
    peak_mib: int
