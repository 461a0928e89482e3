"""A document's processes in namespaces of their own, where this machine allows them.

In a PID namespace the end of the first process is the end of all, at once and by the kernel, and
no process outside has a number there. In a mount namespace stands nothing but what a parser may
read: Landlock keeps files shut, but their names, sizes and times could still be asked for by path.
It takes the right to administer the machine, or user namespaces; containers often grant neither,
and the other layers stand without.

Sources: pid_namespaces(7), mount_namespaces(7), user_namespaces(7), pivot_root(2); numbers of calls
from arch/x86/entry/syscalls/syscall_64.tbl and include/uapi/asm-generic/unistd.h.
"""

import contextlib
import ctypes
import os
import platform
import resource
import signal
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_NEW_MOUNTS, _NEW_USERS, _NEW_PIDS = 0x00020000, 0x10000000, 0x20000000
_NO_SETUID, _NO_DEVICES, _NO_PROGRAMS = 2, 4, 8
_BIND, _RECURSIVE, _PRIVATE = 4096, 16384, 1 << 18
_DETACH: Final = 2
_PIVOT_ROOT: Final = {"x86_64": 155, "aarch64": 41}
_DEVICES: Final = ("/dev/null", "/dev/random", "/dev/urandom")
_HOME: Final = "/proc/self/ns/pid"
_VIEW: Final = "view"  # where the new root is put together, beside the scratch folder


@dataclass(frozen=True, slots=True)
class Namespaces:
    """What a document's processes have of their own."""

    processes: bool = False
    files: bool = False


class Forks:
    """Forks processes, each as the first of a PID namespace where this one may make and leave it.

    Only for a process with one thread. Without that right each makes its namespaces itself, which
    takes another fork (`enter`).
    """

    def __init__(self) -> None:
        self._home = os.open(_HOME, os.O_RDONLY | os.O_CLOEXEC) if _can_come_back() else None

    def fork(self) -> tuple[int, bool]:
        """As `os.fork`, and whether the new process is the first of its namespace."""
        if self._home is None or _libc().unshare(_NEW_PIDS) != 0:
            return os.fork(), False
        pid = -1
        try:
            pid = os.fork()
        finally:
            if pid != 0:
                _check(_libc().setns(self._home, _NEW_PIDS))
        return pid, True


def _can_come_back() -> bool:
    """Tried in a process of its own: one that could not come back would fork one child, no more."""
    if sys.platform != "linux":
        return False
    trial = os.fork()
    if trial == 0:
        libc = _libc()
        with contextlib.suppress(OSError):
            home = os.open(_HOME, os.O_RDONLY)
            os._exit(libc.unshare(_NEW_PIDS) or libc.setns(home, _NEW_PIDS))
        os._exit(1)
    return os.waitpid(trial, 0)[1] == 0


def enter(scratch: Path, visible: Sequence[str], *, is_first: bool = False) -> Namespaces:
    """Go on in a new process with namespaces of its own; this one waits for its end and shares it.

    The same process goes on where the machine allows none, and where `Forks` made it the first of
    a PID namespace. Only for a process with one thread.

    Args:
        scratch: The folder that is seen as it is.
        visible: Paths that are seen beside it; `/proc` shows the own processes alone.
        is_first: It is the first of its PID namespace.
    """
    if is_first:
        own_files = _libc().unshare(_NEW_MOUNTS) == 0 and _see_only(scratch, visible)
        return Namespaces(processes=True, files=own_files)
    if sys.platform != "linux" or not _unshare():
        return Namespaces()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # this one ends as the other did
    first = os.fork()
    if first != 0:
        _share_the_end_of(first)
    return Namespaces(processes=True, files=_see_only(scratch, visible))


def _unshare() -> bool:
    own = _NEW_PIDS | _NEW_MOUNTS
    libc = _libc()
    if libc.unshare(own) == 0:
        return True
    user, group = os.geteuid(), os.getegid()
    if user == 0 or libc.unshare(own | _NEW_USERS) != 0:  # root without its powers maps no root
        return False
    # The same user as before, who may administer these namespaces and nothing else.
    maps = {"setgroups": "deny", "uid_map": f"{user} {user} 1", "gid_map": f"{group} {group} 1"}
    for name, line in maps.items():
        with contextlib.suppress(OSError):  # without names for them, its rights are the same
            Path("/proc/self", name).write_text(line, encoding="ascii")
    return True


def _share_the_end_of(pid: int) -> None:
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    if code < 0:
        with contextlib.suppress(OSError):  # SIGKILL has no other way to be taken
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(code if code >= 0 else 1)


def _see_only(scratch: Path, visible: Iterable[str]) -> bool:
    """Make a root of these paths alone; False: it can't be made, and all is seen as before."""
    pivot_root = _PIVOT_ROOT.get(platform.machine())
    view = scratch.parent / _VIEW
    try:
        if pivot_root is None:
            return False
        view.mkdir(exist_ok=True, mode=0o700)
        _mount("none", "/", flags=_RECURSIVE | _PRIVATE)
        _mount("tmpfs", str(view), "tmpfs", _NO_SETUID | _NO_DEVICES, "size=1m,mode=755")
        for path in (*visible, *_DEVICES, str(scratch)):
            _show(view, path)
        _show_processes(view)
        os.chdir(view)
        _check(_libc().syscall(pivot_root, b".", b"."))
        _check(_libc().umount2(b".", _DETACH))
    except OSError:
        return False
    return True


def _show(view: Path, path: str) -> None:
    """Put a path below the new root, and what it leads to where it is a link."""
    real = os.path.realpath(path)
    if real == "/proc" or real.startswith("/proc/") or not os.path.exists(real):
        return
    place = str(view) + real
    if not os.path.lexists(place):  # else it lies in one that is there already
        if os.path.isdir(real):
            os.makedirs(place)
        else:
            os.makedirs(os.path.dirname(place), exist_ok=True)
            Path(place).touch()
        _mount(real, place, flags=_BIND | _RECURSIVE)
    parent = os.path.dirname(path)
    if os.path.islink(path) and parent == os.path.realpath(parent):
        link = str(view) + path
        os.makedirs(os.path.dirname(link), exist_ok=True)
        if not os.path.lexists(link):
            os.symlink(os.readlink(path), link)


def _show_processes(view: Path) -> None:
    place = view / "proc"
    place.mkdir()
    # A container that covers parts of /proc lets nobody mount another: then it is seen as it is.
    flags = _NO_SETUID | _NO_DEVICES | _NO_PROGRAMS
    with contextlib.suppress(OSError):
        _mount("proc", str(place), "proc", flags)
        return
    _mount("/proc", str(place), flags=_BIND | _RECURSIVE)


def _mount(source: str, target: str, kind: str = "", flags: int = 0, data: str = "") -> None:
    words = (source.encode(), target.encode(), kind.encode() or None)
    _check(_libc().mount(*words, ctypes.c_ulong(flags), data.encode() or None))


def _check(result: int) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)
