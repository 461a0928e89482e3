import hashlib
import json
import multiprocessing
import os
import pwd
import stat
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from sovereign_rag.access import Caller, Principal, local_owner
from sovereign_rag.catalog.records import AuditEntry
from sovereign_rag.errors import AuditError
from sovereign_rag.storage.audit import AuditLog, entry
from sovereign_rag.storage.audit_anchor import head_line
from sovereign_rag.storage.audit_chain import NO_HASH, ChainHead, hash_of, record_line

MARCH = datetime(2026, 3, 31, 23, 59, tzinfo=UTC)


def asked(question: str, at: datetime = MARCH) -> AuditEntry:
    return AuditEntry(at, "answer", "default", "user:ana", {"question": question})


def filled(folder: Path, count: int = 5) -> AuditLog:
    log = AuditLog(folder)
    for number in range(1, count + 1):
        log.append(asked(f"question {number}"))
    return log


def only_file(log: AuditLog) -> Path:
    (file,) = log.folder.glob("*.jsonl")
    return file


def rewrite(log: AuditLog, change: Callable[[list[bytes]], list[bytes]]) -> None:
    file = only_file(log)
    file.write_bytes(b"".join(change(file.read_bytes().splitlines(keepends=True))))


def test_what_was_recorded_is_read_back_in_order(tmp_path: Path) -> None:
    log = filled(tmp_path, 3)

    records = list(AuditLog(tmp_path).read())

    assert [record.number for record in records] == [1, 2, 3]
    assert records[1].entry == asked("question 2")
    assert [record.number for record in log.read(after=2)] == [3]


def test_each_line_carries_the_hash_of_the_line_before(tmp_path: Path) -> None:
    log = filled(tmp_path, 3)

    lines = only_file(log).read_bytes().splitlines()

    hashes = [NO_HASH, *(hashlib.sha256(line).hexdigest() for line in lines)]
    assert [json.loads(line)["prev"] for line in lines] == hashes[:-1]
    report = log.verify()
    assert (report.ok, report.first, report.head.number) == (True, 1, 3)
    assert report.head.hash == hashes[-1]


def test_an_empty_audit_log_verifies(tmp_path: Path) -> None:
    report = AuditLog(tmp_path).verify()

    assert (report.ok, report.head.number) == (True, 0)
    assert list(AuditLog(tmp_path).read()) == []


def changed(lines: list[bytes]) -> list[bytes]:
    return [line.replace(b"question 3", b"question X") for line in lines]


def taken_out(lines: list[bytes]) -> list[bytes]:
    return lines[:2] + lines[3:]


def exchanged(lines: list[bytes]) -> list[bytes]:
    return [lines[0], lines[2], lines[1], *lines[3:]]


def put_in(lines: list[bytes]) -> list[bytes]:
    return [*lines[:3], lines[2], *lines[3:]]


def cut_off(lines: list[bytes]) -> list[bytes]:
    return lines[:3]


def last_changed(lines: list[bytes]) -> list[bytes]:
    return [line.replace(b"question 5", b"question X") for line in lines]


def garbled(lines: list[bytes]) -> list[bytes]:
    return [lines[0], b"no record\n", *lines[2:]]


def renumbered_away(lines: list[bytes]) -> list[bytes]:
    return lines[1:]


@pytest.mark.parametrize(
    ("tamper", "broken_at"),
    [
        (changed, 4),
        (taken_out, 3),
        (exchanged, 2),
        (put_in, 4),
        (cut_off, 4),
        (last_changed, 5),
        (garbled, 2),
        (renumbered_away, 1),
    ],
)
def test_tampering_is_found_at_its_place(
    tmp_path: Path, tamper: Callable[[list[bytes]], list[bytes]], broken_at: int
) -> None:
    log = filled(tmp_path)
    assert log.verify().ok

    rewrite(log, tamper)

    assert log.verify().broken_at == broken_at


@pytest.mark.parametrize(("tamper", "broken_at"), [(cut_off, 4), (last_changed, 6)])
def test_going_on_does_not_hide_what_was_done_to_the_end(
    tmp_path: Path, tamper: Callable[[list[bytes]], list[bytes]], broken_at: int
) -> None:
    log = filled(tmp_path)
    rewrite(log, tamper)

    log.append(asked("afterwards"))

    assert log.verify().broken_at == broken_at
    assert [record.entry.action for record in log.read(after=5)][-1] == "answer"


