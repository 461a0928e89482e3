"""A document that took its parser over: its bytes are a program, run where a reader would be.

The fork server and the child are the product's own, with every layer; only what a child does with
its document is exchanged.
"""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

from ingest.parse.document.job import INPUT_NAME, RESULT_NAME, Job, JobOutcome
from ingest.parse.process.fork_server_client import readable_paths

ALLOWED_HERE, NO_NAMESPACES = "as it is", "without namespaces"
MACHINES = (ALLOWED_HERE, NO_NAMESPACES)
"""This one, and one that allows no namespaces, as most containers: its kernel then refuses them."""

_SERVER = """
import ctypes, json, os, platform, struct, sys
from ingest.parse.process import fork_server

if sys.argv.pop(1) == "without namespaces":
    libc = ctypes.CDLL(None, use_errno=True)
    unshare, allow, refuse = {"x86_64": 272}.get(platform.machine(), 97), 0x7FFF0000, 0x00050001
    steps = [(0x20, 0, 0, 0), (0x15, 0, 1, unshare), (0x06, 0, 0, refuse), (0x06, 0, 0, allow)]
    code = b"".join(struct.pack("HBBI", *step) for step in steps)
    buffer = ctypes.create_string_buffer(code, len(code))
    packed = struct.pack("HxxxxxxQ", len(steps), ctypes.addressof(buffer))
    pointer = ctypes.create_string_buffer(packed, len(packed))
    assert libc.prctl(38, 1, 0, 0, 0) == 0 and libc.prctl(22, 2, pointer, 0, 0) == 0

def attempt(act):
    try:
        act()
    except OSError as error:
        return type(error).__name__
    return "done"

def obey(job, scratch, protections):
    found = {}
    names = {"found": found, "attempt": attempt, "scratch": scratch, "told": json.loads(job.name)}
    exec((scratch / "input").read_text(), names)
    return json.dumps(found).encode()

fork_server.ForkServer(os.dup(1), sys.argv[1:], obey).serve()
"""

JOB = Job(id=1, task="parse", scratch="", timeout_s=30, memory_mib=512)


def run_as_document(
    program: str,
    scratch: Path,
    *,
    job: Job = JOB,
    told: object = None,
    machine: str = ALLOWED_HERE,
) -> tuple[JobOutcome, dict[str, Any]]:
    """Run `program` in a confined child.

    Args:
        program: It finds `found` (a dict that comes back), `attempt` (the name of the OSError, or
            "done"), `scratch` and `told`.
        scratch: Its only folder.
        told: What the program is told, as plain JSON types.
        machine: One of `MACHINES`.
    """
    scratch.mkdir(exist_ok=True)
    (scratch / INPUT_NAME).write_text(program)
    sent = replace(job, scratch=str(scratch), name=json.dumps(told))
    with subprocess.Popen(
        [sys.executable, "-c", _SERVER, machine, *readable_paths()],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": os.pathsep.join(p for p in sys.path if p), "PATH": os.defpath},
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        server.stdin.write(sent.to_line())
        server.stdin.flush()
        outcome = JobOutcome(**json.loads(server.stdout.readline()))
    result = scratch / RESULT_NAME
    return outcome, json.loads(result.read_bytes()) if result.exists() else {}
