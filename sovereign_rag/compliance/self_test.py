"""The whole path of this very installation where there is no network, under a system call trace."""

import ipaddress
import json
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sovereign_rag.errors import EnvironmentFault

_TRACED: Final = "connect,sendto,sendmsg,sendmmsg"
_CALL: Final = re.compile(r"\b(?:connect|sendto|sendmsg|sendmmsg)(?: resumed>|\()")
_ADDRESS: Final = re.compile(r'inet_addr\("([^"]+)"\)|inet_pton\(AF_INET6, "([^"]+)"')
_LONGEST_S: Final = 900.0
_WAYS: Final = (("unshare", "--net"), ("unshare", "--user", "--map-root-user", "--net"))


@dataclass(frozen=True, slots=True)
class SelfTest:
    """What the test did and what the kernel saw."""

    answered: bool  # the question was answered with the quote that holds it
    deleted: bool  # and the document was gone at the end
    confined: bool  # in a network namespace of its own, which has no interface that is up
    traced: bool  # by strace; else only what failed for lack of a network would show
    calls: int  # system calls that were to reach something, other processes of this machine with it
    departures: tuple[str, ...]  # those that were to leave it

    @property
    def is_passed(self) -> bool:
        return self.answered and self.deleted and self.confined and not self.departures


def run_self_test() -> SelfTest:
    """A document in, a question, the document out: in a data folder of its own.

    Raises:
        EnvironmentFault: The path does not work without a network, or takes too long.
    """
    with tempfile.TemporaryDirectory(prefix="sovereign-rag-") as work:
        log = Path(work) / "trace"
        is_traced, way = shutil.which("strace") is not None, _namespace()
        tracer = ["strace", "-f", "--seccomp-bpf", "-qq", "-e", f"trace={_TRACED}"]
        tracer += ["-e", "signal=none", "-o", str(log)]
        command = [sys.executable, "-m", "sovereign_rag.cli.sealed", work]
        try:
            done = subprocess.run(
                [*way, *(tracer if is_traced else ()), *command],
                capture_output=True,
                text=True,
                timeout=_LONGEST_S,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise EnvironmentFault(
                f"The self-test took longer than {_LONGEST_S:.0f} s. Try again when this machine "
                "has less to do."
            ) from error
        if done.returncode != 0:
            raise EnvironmentFault(
                f"The self-test failed: {done.stderr.strip()[-500:]} `sovereign-rag doctor` tells "
                "what is missing."
            )
        told = json.loads(done.stdout.strip().splitlines()[-1])
        trace = log.read_text(errors="replace").splitlines() if is_traced else []
        calls = [line for line in trace if _CALL.search(line)]
        return SelfTest(
            answered=any("third stone" in quote for quote in told["quotes"]),
            deleted=told["left"] == 0,
            confined=bool(way),
            traced=is_traced,
            calls=len(calls),
            departures=tuple(line[:200] for line in calls if leaves(line)),
        )


def leaves(line: str) -> bool:
    """Whether a traced call was to reach another machine."""
    addresses = [ipaddress.ip_address(four or six) for four, six in _ADDRESS.findall(line)]
    is_strange = "sa_family=AF_INET" in line and not addresses
    return is_strange or any(not address.is_loopback for address in addresses)


def _namespace() -> tuple[str, ...]:
    """The command that starts another one in an empty network namespace; empty: there is none."""
    for way in _WAYS:
        if shutil.which(way[0]) and subprocess.run([*way, "true"], check=False).returncode == 0:
            return way
    return ()
