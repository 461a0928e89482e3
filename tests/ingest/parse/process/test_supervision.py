"""What a document's processes take together is limited, and none of them outlives it."""

import fcntl
import json
import os
import signal
from dataclasses import replace
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # the package has no types
import pytest

from ingest.parse.document.job import Excess, Job
from tests.ingest.parse.process.hostile import JOB, MACHINES, run_as_document
from tests.ingest.parse.process.letters import run_python

FORK_AND_STAY = """
import fcntl, os, time
(scratch / "alive").mkdir()
def stay(tries):
    for act in tries:
        attempt(act)
    with open(scratch / "alive" / str(os.getpid()), "w") as sign:
        fcntl.flock(sign, fcntl.LOCK_EX)
        time.sleep(600)
def fork_twice(*tries):
    if os.fork() == 0:
        if os.fork() == 0:
            stay(tries)
        os._exit(0)
    os.wait()
"""
FORK_BOMB = f"""{FORK_AND_STAY}
while True:
    if os.fork() == 0:
        stay([])
"""
MANY_FILES = """
for number in range(10_000):
    (scratch / str(number)).write_bytes(b"x" * (1 << 20))
"""
A_DEEP_FOLDER = """
import os, time
while True:
    os.mkdir("deeper")
    os.chdir("deeper")
    time.sleep(0.001)
"""
MUCH_IN_EACH_OF_MANY = """
import os, time
while os.fork():
    pass
kept = bytearray(300 << 20)
time.sleep(600)
"""


def left_of(scratch: Path) -> list[str]:
    """Signs that processes made and still hold, by whatever number they know themselves."""
    return [path.name for path in (scratch / "alive").iterdir() if is_held(path)]


def is_held(path: Path) -> bool:
    with path.open() as sign:
        try:
            fcntl.flock(sign, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def is_there(pid: int) -> bool:
    return bool(psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE)


@pytest.mark.parametrize("machine", MACHINES)
def test_no_process_outlives_the_time_of_its_document(machine: str, tmp_path: Path) -> None:
    outcome, _ = run_as_document(
        f"""{FORK_AND_STAY}
import ctypes
libc = ctypes.CDLL(None)
fork_twice()
fork_twice(os.setsid)
fork_twice(lambda: os.setpgid(0, 0), os.setsid)
fork_twice(lambda: libc.prctl(1, 0), lambda: libc.prctl(36, 1), os.setsid)
time.sleep(600)
""",
        tmp_path / "scratch",
        job=replace(JOB, timeout_s=3),
        machine=machine,
    )

    assert outcome.excess == "time"
    assert len(list((tmp_path / "scratch" / "alive").iterdir())) == 4
    assert left_of(tmp_path / "scratch") == []


@pytest.mark.parametrize("machine", MACHINES)
def test_what_a_document_left_running_ends_with_it(machine: str, tmp_path: Path) -> None:
    outcome, found = run_as_document(
        f"""{FORK_AND_STAY}
if os.fork() == 0:
    stay([os.setsid])
while not os.listdir(scratch / "alive"):
    time.sleep(0.01)
found["said"] = "done"
""",
        tmp_path / "scratch",
        machine=machine,
    )

    assert (outcome.excess, outcome.exit_code, found) == (None, 0, {"said": "done"})
    assert len(list((tmp_path / "scratch" / "alive").iterdir())) == 1
    assert left_of(tmp_path / "scratch") == []


@pytest.mark.parametrize(
    ("program", "job", "excess"),
    [
        (FORK_BOMB, JOB, "processes"),
        (MANY_FILES, replace(JOB, scratch_mib=64), "disk"),
        (A_DEEP_FOLDER, JOB, "disk"),
        (MUCH_IN_EACH_OF_MANY, replace(JOB, memory_mib=400), "memory"),
    ],
    ids=["fork bomb", "many files", "deep folder", "memory of many"],
)
def test_what_all_of_a_document_s_processes_take_is_limited(
    program: str, job: Job, excess: Excess, tmp_path: Path
) -> None:
    outcome, _ = run_as_document(program, tmp_path / "scratch", job=job)

    assert outcome.excess == excess


def test_a_few_programs_and_files_are_a_document_s_right(tmp_path: Path) -> None:
    outcome, found = run_as_document(
        """
import subprocess, time
for number in range(10):
    (scratch / str(number)).write_bytes(b"x" * (1 << 20))
started = [subprocess.Popen(["sleep", "0.5"]) for _ in range(5)]
found["ended"] = [one.wait() for one in started]
""",
        tmp_path / "scratch",
        job=replace(JOB, scratch_mib=64),
    )

    assert outcome.excess is None
    assert found == {"ended": [0] * 5}


# Without the filter, as on an architecture that has none: a new session is allowed there.
UNFILTERED = """
import json, os, sys, time
from ingest.parse.process import supervise
supervise.adopt_orphans()
hear, tell = os.pipe()
child = os.fork()
if child == 0:
    os.setsid()
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.setsid()
            os.write(tell, f"{os.getpid()}\\n".encode())
            time.sleep(600)
        os._exit(0)
    time.sleep(600)
sleeper = int(os.read(hear, 100))
supervise.kill_group(child)
os.waitpid(child, 0)
supervise.end_orphans(())
print(json.dumps(sleeper))
"""


def test_a_session_of_its_own_does_not_outlive_its_document_where_nothing_forbids_it() -> None:
    with run_python(UNFILTERED) as process:
        sleeper = json.loads(process.communicate(timeout=60)[0])

    assert not is_there(sleeper)


def test_a_document_s_processes_know_no_number_but_their_own(tmp_path: Path) -> None:
    _, found = run_as_document(
        """
import os
found["own"] = os.getpid()
found["outside"] = attempt(lambda: os.kill(told, 0))
child = os.fork()
if child == 0:
    os._exit(7)
found["child"] = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
""",
        tmp_path / "scratch",
        told=os.getpid(),
    )

    assert found == {"own": 1, "outside": "ProcessLookupError", "child": 7}


@pytest.mark.parametrize(
    ("program", "exit_code"),
    [
        ("import ctypes; ctypes.string_at(0)", -signal.SIGSEGV),
        ("while True: pass", -signal.SIGKILL),
        ("raise SystemExit(3)", 1),
        ("", 0),
    ],
    ids=["crash", "endless", "failure", "success"],
)
def test_how_a_document_s_process_ended_is_known(
    program: str, exit_code: int, tmp_path: Path
) -> None:
    outcome, _ = run_as_document(program, tmp_path / "scratch", job=replace(JOB, timeout_s=3))

    assert outcome.exit_code == exit_code
    assert outcome.excess == ("time" if exit_code == -signal.SIGKILL else None)
