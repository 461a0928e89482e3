"""Nothing leaves this machine: the whole path without a network, and under the kernel's eyes.

One run of `whole_path.py` serves most tests here: inside an empty network namespace, where the
kernel gives one, and under strace, where it is installed. An attempt in the namespace fails, and
strace sees it all the same.
"""

import functools
import ipaddress
import json
import re
import shutil
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

FAR = "192.0.2.7"  # TEST-NET-1: nobody's address
EXAMPLES = (
    "demarches/Temperature-de-chauffage.pdf",
    "demarches/Acces-a-la-fonction-publique.docx",
    "demarches/Surface-minimale-d-un-logement.pptx",
    "demarches/Assurance-a-velo.md",
    "demarches/Consulter-les-listes-electorales.eml",
    "filings/Amcor-2023-Financial-Statements.xlsx",
    "filings/Galaxy-Gaming-2021-Form-10-K-Cover.html",
    "recht/Hinweise-Vollstreckungsauftrag-Scan.pdf",
)
WRITTEN = {
    "remote.html": f"""<html><head><link rel="stylesheet" href="http://{FAR}/page.css">
        <script src="http://{FAR}/page.js"></script></head><body><h1>Newsletter</h1>
        <p>The harbour fair begins on the first Saturday in May.</p>
        <img src="http://{FAR}/pixel.png" alt="pixel"></body></html>""",
    "entity.xml": f"""<?xml version="1.0"?><!DOCTYPE notes [<!ENTITY far SYSTEM
        "http://{FAR}/far.txt">]><notes><note>The tide tables are kept in the tower.</note>
        <note>&far;</note></notes>""",
    "letter.rtf": r"{\rtf1\ansi{\fonttbl\f0\fswiss Arial;}\f0\pard The bell was cast in 1743.\par}",
    "stock.csv": "item,pieces\nlanterns,14\nropes,3\n",
    "note.txt": "The keeper of the lighthouse keeps a spare key under the third stone.",
}

_TRACED = "connect,sendto,sendmsg,sendmmsg"
_CALL = re.compile(r"\b(?:connect|sendto|sendmsg|sendmmsg)(?: resumed>|\()")
_ADDRESS = re.compile(r'inet_addr\("([^"]+)"\)|inet_pton\(AF_INET6, "([^"]+)"')


@dataclass(frozen=True)
class Run:
    """What a run of the whole path gave."""

    report: dict[str, Any]
    trace: str | None  # None: strace isn't there
    confined: bool  # to a network namespace of its own


