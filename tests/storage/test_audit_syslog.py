"""A syslog elsewhere is told how far the record has come, and its lines find what is gone."""

import re
import shutil
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import ValidationError

from sovereign_rag.catalog.records import AuditEntry
from sovereign_rag.errors import AuditError
from sovereign_rag.settings import AuditSettings, Settings
from sovereign_rag.storage.audit import AuditLog
from sovereign_rag.storage.audit_anchor import anchors_of
from sovereign_rag.storage.audit_chain import ChainHead
from sovereign_rag.storage.audit_syslog import SyslogAnchor, notes_in

RFC_5424 = re.compile(
    r"<109>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z \S+ sovereign-rag \d+ audit\.head - "
    r"number=\d{12} hash=[0-9a-f]{64} record=/\S+"
)
HEAD = ChainHead(7, "a" * 64)


@contextmanager
def listener(family: int, kind: int, address: object) -> Iterator[socket.socket]:
    with socket.socket(family, kind) as opened:
        opened.settimeout(30)
        opened.bind(address)  # type: ignore[arg-type]  # a path or a pair, as the family has it
        yield opened


def accepted(listening: socket.socket, received: list[bytes]) -> None:
    connection, _ = listening.accept()
    with connection:
        while block := connection.recv(4_096):
            received.append(block)


def test_a_note_goes_to_a_syslog_by_udp(tmp_path: Path) -> None:
    with listener(socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 0)) as there:
        SyslogAnchor(f"syslog+udp://127.0.0.1:{there.getsockname()[1]}", tmp_path).note(HEAD)

        message = there.recv(4_096).decode()

    assert RFC_5424.fullmatch(message)
    assert list(notes_in([message])) == [HEAD]


def test_a_note_goes_to_a_syslog_by_tcp_with_its_length_before_it(tmp_path: Path) -> None:
    received: list[bytes] = []
    with listener(socket.AF_INET, socket.SOCK_STREAM, ("127.0.0.1", 0)) as there:
        there.listen()
        taking = threading.Thread(target=accepted, args=(there, received))
        taking.start()
        SyslogAnchor(f"syslog+tcp://127.0.0.1:{there.getsockname()[1]}", tmp_path).note(HEAD)
        taking.join(30)

    length, _, message = b"".join(received).decode().partition(" ")
    assert RFC_5424.fullmatch(message)
    assert int(length) == len(message)


def test_a_note_goes_to_the_local_socket(tmp_path: Path) -> None:
    path = tmp_path / "log"
    with listener(socket.AF_UNIX, socket.SOCK_DGRAM, str(path)) as there:
        SyslogAnchor(f"syslog+unix:{path}", tmp_path).note(HEAD)

        assert RFC_5424.fullmatch(there.recv(4_096).decode())


@pytest.mark.parametrize("way", ["tcp://127.0.0.1:1", "unix:/no/such/socket"])
def test_a_syslog_that_can_not_be_reached_is_told_with_the_way_out(
    tmp_path: Path, way: str
) -> None:
    with pytest.raises(AuditError, match=r"correct audit\.anchor"):
        SyslogAnchor(f"syslog+{way}", tmp_path).note(HEAD)


def asked(number: int) -> AuditEntry:
    at = datetime(2026, 3, 1, tzinfo=UTC)
    return AuditEntry(at, "answer", "default", "user:ana", {"question": f"question {number}"})


def test_what_a_syslog_was_told_finds_a_record_that_was_made_anew(tmp_path: Path) -> None:
    with listener(socket.AF_INET, socket.SOCK_DGRAM, ("127.0.0.1", 0)) as there:
        anchor = f"syslog+udp://127.0.0.1:{there.getsockname()[1]}"
        settings = Settings(data_dir=tmp_path, audit=AuditSettings(anchor=anchor))
        log = AuditLog(tmp_path, anchors=anchors_of(settings, None))
        for number in range(1, 4):
            log.append(asked(number))
        log.close()
        notes = [("syslog", head) for head in notes_in([there.recv(4_096).decode()])]
    whole = AuditLog(tmp_path).verify(notes)

    shutil.rmtree(log.folder)
    forged = AuditLog(tmp_path)
    for number in range(1, 6):
        forged.append(asked(number + 10))

    assert (whole.ok, notes[0][1].number) == (True, 3)
    assert forged.verify().ok  # by itself it is whole
    report = forged.verify(notes)
    assert (report.ok, report.broken_at) == (False, 3)


@pytest.mark.parametrize(
    "anchor",
    [
        "/mnt/elsewhere/anchor",
        "syslog+udp://logs.example.org:514",
        "syslog+udp://logs.example.org",
        "syslog+tcp://[2001:db8::1]:601",
        "syslog+unix:/dev/log",
    ],
)
def test_an_anchor_is_a_file_or_a_syslog(anchor: str) -> None:
    assert AuditSettings(anchor=anchor).anchor == anchor


@pytest.mark.parametrize(
    "anchor",
    [
        "syslog://logs.example.org",
        "syslog+udp://",
        "syslog+udp://logs.example.org/path",
        "syslog+tcp://logs.example.org:99999",
        "syslog+tcp://user@logs.example.org",
        "syslog+unix://host/dev/log",
        "syslog+unix:dev/log",
    ],
)
def test_what_looks_like_a_syslog_and_is_none_is_refused(anchor: str) -> None:
    with pytest.raises(ValidationError):
        AuditSettings(anchor=anchor)
