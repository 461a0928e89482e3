"""Which system calls a parsing process may not make, and the filter that refuses them.

A table of names by what they reach, from which the filter and the list in `docs/security.md` are
made. What the kernel learns after this was written (numbers above `_LAST_KNOWN`) does not exist
for a parser: the C library then takes the older way.

Sources: seccomp(2); numbers from arch/x86/entry/syscalls/syscall_64.tbl and
include/uapi/asm-generic/unistd.h; arguments from include/uapi/linux/{sched,fs,prctl}.h.
"""

import ctypes
import errno
import platform
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

_PR_SET_SECCOMP = 22
_SECCOMP_MODE_FILTER = 2
_LAST_KNOWN: Final = 451  # cachestat, of Linux 6.5


@dataclass(frozen=True, slots=True)
class Call:
    """A system call and its number; None: the architecture has none by that name."""

    name: str
    x86_64: int | None
    aarch64: int | None


def _calls(*rows: tuple[str, int | None, int | None]) -> tuple[Call, ...]:
    return tuple(Call(*row) for row in rows)


REFUSED: Final[dict[str, tuple[Call, ...]]] = {
    "sockets of any family": _calls(
        *(("socket", 41, 198), ("connect", 42, 203)),
        *(("bind", 49, 200), ("listen", 50, 201), ("accept", 43, 202), ("accept4", 288, 242)),
    ),
    "queues and memory shared with other programs": _calls(
        *(("shmget", 29, 194), ("shmat", 30, 196), ("semget", 64, 190), ("msgget", 68, 186)),
        *(("mq_open", 240, 180), ("mq_unlink", 241, 181)),
    ),
    "owner, mode, times and attributes of files, also of those outside": _calls(
        *(("chmod", 90, None), ("fchmod", 91, 52), ("fchmodat", 268, 53), ("chown", 92, None)),
        *(("fchown", 93, 55), ("lchown", 94, None), ("fchownat", 260, 54), ("utime", 132, None)),
        *(("utimes", 235, None), ("futimesat", 261, None), ("utimensat", 280, 88)),
        *(("setxattr", 188, 5), ("lsetxattr", 189, 6), ("fsetxattr", 190, 7)),
        *(("removexattr", 197, 14), ("lremovexattr", 198, 15), ("fremovexattr", 199, 16)),
        *(("mknod", 133, None), ("mknodat", 259, 33), ("truncate", 76, 45)),
    ),
    "watching files, and reaching them without a path": _calls(
        *(("inotify_init", 253, None), ("inotify_init1", 294, 26), ("fanotify_init", 300, 262)),
        *(("name_to_handle_at", 303, 264), ("open_by_handle_at", 304, 265)),
    ),
    "a session or a group of its own, to outlive its end": _calls(
        ("setsid", 112, 157), ("setpgid", 109, 154)
    ),
    "namespaces and mounts": _calls(
        *(("unshare", 272, 97), ("setns", 308, 268), ("chroot", 161, 51)),
        *(("pivot_root", 155, 41), ("mount", 165, 40), ("umount2", 166, 39)),
        *(("open_tree", 428, 428), ("move_mount", 429, 429), ("fsopen", 430, 430)),
        *(("fsconfig", 431, 431), ("fsmount", 432, 432), ("fspick", 433, 433)),
        ("mount_setattr", 442, 442),
    ),
    "other processes": _calls(
        *(("ptrace", 101, 117), ("process_vm_readv", 310, 270), ("process_vm_writev", 311, 271)),
        *(("kcmp", 312, 272), ("pidfd_open", 434, 434), ("pidfd_getfd", 438, 438)),
        *(("pidfd_send_signal", 424, 424), ("process_madvise", 440, 440)),
        *(("process_mrelease", 448, 448), ("setpriority", 141, 140), ("ioprio_set", 251, 30)),
        *(("sched_setparam", 142, 118), ("sched_setscheduler", 144, 119)),
        *(("sched_setattr", 314, 274), ("sched_setaffinity", 203, 122)),
        *(("migrate_pages", 256, 238), ("move_pages", 279, 239)),
    ),
    "the kernel itself, its keys, its clock and its devices": _calls(
        *(("bpf", 321, 280), ("perf_event_open", 298, 241), ("userfaultfd", 323, 282)),
        *(("io_uring_setup", 425, 425), ("io_uring_enter", 426, 426)),
        *(("io_uring_register", 427, 427), ("memfd_secret", 447, 447)),
        *(("keyctl", 250, 219), ("add_key", 248, 217), ("request_key", 249, 218)),
        *(("init_module", 175, 105), ("finit_module", 313, 273), ("delete_module", 176, 106)),
        *(("kexec_load", 246, 104), ("kexec_file_load", 320, 294), ("reboot", 169, 142)),
        *(("swapon", 167, 224), ("swapoff", 168, 225), ("acct", 163, 89)),
        *(("quotactl", 179, 60), ("quotactl_fd", 443, 443), ("syslog", 103, 116)),
        *(("settimeofday", 164, 170), ("clock_settime", 227, 112), ("adjtimex", 159, 171)),
        *(("clock_adjtime", 305, 266), ("sethostname", 170, 161), ("setdomainname", 171, 162)),
        *(("iopl", 172, None), ("ioperm", 173, None), ("modify_ldt", 154, None)),
        *(("vhangup", 153, 58), ("personality", 135, 92)),
    ),
}
"""What is refused whatever its arguments, by what it would reach."""