@functools.cache
def namespace() -> list[str]:
    """The command that starts another one in an empty network namespace; empty: there is none."""
    for way in (["unshare", "--net"], ["unshare", "--user", "--map-root-user", "--net"]):
        if shutil.which("unshare") and subprocess.run([*way, "true"], check=False).returncode == 0:
            return way
    return []


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, repository: Path) -> Run:
    """The whole path, once, as far from any network as this machine allows."""
    work = tmp_path_factory.mktemp("egress")
    log = work / "trace"
    tracer = [
        "strace",
        "-f",
        "--seccomp-bpf",
        "-qq",
        "-e",
        f"trace={_TRACED}",
        "-e",
        "signal=none",
        "-o",
        str(log),
    ]
    traced = shutil.which("strace") is not None
    program = [
        str(repository / "tests" / "whole_path.py"),
        str(documents(work)),
        str(work / "data"),
    ]
    done = subprocess.run(
        [
            *namespace(),
            *(tracer if traced else []),
            *(sys.executable, *program),
            *(["--no-network"] if namespace() else []),
        ],
        cwd=repository,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    trace = log.read_text(errors="replace") if traced else None
    return Run(json.loads(done.stdout), trace, confined=bool(namespace()))


def documents(work: Path) -> Path:
    """A document of every format, some of which name things that lie elsewhere."""
    folder = work / "documents"
    folder.mkdir()
    examples = Path(__file__).parent.parent / "examples" / "documents"
    for name in EXAMPLES:
        shutil.copy(examples / name, folder)
    for name, text in WRITTEN.items():
        (folder / name).write_text(text, encoding="utf-8")
    if shutil.which("soffice"):
        presentation_with_a_remote_image(folder / "slides.odp")
    return folder


def presentation_with_a_remote_image(path: Path) -> None:
    """Goes through LibreOffice, which fetches such images when it can."""
    kind = "application/vnd.oasis.opendocument.presentation"
    names = "urn:oasis:names:tc:opendocument:xmlns"
    content = f"""<?xml version="1.0" encoding="UTF-8"?>
        <office:document-content xmlns:office="{names}:office:1.0" office:version="1.2"
          xmlns:draw="{names}:drawing:1.0" xmlns:text="{names}:text:1.0"
          xmlns:svg="{names}:svg-compatible:1.0" xmlns:xlink="http://www.w3.org/1999/xlink">
        <office:body><office:presentation><draw:page draw:name="one">
        <draw:frame svg:x="2cm" svg:y="2cm" svg:width="15cm" svg:height="3cm"><draw:text-box>
        <text:p>The pilot boat is repainted every second winter.</text:p>
        </draw:text-box></draw:frame>
        <draw:frame svg:x="2cm" svg:y="8cm" svg:width="2cm" svg:height="2cm">
        <draw:image xlink:href="http://{FAR}/pixel.png" xlink:type="simple"/></draw:frame>
        </draw:page></office:presentation></office:body></office:document-content>"""
    manifest = f"""<?xml version="1.0" encoding="UTF-8"?>
        <manifest:manifest xmlns:manifest="{names}:manifest:1.0" manifest:version="1.2">
        <manifest:file-entry manifest:full-path="/" manifest:media-type="{kind}"/>
        <manifest:file-entry manifest:full-path="content.xml" manifest:media-type="text/xml"/>
        </manifest:manifest>"""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mimetype", kind)
        archive.writestr("content.xml", content.strip())
        archive.writestr("META-INF/manifest.xml", manifest)


def departures(trace: str) -> list[str]:
    """The calls of a trace that were to reach another machine."""
    return [line for line in trace.splitlines() if _CALL.search(line) and _leaves(line)]


def _leaves(line: str) -> bool:
    addresses = [ipaddress.ip_address(four or six) for four, six in _ADDRESS.findall(line)]
    strange = "sa_family=AF_INET" in line and not addresses
    return strange or any(not address.is_loopback for address in addresses)


@pytest.mark.model
def test_the_whole_path_works_without_a_network(run: Run) -> None:
    if not run.confined:
        pytest.skip("this machine gives no network namespace: neither root nor user namespaces")
    report = run.report

    states = {d["uri"].rpartition("/")[2]: d["status"] for d in report["ingested"]["documents"]}
    assert set(states) >= {*(Path(name).name for name in EXAMPLES), *WRITTEN}
    assert set(states.values()) <= {"indexed", "partial"}
    assert any("19°C" in c["quote"] and c["verified"] for c in report["extracts"]["citations"])
    assert report["generated"]["usage"]["completion_tokens"] > 0
    assert len(report["search"]["passages"]) == 3
    served = report["served"]
    assert served["answer"]["citations"] == report["extracts"]["citations"]
    assert served["image"] == "image/png"
    assert served["upload"] == {"indexed": 1}
    assert "Temperature-de-chauffage.pdf" not in report["left"]
    assert len(report["left"]) == len(states)  # one was deleted, one was uploaded


@pytest.mark.model
def test_no_process_of_the_whole_path_reaches_for_another_machine(run: Run) -> None:
    if run.trace is None:
        pytest.skip("strace is not installed")

    seen = run.trace.count("sa_family=AF_UNIX"), run.trace.count('inet_addr("127.0.0.1")')
    assert min(seen) > 0, "the trace shows neither the engine's socket nor the service's"
    assert departures(run.trace) == []


@pytest.mark.skipif(not shutil.which("strace"), reason="strace is not installed")
def test_the_trace_shows_an_attempt_that_a_child_process_made(tmp_path: Path) -> None:
    attempt = f"import socket; socket.socket(2, 2).connect(('{FAR}', 9)); socket.socket(1).close()"
    child = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {attempt!r}])"
    command = ["strace", "-f", "-qq", "-e", f"trace={_TRACED}", "-o", str(tmp_path / "trace")]

    subprocess.run(
        [*namespace(), *command, sys.executable, "-c", child], capture_output=True, check=True
    )

    (found,) = departures((tmp_path / "trace").read_text())
    assert FAR in found


