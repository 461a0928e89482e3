"""What a process gives up before it touches a document nobody vouches for.

Resource limits, capabilities, new privileges, the file system (Landlock) and the network
(seccomp). Everything is inherited by the programs it starts, nothing can be taken back, and none
of it needs root. Called through ctypes, because the standard library has no names for it.

Sources: landlock(7), seccomp(2), capabilities(7), prctl(2); struct sizes by Landlock ABI version
from include/uapi/linux/landlock.h.
"""

import ctypes
import os
import platform
import resource
import signal
import struct
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from ingest.parse.process.syscalls import refuse_calls

_PR_SET_PDEATHSIG = 1
_PR_CAPBSET_DROP = 24
_PR_SET_NO_NEW_PRIVS = 38
_PR_CAP_AMBIENT = 47
_SYS_LANDLOCK_CREATE, _SYS_LANDLOCK_ADD, _SYS_LANDLOCK_RESTRICT = 444, 445, 446

# Landlock's rights over files, by bit.
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_REFER, _TRUNCATE, _IOCTL_DEVICE = 1 << 13, 1 << 14, 1 << 15
_READ_AND_RUN = _EXECUTE | _READ_FILE | _READ_DIR

_MAX_OPEN_FILES = 512


_CAPSET = {"x86_64": 126, "aarch64": 91}


@dataclass(frozen=True, slots=True)
class Protections:
    """Which layers stand between a document and this machine."""

    landlock_abi: int = 0  # 0: the file system is not confined
    network_denied: bool = False
    no_new_privileges: bool = False
    capabilities_dropped: bool = False
    limits: bool = False  # on memory, CPU time, file size
    own_processes: bool = False  # a PID namespace; not every machine allows one
    own_files: bool = False  # a mount namespace, likewise

    @property
    def missing(self) -> tuple[str, ...]:
        """The names of the layers that this kernel does not give; empty where all stand."""
        layers = {
            "landlock": self.landlock_abi > 0,
            "seccomp": self.network_denied,
            "no_new_privs": self.no_new_privileges,
            "capabilities": self.capabilities_dropped,
            "rlimits": self.limits,
        }
        return tuple(name for name, present in layers.items() if not present)

    @property
    def shared(self) -> tuple[str, ...]:
        """What documents share with the rest of the machine; empty where namespaces are allowed."""
        own = {"process numbers": self.own_processes, "names of files": self.own_files}
        return tuple(name for name, is_own in own.items() if not is_own)


def visible_paths(readable: Sequence[str]) -> tuple[str, ...]:
    """What a parser may read, the system's programs and libraries first."""
    return (*_system_paths(), *readable)


def readable_root_of(folder: Path, readable: Sequence[str]) -> Path | None:
    """The place that parsers may read and that `folder` lies in; None: it lies in none.

    A data folder in such a place would lie open to every hostile document.
    """
    real = folder.resolve()
    roots = (Path(root).resolve() for root in visible_paths(readable))
    return next((root for root in roots if real.is_relative_to(root)), None)


def die_with_parent(signal_number: int) -> None:
    """Ask the kernel for a signal when the thread that started this process ends."""
    if sys.platform == "linux":
        _libc().prctl(_PR_SET_PDEATHSIG, signal_number, 0, 0, 0)


def lock_down(
    scratch: Path, *, memory_mib: int, cpu_s: int, readable: Sequence[str], file_mib: int = 512
) -> Protections:
    """Confine this process, for good; what the kernel lacks is left out and reported.

    Args:
        scratch: The only folder that stays writable.
        memory_mib: Address space on top of what the process has now.
        cpu_s: CPU seconds, then SIGXCPU.
        readable: Paths that stay readable beside the system's programs and libraries.
        file_mib: Size of one file that it writes.
    """
    limits = _limit_resources(memory_mib, cpu_s, file_mib << 20)
    if sys.platform != "linux":
        return Protections(limits=limits)
    die_with_parent(signal.SIGKILL)
    # Capabilities first: CAP_PERFMON alone lets root read another process's environment
    # below /proc, past Landlock.
    capabilities = _drop_capabilities()
    no_new = _libc().prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
    abi = _confine_files(scratch, readable) if no_new else 0
    return Protections(
        landlock_abi=abi,
        network_denied=no_new and refuse_calls(),
        no_new_privileges=no_new,
        capabilities_dropped=capabilities,
        limits=limits,
    )


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _limit_resources(memory_mib: int, cpu_s: int, file_bytes: int) -> bool:
    address_space = _virtual_bytes() + (memory_mib << 20)
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_AS, (address_space, address_space))
        resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 2))
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes, file_bytes))
        resource.setrlimit(resource.RLIMIT_NOFILE, (_MAX_OPEN_FILES, _MAX_OPEN_FILES))
    except (ValueError, OSError):
        return False
    return True