def test_a_log_whose_files_are_gone_does_not_begin_anew(tmp_path: Path) -> None:
    log = filled(tmp_path)
    only_file(log).unlink()
    gone = log.verify()

    log.append(asked("afterwards"))

    assert gone.broken_at == 1
    gap, last = log.read()
    assert (gap.number, gap.entry.action) == (6, "audit.gap")
    assert gap.entry.detail == {"found": 0, "noted": 5}
    assert last.number == 7
    assert log.verify().broken_at == 1


@pytest.mark.parametrize("torn", [b'{"number":6,"prev":"', b"\0" * 300, b"\0" * 30 + b"\n"])
def test_what_a_crash_left_is_put_aside_and_the_chain_goes_on(tmp_path: Path, torn: bytes) -> None:
    log = filled(tmp_path)
    with only_file(log).open("ab") as opened:
        opened.write(torn)

    log.append(asked("afterwards"))

    assert log.verify().ok
    mending, last = log.read(after=5)
    assert (mending.number, mending.entry.action) == (6, "audit.torn")
    assert last.entry == asked("afterwards")
    assert (log.folder / str(mending.entry.detail["kept"])).read_bytes() == torn


def test_a_file_that_a_crash_left_without_a_record_is_gone_on_with(tmp_path: Path) -> None:
    log = filled(tmp_path)
    (log.folder / "000000000006-2026-04.jsonl").write_bytes(b'{"num')

    log.append(asked("afterwards", MARCH + timedelta(days=1)))

    assert log.verify().ok
    assert [record.number for record in log.read(after=5)] == [6, 7]


def test_a_crash_before_the_head_was_noted_is_no_tampering(tmp_path: Path) -> None:
    log = filled(tmp_path, 4)
    noted = (log.folder / "head").read_bytes()
    log.append(asked("question 5"))
    (log.folder / "head").write_bytes(noted)

    before = log.verify()
    log.append(asked("question 6"))

    assert before.ok
    assert log.verify().ok
    assert [record.number for record in log.read()] == [1, 2, 3, 4, 5, 6]


def test_files_end_with_the_month_and_at_their_size_and_the_chain_goes_on(tmp_path: Path) -> None:
    log = AuditLog(tmp_path, max_bytes=400)
    for number in range(4):
        log.append(asked(f"{number}"))
    log.append(asked("april", MARCH + timedelta(minutes=1)))

    names = sorted(path.name for path in log.folder.glob("*.jsonl"))

    assert len(names) == 3
    assert names[0] == "000000000001-2026-03.jsonl"
    assert names[-1] == "000000000005-2026-04.jsonl"
    assert log.verify().ok
    assert [record.number for record in log.read(after=3)] == [4, 5]


def two_months(folder: Path) -> AuditLog:
    log = filled(folder)
    log.append(asked("april", MARCH + timedelta(minutes=1)))
    log.append(asked("april too", MARCH + timedelta(minutes=1)))
    return log


def trimming(at: datetime = MARCH + timedelta(days=3)) -> AuditEntry:
    return AuditEntry(at, "audit.trimmed", "default", "owner", {})


def test_old_files_that_are_removed_by_hand_are_missed(tmp_path: Path) -> None:
    log = two_months(tmp_path)

    min(log.folder.glob("*.jsonl")).unlink()

    report = log.verify()
    assert (report.broken_at, report.first) == (1, 6)
    assert "no `audit trim` removed them" in (report.problem or "")


def test_old_months_that_are_trimmed_leave_a_whole_record(tmp_path: Path) -> None:
    log = two_months(tmp_path)

    removed = log.trim(date(2026, 4, 30), trimming())

    report = log.verify()
    assert removed == 1
    assert (report.ok, report.first, report.head.number) == (True, 6, 8)
    (trimmed,) = (r.entry for r in log.read() if r.entry.action == "audit.trimmed")
    assert trimmed.detail["files"] == ["000000000001-2026-03.jsonl"]


def test_what_was_removed_by_hand_before_is_taken_once_a_trim_says_so(tmp_path: Path) -> None:
    log = two_months(tmp_path)
    min(log.folder.glob("*.jsonl")).unlink()

    log.trim(date(2026, 1, 1), trimming())

    assert log.verify().ok


def test_after_a_trim_more_that_goes_is_missed(tmp_path: Path) -> None:
    log = two_months(tmp_path)
    log.trim(date(2026, 4, 30), trimming())
    log.append(asked("may", MARCH + timedelta(days=35)))

    min(log.folder.glob("*.jsonl")).unlink()

    assert not log.verify().ok


def append_some(folder: Path, process: int) -> None:
    log = AuditLog(folder)
    for number in range(25):
        log.append(asked(f"{process}.{number}", datetime.now(UTC)))


