"""What a document that took its parser over can still do: each attack, and its harmless twin."""

import os
import platform
import tempfile
from pathlib import Path

import pytest

from ingest.parse.process.syscalls import REFUSED, number_of
from sovereign_rag.access import Principal, read_scope
from sovereign_rag.settings import Settings
from sovereign_rag.store.connect import open_store
from sovereign_rag.store.embedded.folder import EngineFolder
from tests.ingest.parse.process.hostile import run_as_document

DENIED = "PermissionError"
GONE = {"FileNotFoundError", "ProcessLookupError"}  # in namespaces there is nothing to refuse


def test_a_parser_reaches_no_socket_not_even_the_engine_s(tmp_path: Path) -> None:
    store = open_store(Settings(data_dir=tmp_path / "data"), model_id="model", dimension=4)
    store.make()  # the engine runs
    folder = EngineFolder(tmp_path / "data")

    _, found = run_as_document(
        """
import socket, threading
def ask(address):
    with socket.socket(socket.AF_UNIX) as engine:
        engine.connect(address)
found["engine"] = attempt(lambda: ask(told[0]))
found["presence"] = attempt(lambda: ask(told[1]))
found["secret"] = attempt(lambda: open(told[2], "rb").read())
for family in ("AF_UNIX", "AF_INET", "AF_INET6", "AF_NETLINK", "AF_PACKET", "AF_VSOCK"):
    found[family] = attempt(lambda: socket.socket(getattr(socket, family), socket.SOCK_DGRAM))
found["pair of datagrams"] = attempt(lambda: socket.socketpair(type=socket.SOCK_DGRAM))

left, right = socket.socketpair()
left.sendall(b"awake")
found["heard"] = right.recv(5).decode()
found["re-joined"] = attempt(lambda: left.connect(told[0]))
""",
        tmp_path / "scratch",
        told=[folder.http_socket, folder.presence_socket, str(folder.secret)],
    )

    assert found.pop("heard") == "awake"
    assert set(found.values()) <= {DENIED, *GONE}
    assert len(found) == 11
    assert store.count(read_scope(Principal("ana"))) == 0
    folder.close()
    store.close()


def test_owner_mode_times_and_attributes_of_files_outside_stay(tmp_path: Path) -> None:
    outside = tmp_path / "outside.txt"
    outside.write_text("as it was")
    before = outside.stat()

    _, found = run_as_document(
        """
import os
for name, act in {
    "chmod": lambda: os.chmod(told, 0o777),
    "chown": lambda: os.chown(told, 12, 12),
    "lchown": lambda: os.lchown(told, 12, 12),
    "utime": lambda: os.utime(told, (1, 1)),
    "setxattr": lambda: os.setxattr(told, "user.mine", b"x"),
    "removexattr": lambda: os.removexattr(told, "user.mine"),
    "truncate": lambda: os.truncate(told, 0),
    "read": lambda: open(told).read(),
    "write": lambda: open(told, "w"),
    "remove": lambda: os.unlink(told),
    "rename": lambda: os.rename(told, scratch / "mine"),
    "link": lambda: os.link(told, scratch / "mine"),
    "make beside": lambda: open(told + "x", "w"),
}.items():
    found[name] = attempt(act)
mine = scratch / "mine"
mine.write_text("mine")
mine.rename(scratch / "still mine")
found["own"] = (scratch / "still mine").read_text()
""",
        tmp_path / "scratch",
        told=str(outside),
    )

    assert found.pop("own") == "mine"
    # Landlock answers "another device" to what would move a file between two folders' rights.
    assert set(found.values()) <= {DENIED, "OSError", *GONE}
    assert outside.read_text() == "as it was"
    after = outside.stat()
    assert (after.st_mode, after.st_uid, after.st_gid) == (
        *(before.st_mode, before.st_uid, before.st_gid),
    )
    assert after.st_mtime_ns == before.st_mtime_ns


