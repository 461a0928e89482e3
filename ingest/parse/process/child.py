"""The life of a child: confine itself, read one document, write one result, leave."""

import gc
import os
import resource
import signal
import socket
import sys
import tempfile
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import NoReturn

import magic
import orjson

from ingest.parse import archive, render
from ingest.parse.document.compose import finish
from ingest.parse.document.job import (
    INPUT_NAME,
    RESULT_NAME,
    STDERR_NAME,
    UNPACKED_NAME,
    Job,
    RecognitionRefused,
)
from ingest.parse.markup.html import markdown_blocks
from ingest.parse.process import namespaces
from ingest.parse.process.sandbox import (
    Protections,
    die_with_parent,
    lock_down,
    visible_paths,
)
from ingest.parse.reading import read_file
from sovereign_rag.errors import DocumentError
from sovereign_rag.storage.parsed_texts import encode_parsed
from sovereign_rag.system.cpu import yield_the_cores

_RECURSION_LIMIT = 3_000


Work = Callable[[Job, Path, Protections], bytes]
"""What is done in the confined process: the job, its scratch folder, the layers -> the result."""


def run(job: Job, readable: Sequence[str], work: Work, *, is_first: bool) -> NoReturn:
    """Do one job in a process that was forked for it; never returns.

    `is_first`: it is the first of its PID namespace.
    """
    status = 1
    try:
        os.setsid()  # a group of its own, so that whatever it starts can be killed with it
        scratch = Path(job.scratch)
        die_with_parent(signal.SIGKILL)
        if job.task in ("parse", "unpack"):  # nobody waits for it as for an answer or a page
            yield_the_cores()
        own = namespaces.enter(scratch, visible_paths(readable), is_first=is_first)
        _enter_scratch(scratch)
        protections = replace(
            lock_down(
                scratch,
                memory_mib=job.memory_mib,
                cpu_s=int(job.timeout_s) + 5,
                readable=readable,
                file_mib=job.file_mib,
            ),
            own_processes=own.processes,
            own_files=own.files,
        )
        sys.setrecursionlimit(_RECURSION_LIMIT)
        result = work(job, scratch, protections)
        (scratch / RESULT_NAME).write_bytes(result)
        status = 0
    except BaseException as error:  # the end of this process, said where the pool reads it
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
    finally:
        os._exit(status)  # no clean-up of the parent's that was copied by the fork


def _enter_scratch(scratch: Path) -> None:
    os.chdir(scratch)
    tempfile.tempdir = str(scratch)
    nothing = os.open(os.devnull, os.O_RDWR)
    errors = os.open(scratch / STDERR_NAME, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600)
    for target, source in ((0, nothing), (1, nothing), (2, errors)):
        os.dup2(source, target)
    # Nothing of the fork server's (its pipes) stays open, whatever was passed by mistake.
    os.closerange(3, resource.getrlimit(resource.RLIMIT_NOFILE)[0])
    gc.enable()
    warnings.simplefilter("ignore")


def answer(job: Job, scratch: Path, protections: Protections) -> bytes:
    """Read the document, draw a page of it, take it apart, or tell which layers stand."""
    if job.task == "probe":
        return orjson.dumps(
            {
                "protections": asdict(protections),
                "network": _can_open_a_socket(),
            }
        )
    if job.sandbox_required and protections.missing:
        return orjson.dumps({"missing": list(protections.missing)})
    try:
        if job.task == "render":
            render.render_page(scratch / INPUT_NAME, job)
            return orjson.dumps({"rendered": True})
        if job.task == "characters":
            shown = render.page_characters(scratch / INPUT_NAME, job)
            return orjson.dumps({"characters": shown})
        if job.task == "unpack":
            contents = _unpack(job, scratch)
            return orjson.dumps({"contents": contents, "without": list(protections.missing)})
        parsed = _parse(scratch / INPUT_NAME, job)
        return orjson.dumps({"parsed": parsed, "without": list(protections.missing)})
    except DocumentError as error:
        refusal = {"kind": type(error).__name__, "reason": error.reason, "message": str(error)}
    except RecognitionRefused as refused:
        refusal = _refusal("recognition", str(refused))
    except MemoryError:
        refusal = _refusal("memory", "")
    except RecursionError:
        refusal = _refusal("broken", "it is nested too deeply")
    except Exception as error:  # libraries raise what they like on damaged input
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
        refusal = _refusal("broken", type(error).__name__)
    return orjson.dumps({"refusal": refusal})


def _refusal(reason: str, detail: str) -> dict[str, str]:
    return {"kind": "DocumentError", "reason": reason, "message": detail}


def _can_open_a_socket() -> bool:
    try:
        socket.socket(socket.AF_INET, socket.SOCK_STREAM).close()
    except OSError:
        return False
    return True


def _parse(path: Path, job: Job) -> dict[str, object]:
    kind, draft = read_file(path, job)
    return encode_parsed(finish(draft, media_type=kind, name=job.name))


def _unpack(job: Job, scratch: Path) -> archive.Contents | None:
    into = scratch / UNPACKED_NAME
    into.mkdir()
    limits = archive.ArchiveLimits(**(job.limits or {}))
    return archive.unpack(scratch / INPUT_NAME, job.name, into, limits)


def warm_up() -> None:
    """Load what the first document would load, before there are children to share it."""
    magic.from_buffer(b"%PDF-1.4", mime=True)
    markdown_blocks("# A title\n\nThis is a paragraph with some words in it.")