def _virtual_bytes() -> int:
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[0])
    except OSError:
        return 1 << 30
    return pages * resource.getpagesize()


def _drop_capabilities() -> bool:
    libc = _libc()
    for capability in range(64):
        libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)  # EINVAL past the last, EPERM if not root
    libc.prctl(_PR_CAP_AMBIENT, 4, 0, 0, 0)  # clear all
    capset = _CAPSET.get(platform.machine())
    if capset is None:
        return False
    header = ctypes.create_string_buffer(struct.pack("II", 0x20080522, 0), 8)
    return bool(libc.syscall(capset, header, ctypes.create_string_buffer(24)) == 0)


def _confine_files(scratch: Path, readable: Sequence[str]) -> int:
    """Apply Landlock; returns the version of its interface, 0 where the kernel has none."""
    libc = _libc()
    abi = int(libc.syscall(_SYS_LANDLOCK_CREATE, None, 0, 1))
    if abi < 1:
        return 0
    handled = (1 << 13) - 1 | (_REFER if abi >= 2 else 0) | (_TRUNCATE if abi >= 3 else 0)
    handled |= _IOCTL_DEVICE if abi >= 5 else 0
    ports = 3 if abi >= 4 else 0  # bind and connect TCP
    scopes = 3 if abi >= 6 else 0  # abstract Unix sockets and signals to the outside
    attribute = ctypes.create_string_buffer(struct.pack("QQQ", handled, ports, scopes), 24)
    size = 24 if abi >= 6 else 16 if abi >= 4 else 8
    ruleset = libc.syscall(_SYS_LANDLOCK_CREATE, attribute, size, 0)
    if ruleset < 0:
        return 0
    try:
        rules = [(path, _READ_AND_RUN) for path in visible_paths(readable)]
        rules += [(str(scratch), handled), ("/dev/null", _READ_FILE | _WRITE_FILE)]
        for path, rights in rules:
            _allow(libc, ruleset, path, rights & handled, abi)
        restricted = libc.syscall(_SYS_LANDLOCK_RESTRICT, ruleset, 0) == 0
    finally:
        os.close(ruleset)
    return abi if restricted else 0


def _allow(libc: ctypes.CDLL, ruleset: int, path: str, rights: int, abi: int) -> None:
    try:
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # what isn't there need not be allowed
    try:
        if not os.path.isdir(path):
            of_files = _EXECUTE | _READ_FILE | _WRITE_FILE | (_TRUNCATE if abi >= 3 else 0)
            rights &= of_files
        rule = ctypes.create_string_buffer(struct.pack("=Qi", rights, handle), 12)
        libc.syscall(_SYS_LANDLOCK_ADD, ruleset, 1, rule, 0)
    finally:
        os.close(handle)


def _system_paths() -> Iterable[str]:
    return (
        *("/usr", "/lib", "/lib64", "/bin", "/sbin", "/nix/store"),
        *("/etc/fonts", "/etc/libreoffice", "/etc/ld.so.cache", "/etc/magic", "/etc/mime.types"),
        *("/etc/alternatives", "/etc/papersize", "/etc/localtime", "/var/cache/fontconfig"),
        *("/var/lib/libreoffice", "/var/spool/libreoffice", "/sys/devices/system/cpu"),
        *("/proc/self", "/proc/cpuinfo", "/proc/filesystems", "/proc/meminfo", "/proc/stat"),
        *("/proc/sys/vm/overcommit_memory", "/dev/urandom", "/dev/random"),
    )