def test_several_processes_make_one_chain(tmp_path: Path) -> None:
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=append_some, args=(tmp_path, n)) for n in range(3)]

    for process in processes:
        process.start()
    for process in processes:
        process.join(120)

    log = AuditLog(tmp_path)
    assert [process.exitcode for process in processes] == [0, 0, 0]
    assert log.verify().ok
    assert len({record.entry.detail["question"] for record in log.read()}) == 75
    times = [record.entry.at for record in log.read()]
    assert times == sorted(times)


def test_a_log_that_cannot_be_written_is_an_error_with_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "audit").touch()

    with pytest.raises(AuditError, match="isn't released"):
        AuditLog(tmp_path).append(asked("question"))


def test_an_entry_that_cannot_be_said_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    log = filled(tmp_path, 1)

    with pytest.raises(AuditError, match="JSON"):
        log.append(AuditEntry(MARCH, "answer", "default", "user:ana", {"x": object()}))

    assert [record.number for record in log.read()] == [1]
    assert log.verify().ok


@pytest.mark.parametrize("text", ["Où est l'été ?", "a\nb\r\0c\u2028d", "lone \ud800 surrogate"])
def test_whatever_was_asked_is_recorded(tmp_path: Path, text: str) -> None:
    log = filled(tmp_path, 1)

    log.append(asked(text))

    assert next(log.read(after=1)).entry.detail == {"question": text}
    assert log.verify().ok


def test_the_log_is_for_nobody_elses_eyes(tmp_path: Path) -> None:
    log = filled(tmp_path)

    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in log.folder.iterdir()}

    assert stat.S_IMODE(log.folder.stat().st_mode) == 0o700
    assert set(modes.values()) == {0o600}, modes


def test_an_entry_says_who_acted() -> None:
    ana = entry("search", Principal("ana", tenant="acme"), {"question": "?"})

    assert (ana.tenant, ana.principal, ana.action) == ("acme", "user:ana", "search")
    assert ana.at.tzinfo is UTC
    assert entry("search", local_owner(), {}).principal == "owner"
    assert entry("search", Principal("owner"), {}).principal == "user:owner"


def test_what_the_owner_does_as_somebody_is_never_taken_for_theirs() -> None:
    seen = entry("search", Principal("ana", is_view=True), {"question": "?"})
    own = entry("search", local_owner(), {})
    hers = entry("search", Principal("ana"), {"question": "?"})

    account = pwd.getpwuid(os.geteuid()).pw_name
    assert (seen.principal, seen.by) == (
        "owner as user:ana",
        {"account": account, "groups": [], "clearance": 0},
    )
    assert (own.principal, own.by) == ("owner", {"account": account})
    assert (hers.principal, hers.by) == ("user:ana", {"groups": [], "clearance": 0})


def test_a_caller_of_the_service_is_told_by_key_groups_clearance_and_address() -> None:
    caller = Caller(key="8d21a0c4f7e3", address="10.0.0.7")
    hugo = Principal("hugo", frozenset({"hr", "board"}), clearance=2, caller=caller)

    recorded = entry("search", hugo, {})

    assert recorded.by == {
        "groups": ["board", "hr"],
        "clearance": 2,
        "key": "8d21a0c4f7e3",
        "address": "10.0.0.7",
    }


def test_times_never_go_back_and_a_clock_that_does_is_told(tmp_path: Path) -> None:
    log, back = filled(tmp_path), MARCH - timedelta(hours=1)

    AuditLog(tmp_path).append(asked("the clock was set back", back))
    log.append(asked("and goes on", MARCH + timedelta(seconds=1)))

    set_back, on = log.read(after=5)
    assert (set_back.entry.at, set_back.entry.by) == (MARCH, {"clock": back.isoformat()})
    assert (on.entry.at, on.entry.by) == (MARCH + timedelta(seconds=1), {})
    assert log.verify().ok


def test_a_time_that_goes_back_is_a_finding(tmp_path: Path) -> None:
    early, last = record_line(asked("1"), 1, NO_HASH), MARCH - timedelta(seconds=1)
    late = record_line(asked("2", last), 2, hash_of(early))
    log = filled(tmp_path, 2)
    only_file(log).write_bytes(early + b"\n" + late + b"\n")
    (log.folder / "head").write_bytes(head_line(ChainHead(2, hash_of(late))))

    report = log.verify()

    assert (report.broken_at, report.problem) == (
        2,
        "its time is before that of the record before it",
    )