_CLONE = Call("clone", 56, 220)
_CLONE3 = Call("clone3", 435, 435)
_IOCTL = Call("ioctl", 16, 29)
_PRCTL = Call("prctl", 157, 167)
_PRLIMIT = Call("prlimit64", 302, 261)
_SOCKETPAIR = Call("socketpair", 53, 199)

REFUSED_BY_ARGUMENT: Final = {
    "clone": "with a flag for a namespace; `clone3`, whose flags can't be seen, is not there",
    "ioctl": "that changes a file's flags or types into a terminal",
    "prctl": "that would let it outlive its parent or adopt others",
    "prlimit64": "of another process",
    "socketpair": "but of two streams joined to each other, which a library wakes its threads by",
}
"""What is refused for some arguments, and for which."""

_NAMESPACES = 0x7E020000  # CLONE_NEWNS, -CGROUP, -UTS, -IPC, -USER, -PID, -NET
_IOCTLS = (
    0x40086602,  # FS_IOC_SETFLAGS
    0x40046602,  # FS_IOC32_SETFLAGS
    0x401C5820,  # FS_IOC_FSSETXATTR
    0x5412,  # TIOCSTI
    0x541C,  # TIOCLINUX
)
_PRCTLS = (1, 36)  # PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER

_AUDIT = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}  # AUDIT_ARCH_*
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _GIVE, _AND = 0x20, 0x15, 0x35, 0x45, 0x06, 0x54
_ALLOW, _KILL, _REFUSE = 0x7FFF0000, 0x80000000, 0x00050000
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT, _SECOND_ARGUMENT = 0, 4, 16, 24
_X32 = 0x40000000


def refuse_calls() -> bool:
    """Put the filter in force, for this process and all that it starts; False: there is none.

    It needs `no_new_privs`, or the right to administer the machine.
    """
    machine = platform.machine()
    if machine not in _AUDIT:
        return False
    code = b"".join(_program(machine))
    buffer = ctypes.create_string_buffer(code, len(code))
    packed = struct.pack("HxxxxxxQ", len(code) // 8, ctypes.addressof(buffer))
    pointer = ctypes.create_string_buffer(packed, len(packed))
    libc = ctypes.CDLL(None, use_errno=True)
    return bool(libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, pointer, 0, 0) == 0)


def number_of(call: Call, machine: str) -> int | None:
    return call.x86_64 if machine == "x86_64" else call.aarch64


def _program(machine: str) -> Iterator[bytes]:
    yield _step(_LOAD, _ARCHITECTURE)
    yield _step(_EQUAL, _AUDIT[machine], 1, 0)
    yield _step(_GIVE, _KILL)  # another architecture's calls have other numbers
    yield _step(_LOAD, _NUMBER)
    yield from _where(_AT_LEAST, _X32, errno.EPERM)
    yield from _where(_AT_LEAST, _LAST_KNOWN + 1, errno.ENOSYS)
    for call in (one for group in REFUSED.values() for one in group):
        if (number := number_of(call, machine)) is not None:
            yield from _where(_EQUAL, number, errno.EPERM)
    yield from _where(_EQUAL, _known(_CLONE3, machine), errno.ENOSYS)
    namespaces = _where(_ANY_BIT, _NAMESPACES, errno.EPERM)
    yield from _argument(_CLONE, machine, _FIRST_ARGUMENT, *namespaces)
    flags = (step for value in _IOCTLS for step in _where(_EQUAL, value, errno.EPERM))
    yield from _argument(_IOCTL, machine, _SECOND_ARGUMENT, *flags)
    parents = (step for value in _PRCTLS for step in _where(_EQUAL, value, errno.EPERM))
    yield from _argument(_PRCTL, machine, _FIRST_ARGUMENT, *parents)
    pair = (
        *(_step(_EQUAL, 1, 0, 4), _step(_LOAD, _SECOND_ARGUMENT)),  # AF_UNIX
        *(_step(_AND, 0xF), _step(_EQUAL, 1, 0, 1), _step(_GIVE, _ALLOW)),  # SOCK_STREAM
        _step(_GIVE, _REFUSE | errno.EPERM),
    )
    yield from _argument(_SOCKETPAIR, machine, _FIRST_ARGUMENT, *pair)
    others = (_step(_EQUAL, 0, 1, 0), _step(_GIVE, _REFUSE | errno.EPERM))
    yield from _argument(_PRLIMIT, machine, _FIRST_ARGUMENT, *others)
    yield _step(_GIVE, _ALLOW)


def _argument(call: Call, machine: str, place: int, *steps: bytes) -> Iterator[bytes]:
    """`steps` over an argument's lower half, for one call alone."""
    yield _step(_EQUAL, _known(call, machine), 0, len(steps) + 2)
    yield _step(_LOAD, place)
    yield from steps
    yield _step(_GIVE, _ALLOW)


def _where(comparison: int, value: int, error: int) -> Iterator[bytes]:
    yield _step(comparison, value, 0, 1)
    yield _step(_GIVE, _REFUSE | error)


def _step(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("HBBI", code, if_true, if_false, value)


def _known(call: Call, machine: str) -> int:
    number = number_of(call, machine)
    if number is None:
        raise LookupError(f"{call.name} has no number on {machine}")
    return number