IN = "connect(3, {sa_family=AF_INET, sin_port=htons(53), sin_addr=inet_addr"
IN_6 = "connect(3, {sa_family=AF_INET6, sin6_port=htons(443), inet_pton(AF_INET6,"


@pytest.mark.parametrize(
    ("line", "leaves"),
    [
        (f'7 {IN}("10.0.0.2")}}, 16) = 0', True),
        (f'7 {IN}("127.0.0.53")}}, 16) = 0', False),
        (f'7 {IN_6} "2001:db8::1", &sin6_addr)}}, 28 <unfinished ...>', True),
        (f'7 {IN_6} "::1", &sin6_addr)}}, 28) = 0', False),
        ('7 sendto(3, "x", 1, 0, {sa_family=AF_INET, inet_addr("8.8.8.8")}, 16) = 1', True),
        ('7 sendto(3, "see 8.8.8.8", 11, MSG_NOSIGNAL, NULL, 0) = 11', False),
        ("7 sendmsg(3, {msg_name={sa_family=AF_INET, sin_addr=?}, msg_namelen=16}) = 1", True),
        ('7 connect(3, {sa_family=AF_UNIX, sun_path="/run/engine.sock"}, 110) = 0', False),
    ],
)
def test_a_line_of_a_trace_is_read_rightly(line: str, leaves: bool) -> None:
    assert bool(departures(line)) is leaves


GUARDED = """
import socket
from contextlib import suppress

import pytest

FAR, FAR_6 = ("192.0.2.7", 9), ("2001:db8::7", 9, 0, 0)


def udp(family=socket.AF_INET):
    return socket.socket(family, socket.SOCK_DGRAM)


@pytest.mark.parametrize("reach", [
    lambda: socket.create_connection(FAR, timeout=1),
    lambda: socket.socket().connect_ex(FAR),
    lambda: udp().connect(FAR),
    lambda: udp().sendto(b"x", FAR),
    lambda: udp().sendmsg([b"x"], [], 0, FAR),
    lambda: socket.getaddrinfo("example.org", 443),
    lambda: socket.getaddrinfo(b"example.org", 443),
    lambda: socket.gethostbyname("example.org"),
    lambda: socket.gethostbyaddr("192.0.2.7"),
    lambda: udp(socket.AF_INET6).sendto(b"x", FAR_6) if socket.has_ipv6 else udp().connect(FAR),
])
def test_away(reach):
    with suppress(OSError):  # as best-effort code does
        reach()


@pytest.mark.parametrize("reach", [
    lambda: socket.create_connection(("localhost", 9), timeout=1),
    lambda: socket.socket().connect(("127.0.0.1", 9)),
    lambda: udp().sendto(b"x", ("127.8.8.8", 9)),
    lambda: socket.getaddrinfo("::1", 443),
    lambda: socket.getaddrinfo(None, 443),
    lambda: socket.socketpair(),
    lambda: socket.socket(socket.AF_UNIX).connect("/nobody/listens"),
])
def test_here(reach):
    with suppress(OSError):  # nobody listens; that it was tried is what counts
        reach()
"""


@pytest.fixture
def guarded(tmp_path: Path) -> Path:
    """A test file of its own under the guard that all tests here run under."""
    (tmp_path / "conftest.py").write_text(
        "from tests import egress_guard\n"
        "egress_guard.install()\n"
        "stay_on_this_machine = egress_guard.stay_on_this_machine\n"
    )
    (tmp_path / "test_reach.py").write_text(GUARDED)
    return tmp_path


def test_an_attempt_fails_its_test_even_where_the_code_swallowed_it(
    guarded: Path, repository: Path
) -> None:
    command = [sys.executable, "-m", "pytest", "-rA", "-p", "no:cacheprovider", "-c", "/dev/null"]

    done = subprocess.run(
        [*command, "--rootdir", str(guarded), str(guarded)],
        cwd=repository,
        capture_output=True,
        text=True,
        check=False,
    )

    failed = set(re.findall(r"^ERROR \S+::(test_\w+\S*)", done.stdout, re.MULTILINE))
    passed = set(re.findall(r"^PASSED \S+::(test_\w+\S*)", done.stdout, re.MULTILINE))
    away = {name for name in passed | failed if name.startswith("test_away")}
    assert len(away) == 10, done.stdout
    assert failed == away
    assert len(passed - failed) == 7  # reaching for this machine is allowed
