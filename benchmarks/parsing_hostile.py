"""The report on broken and hostile files: how each ends, what it costs, whom it tries to reach."""

import re
import socket
import tempfile
import threading
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # the package has no types
from parsing_cases import Case, Result, read, run

from ingest.parse.process.pool import ParserPool

_TEXT = re.compile(r"text expected|must (?:still )?be read|text (?:should|is|read)|text$")
_REFUSED = re.compile(r"report|refuse|clean error")
_REMOTE = re.compile(rb"https?://(?!schemas\.|www\.w3\.org|purl\.|ns\.adobe)[^\s\"'<>&]+")
_PERIOD_S = 0.1


def measure(
    pool: ParserPool, cases: Sequence[Case], jobs: int
) -> tuple[dict[str, float], list[Result]]:
    """Read every case and print how it ended.

    Figures: `ended_well` is the share that ended as its manifest asks, `silent_successes` counts
    files that were read without a word though nothing readable or allowed is in them, and
    `connections` those that reached a listener on this machine.
    """
    with Memory() as memory, listener() as (port, reached):
        pool.protections()  # the parsers are loaded now, so that they count as before
        before = memory.now()
        results = run(cases, jobs, lambda case: read(pool, case))
        opened = run(
            [case for case in cases if case.password],
            jobs,
            lambda c: read(pool, c, password=c.password),
        )
        with tempfile.TemporaryDirectory() as folder:
            lures = list(_lures(Path(folder), port, cases))
            followed = run(lures, jobs, lambda case: read(pool, case))
        after = memory.now()
        with socket.create_connection(("127.0.0.1", port)):
            pass  # the listener listens: this one must be counted
        threading.Event().wait(0.2)
        connections = len(reached) - 1
    silent, wrong = [], []
    for case, result in zip(cases, results, strict=True):
        _line(case, result)
        if _is_silent(case, result):
            silent.append(case.name)
        if not _ended_well(case, result):
            wrong.append(f"{case.name}: {result.status} {result.reason}, asked: {case.expect}")
    for result in opened:
        print(f"with its password: {result.status:8}{result.reason:13} {result.path}")
    for result in followed:
        print(f"refers to the listener: {result.status:8}{result.reason:13} {result.path}")
    print(*(f"silent success: {name}" for name in silent), sep="\n")
    print(*(f"not as asked: {line}" for line in wrong), sep="\n")
    print(f"memory: {before:.0f} MiB before, {memory.peak:.0f} at most, {after:.0f} after")
    print(f"connections to the listener: {connections} ({len(lures)} files refer to it)")
    figures = {
        "ended_well": 1 - len(wrong) / max(1, len(cases)),
        "no_silent_success": float(not silent),
        "no_connection": float(connections == 0),
        "opened_with_password": sum(r.status != "failed" for r in opened) / max(1, len(opened)),
        "memory_after_mib": after,
        "slowest_s": max((r.seconds for r in results), default=0.0),
    }
    return figures, [*results, *opened, *followed]


def _line(case: Case, result: Result) -> None:
    status = f"{result.status} {result.reason}".strip()
    print(f"{status:22}{result.seconds:7.2f} s {result.characters:8} {case.name}")
    if result.message:
        print(f"{'':22}{result.message[:160]}")


def _is_silent(case: Case, result: Result) -> bool:
    """Read without a warning, though it gave nothing that a reader would see, or nothing at all."""
    if result.status != "done":
        return False
    return result.characters - result.hidden <= 0 or case.kind == "encrypted"


def _ended_well(case: Case, result: Result) -> bool:
    if result.status == "failed" and not (result.reason and result.message):
        return False
    if _TEXT.search(case.expect) and not case.expect.startswith(("no crash/hang", "decoded")):
        return result.characters > 0
    if _REFUSED.search(case.expect) and ";" not in case.expect and "or the text" not in case.expect:
        return result.status != "done"
    return True


class Memory:
    """Resident memory of this process and its children, watched while it is open."""

    def __init__(self) -> None:
        self.peak = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> "Memory":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def now(self) -> float:
        """MiB, as of now."""
        me = psutil.Process()
        total = 0
        for process in (me, *me.children(recursive=True)):
            with suppress(psutil.Error):  # it has ended
                total += process.memory_info().rss
        return total / 2**20

    def _watch(self) -> None:
        while not self._stop.wait(_PERIOD_S):
            self.peak = max(self.peak, self.now())


@contextmanager
def listener() -> Iterator[tuple[int, list[object]]]:
    """A port of this machine, and whoever connected to it."""
    reached: list[object] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        stopped = threading.Event()
        server.settimeout(0.2)

        def serve() -> None:
            while not stopped.is_set():
                with suppress(TimeoutError, OSError):  # nobody came, as is hoped
                    connection, address = server.accept()
                    reached.append(address)
                    connection.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1], reached
        stopped.set()
        thread.join()


def _lures(folder: Path, port: int, cases: Sequence[Case]) -> Iterator[Case]:
    """Documents that refer to the listener in every way that a format knows."""
    here = f"http://127.0.0.1:{port}"
    written = {
        "page.html": f"<html><head><link rel=stylesheet href='{here}/a.css'><base href='{here}/'>"
        f"<script src='{here}/a.js'></script></head><body><img src='{here}/a.png'><p>Text</p>"
        f"<iframe src='{here}/b'></iframe><object data='{here}/c'></object></body></html>",
        "doc.xml": f"<!DOCTYPE a [<!ENTITY x SYSTEM '{here}/x'><!ENTITY % p SYSTEM '{here}/p'>%p;]>"
        "<a>Text &x;</a>",
        "dtd.xml": f"<!DOCTYPE a SYSTEM '{here}/a.dtd'><a>Text</a>",
        "style.xml": f"<?xml version='1.0'?><?xml-stylesheet href='{here}/a.xsl' type='text/xsl'?>"
        f"<a xmlns:xi='http://www.w3.org/2001/XInclude'>Text<xi:include href='{here}/b'/></a>",
        "note.md": f"Text ![picture]({here}/a.png) and <img src='{here}/b.png'>\n",
        "note.rst": f"Text\n\n.. image:: {here}/a.png\n\n.. include:: {here}/b\n",
        "note.org": f'Text\n#+INCLUDE: "{here}/a"\n[[{here}/a.png]]\n',
        "letter.rtf": r"{\rtf1 Text {\field{\*\fldinst INCLUDEPICTURE \"" + here + r"/a.png\"}}"
        r"{\*\template " + here + "/a.dot}}",
        "mail.eml": "From: a@example.org\nTo: b@example.org\nSubject: Text\n"
        f"Content-Type: text/html\n\n<img src='{here}/a.png'><p>Text</p>\n",
    }
    for name, text in written.items():
        path = folder / name
        path.write_text(text, "utf-8")
        yield Case(path, name, path.suffix.lstrip("."))
    for case in cases:
        if case.kind in {"external_reference", "active_content"} and zipfile.is_zipfile(case.path):
            path = folder / case.path.name
            _redirected(case.path, path, here.encode())
            yield Case(path, path.name, case.format)


def _redirected(source: Path, target: Path, address: bytes) -> None:
    """A copy of an office file whose outside references lead to the listener."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
        for name in dict.fromkeys(old.namelist()):
            data = old.read(name)
            if name.endswith(".rels"):
                data = re.sub(
                    rb'Target="[^"]*"([^>]*TargetMode="External")',
                    b'Target="' + address + b'/x"' + rb"\1",
                    data,
                )
            elif name.endswith(".xml"):
                data = _REMOTE.sub(address + b"/x", data)
            new.writestr(name, data)