def test_other_people_s_processes_are_neither_seen_nor_touched(tmp_path: Path) -> None:
    _, found = run_as_document(
        """
import ctypes, os, resource
for part in ("cmdline", "environ", "status", "maps", "cwd"):
    found[part] = attempt(lambda: open(f"/proc/{told}/{part}", "rb").read())
found["list"] = attempt(lambda: os.listdir("/proc"))
found["signal"] = attempt(lambda: os.kill(told, 0))
found["limit"] = attempt(lambda: resource.prlimit(told, resource.RLIMIT_CPU, (1, 1)))
found["nice"] = attempt(lambda: os.setpriority(os.PRIO_PROCESS, told, 19))
found["pidfd"] = attempt(lambda: os.pidfd_open(told))

found["own limits"] = resource.getrlimit(resource.RLIMIT_CORE)
found["own status"] = "Name:" in open("/proc/self/status").read()
os.kill(os.getpid(), 0)
""",
        tmp_path / "scratch",
        told=os.getpid(),
    )

    assert found.pop("own limits") == [0, 0]
    assert found.pop("own status") is True
    assert set(found.values()) <= {DENIED, *GONE}
    assert len(found) == 10


def test_no_namespace_with_new_powers_can_be_made(tmp_path: Path) -> None:
    _, found = run_as_document(
        """
import ctypes, errno, os, threading
libc = ctypes.CDLL(None, use_errno=True)
flags = {"mount": 0x20000, "user": 0x10000000, "pid": 0x20000000, "net": 0x40000000,
         "ipc": 0x8000000, "uts": 0x4000000, "cgroup": 0x2000000}
for name, flag in flags.items():
    pid = libc.syscall(told["clone"], flag | 17, 0, 0, 0, 0)
    if pid == 0:
        os._exit(0)
    found["clone " + name] = errno.errorcode[ctypes.get_errno()]
    libc.unshare(flag)
    found["unshare " + name] = errno.errorcode[ctypes.get_errno()]
libc.syscall(435, 0, 0)
found["clone3"] = errno.errorcode[ctypes.get_errno()]

ran = []
thread = threading.Thread(target=lambda: ran.append("thread"))
thread.start()
thread.join()
pid = os.fork()
if pid == 0:
    os._exit(7)
found["allowed"] = [*ran, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])]
""",
        tmp_path / "scratch",
        told={"clone": 56 if platform.machine() == "x86_64" else 220},
    )

    assert found.pop("allowed") == ["thread", 7]
    assert found.pop("clone3") == "ENOSYS"
    assert found == dict.fromkeys(found, "EPERM")
    assert len(found) == 14


def test_the_folder_for_everybody_s_temporary_files_is_closed(tmp_path: Path) -> None:
    with tempfile.NamedTemporaryFile(dir="/tmp") as theirs:
        _, found = run_as_document(
            """
import os, tempfile
found["list"] = attempt(lambda: os.listdir("/tmp"))
found["make"] = attempt(lambda: open("/tmp/mine", "w"))
found["remove"] = attempt(lambda: os.unlink(told))
with tempfile.NamedTemporaryFile() as mine:
    found["own"] = os.path.dirname(mine.name) == str(scratch)
""",
            tmp_path / "scratch",
            told=theirs.name,
        )

    assert found.pop("own") is True
    assert set(found.values()) <= {DENIED, *GONE}
    assert len(found) == 3


CALLS = [call for group in REFUSED.values() for call in group]


def test_every_call_of_the_list_is_refused(tmp_path: Path) -> None:
    numbers = {call.name: number_of(call, platform.machine()) for call in CALLS}
    known = {name: number for name, number in numbers.items() if number is not None}

    _, found = run_as_document(
        """
import ctypes, errno
libc = ctypes.CDLL(None, use_errno=True)
for name, number in told.items():
    ctypes.set_errno(0)
    libc.syscall(number, 0, 0, 0, 0, 0, 0)
    found[name] = errno.errorcode.get(ctypes.get_errno())
found["a call of a later kernel"] = libc.syscall(463, 0, 0, 0, 0, 0, 0)
found["its error"] = errno.errorcode.get(ctypes.get_errno())
""",
        tmp_path / "scratch",
        told=known,
    )

    assert found.pop("a call of a later kernel") == -1
    assert found.pop("its error") == "ENOSYS"
    assert found == dict.fromkeys(known, "EPERM")


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_no_two_system_calls_share_a_number(machine: str) -> None:
    numbers = [number for call in CALLS if (number := number_of(call, machine)) is not None]

    assert len(numbers) == len(set(numbers))
