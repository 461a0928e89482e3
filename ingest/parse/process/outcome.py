"""How a child ended: its answer, or an error that tells an admin what to do."""

import os
from pathlib import Path

import orjson

from ingest.parse.document.job import RESULT_NAME, STDERR_NAME, Excess, Job, JobOutcome
from sovereign_rag.errors import DocumentError, NoText, ParserUnavailable

_MAX_RESULT_BYTES = 256 << 20
_MAX_MESSAGE = 500


def result_of(job: Job, outcome: JobOutcome, scratch: Path) -> dict[str, object]:
    """What the child answered.

    Raises:
        DocumentError, NoText: The document can't be read, or took too much.
        ParserUnavailable: A layer is missing that has to stand.
    """
    if outcome.excess is not None:
        raise _exceeded(job, outcome.excess)
    answer: object = None
    if outcome.exit_code == 0:
        try:
            answer = orjson.loads(read_made(scratch / RESULT_NAME, _MAX_RESULT_BYTES))
        except orjson.JSONDecodeError:
            answer = None
    if not isinstance(answer, dict):
        raise _ended(job, outcome, scratch)
    if missing := answer.get("missing"):
        raise ParserUnavailable(
            f"This kernel lacks {', '.join(map(str, missing))}, and SOVEREIGN_RAG_PARSE__SANDBOX "
            'is "required". Use a kernel of 5.13 or later with Landlock, or set it to "available".'
        )
    if refusal := answer.get("refusal"):
        raise _refused(job, refusal)
    return answer


def read_made(path: Path, max_bytes: int) -> bytes:
    """What a child wrote; b"" where there is none.

    It may have been taken over, so no link is followed out of its folder.

    Raises:
        DocumentError: "too_large".
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return b""
    with os.fdopen(handle, "rb") as file:
        data = file.read(max_bytes + 1)
    if len(data) > max_bytes:
        raise DocumentError(
            "too_large",
            f"What was read from the document takes more than {max_bytes >> 20} MiB. Split it "
            "into several files.",
        )
    return data


def _exceeded(job: Job, excess: Excess) -> DocumentError:
    if excess == "time":
        return DocumentError(
            "timeout",
            f"Reading {job.name!r} took longer than {job.timeout_s:g} s. Split it, or raise "
            "SOVEREIGN_RAG_PARSE__TIMEOUT_S.",
        )
    if excess == "memory":
        return _memory(job)
    what = "started more programs" if excess == "processes" else "wrote more temporary files"
    return DocumentError(
        "bomb",
        f"Reading {job.name!r} {what} than any document needs: it looks made to do harm. If it is "
        "not, save it as PDF, and ingest that.",
    )


def _refused(job: Job, refusal: dict[str, str]) -> Exception:
    reason = str(refusal.get("reason", "broken"))[:40]
    message = str(refusal.get("message", ""))[:_MAX_MESSAGE]
    if refusal.get("kind") == NoText.__name__:
        return NoText(message)
    if reason == "memory":
        return _memory(job)
    if reason == "broken" and " " not in message.strip():
        return DocumentError(
            "broken",
            f"{job.name!r} is damaged or not what it says it is ({message}). Open it in its "
            "program, save it anew, and ingest it again.",
        )
    return DocumentError(reason, message)


def _ended(job: Job, outcome: JobOutcome, scratch: Path) -> DocumentError:
    said = _last_words(scratch / STDERR_NAME)
    memory_signs = (b"memory allocation", b"bad_alloc", b"out of memory", b"memoryerror")
    if outcome.exit_code == -9 or any(sign in said for sign in memory_signs):
        return _memory(job)
    if outcome.exit_code == -24:  # SIGXCPU
        return DocumentError(
            "timeout",
            f"Reading {job.name!r} took more CPU time than {job.timeout_s:g} s. Split it, or "
            "raise SOVEREIGN_RAG_PARSE__TIMEOUT_S.",
        )
    return DocumentError(
        "crashed",
        f"The parser broke down over {job.name!r} (exit code {outcome.exit_code}). Save it anew, "
        "or as PDF, and ingest it again.",
    )


def _last_words(path: Path) -> bytes:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return b""
    with os.fdopen(handle, "rb") as file:
        file.seek(max(0, file.seek(0, os.SEEK_END) - 2_000))
        return file.read().lower()


def _memory(job: Job) -> DocumentError:
    return DocumentError(
        "memory",
        f"Reading {job.name!r} needs more than {job.memory_mib} MiB of memory. Split it, or raise "
        "SOVEREIGN_RAG_PARSE__MEMORY_MIB.",
    )
