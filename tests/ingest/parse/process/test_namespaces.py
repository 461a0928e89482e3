"""Where this machine allows it, a document's processes see nothing but what they may read."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from ingest.parse.process import namespaces
from tests.ingest.parse.process.hostile import MACHINES, run_as_document

GONE = "FileNotFoundError"


def test_not_even_names_sizes_and_times_of_other_files_can_be_asked_for(tmp_path: Path) -> None:
    secret = tmp_path / "payroll-2026.xlsx"
    secret.write_text("secret")

    _, found = run_as_document(
        """
import os
for path in told["others"]:
    found[path] = attempt(lambda: os.stat(path))
found["seen"] = sorted(os.listdir(scratch))
found["library"] = attempt(lambda: open(os.__file__).read())
found["shared library"] = attempt(lambda: os.stat("/usr/lib"))
found["new beside"] = attempt(lambda: os.mkdir("/mine"))
""",
        tmp_path / "scratch",
        told={
            "others": [
                *(str(secret), "/etc/passwd", "/home", "/srv", "/var/log", "/sys/class"),
                *(f"/proc/{os.getpid()}", f"/proc/{os.getppid()}"),
            ]
        },
    )

    assert found.pop("library") == "done"
    assert found.pop("shared library") == "done"
    assert found.pop("new beside") == "PermissionError"
    assert found.pop("seen") == ["input", "stderr"]
    assert found == dict.fromkeys(found, GONE)
    assert len(found) == 8


@pytest.mark.parametrize("machine", MACHINES)
def test_with_and_without_namespaces_no_other_file_is_opened(machine: str, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")

    _, found = run_as_document(
        """
found["read"] = attempt(lambda: open(told).read())
found["write"] = attempt(lambda: open(told, "w"))
found["passwd"] = attempt(lambda: open("/etc/passwd").read())
(scratch / "own").write_text("own")
found["own"] = (scratch / "own").read_text()
""",
        tmp_path / "scratch",
        told=str(secret),
        machine=machine,
    )

    assert found.pop("own") == "own"
    assert set(found.values()) <= {GONE, "PermissionError"}
    assert secret.read_text() == "secret"


AS_A_USER = """
import json, os, sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import namespaces
scratch = Path(sys.argv[2], "scratch")
scratch.mkdir()
child = os.fork()
if child == 0:
    own = namespaces.enter(scratch, ["/usr", "/lib", "/lib64", "/bin"])
    seen = [os.path.exists(path) for path in ("/usr/bin", "/etc/passwd", sys.argv[1])]
    found = [own.processes, own.files, os.getpid(), os.getuid() == int(sys.argv[3]), *seen]
    (scratch / "found").write_text(json.dumps(found))
    os._exit(7)
print(json.dumps([os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), *json.loads(
    (scratch / "found").read_text())]))
"""


def test_a_user_without_powers_gets_them_too() -> None:
    """By a user namespace, with the system's Python: a user may not come to the tests' own."""
    user = 65_534 if os.getuid() == 0 else os.getuid()
    python = next(p for p in ("/usr/bin/python3", sys.executable) if Path(p).exists())
    with tempfile.TemporaryDirectory(dir="/tmp") as code, tempfile.TemporaryDirectory() as work:
        shutil.copy(namespaces.__file__, code)
        os.chmod(code, 0o755)  # noqa: S103  - a user who is not its owner reads it
        os.chmod(work, 0o777)  # noqa: S103  - and writes there
        become = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"]
        done = subprocess.run(
            [*(become if os.getuid() == 0 else []), python, "-c", AS_A_USER, code, work, str(user)],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        )

    assert json.loads(done.stdout) == [7, True, True, 1, True, True, False, False]


FORKED = """
import json, os, sys
sys.path.insert(0, sys.argv[1])
import namespaces
forks, found = namespaces.Forks(), []
for _ in range(2):
    reading, writing = os.pipe()
    pid, is_first = forks.fork()
    if pid == 0:
        os.write(writing, str(os.getpid()).encode())
        os._exit(0)
    os.waitpid(pid, 0)
    found.append([is_first, os.read(reading, 20) == (b"1" if is_first else str(pid).encode())])
found.append(os.readlink("/proc/self/ns/pid") == os.readlink("/proc/self/ns/pid_for_children"))
print(json.dumps(found))
"""


def test_whoever_may_forks_each_document_into_processes_of_its_own(tmp_path: Path) -> None:
    shutil.copy(namespaces.__file__, tmp_path)

    done = subprocess.run(
        [sys.executable, "-c", FORKED, str(tmp_path)], capture_output=True, text=True, check=True
    )

    may = os.getuid() == 0
    assert json.loads(done.stdout) == [[may, True], [may, True], True]
