"""What the pool asks of a child, as it travels over a pipe."""

import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from ingest.parse.document.attachments import AttachmentBudget

RESULT_NAME = "result.json"
IMAGE_NAME = "page.png"
INPUT_NAME = "input"
STDERR_NAME = "stderr"


@dataclass(frozen=True, slots=True)
class Job:
    """One document to be read, or one page of it to be drawn."""

    id: int
    task: Literal["parse", "render", "probe"]
    scratch: str  # the only folder the child may write to; holds INPUT_NAME, the document
    name: str = ""
    media_type: str | None = None
    password: str | None = None
    page: int = 1
    dpi: int = 110
    timeout_s: float = 300.0
    memory_mib: int = 2_048
    scratch_mib: int = 2_048  # all files together
    max_pages: int = 5_000
    ocr: bool = True
    ocr_languages: str = "eng"
    ocr_dpi: int = 200
    sandbox_required: bool = False
    depth: int = 0  # of the documents around this one: the mail, its attachment, ...
    budget: "AttachmentBudget | None" = (
        None  # of the outermost document; made and spent in the child
    )

    def to_line(self) -> str:
        return json.dumps(asdict(self)) + "\n"

    @staticmethod
    def from_line(line: str) -> "Job":
        return Job(**json.loads(line))


Excess = Literal["time", "processes", "disk", "memory"]
"""What a document took too much of, and was ended for."""


@dataclass(frozen=True, slots=True)
class JobOutcome:
    """How a child ended: its exit code (negative: the signal), and what it was ended for."""

    id: int
    exit_code: int
    excess: Excess | None
    peak_mib: int
