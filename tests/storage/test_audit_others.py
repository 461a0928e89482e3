"""Several machines, a record each: read as one, in one order, and verified as one."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from sovereign_rag.access import local_owner
from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.catalog.records import AuditEntry
from sovereign_rag.errors import BadInput
from sovereign_rag.services.audit_desk import AuditDesk
from sovereign_rag.settings import AuditSettings, Settings
from sovereign_rag.storage.audit import AuditLog, entry
from sovereign_rag.storage.audit_all import AllRecords
from sovereign_rag.storage.audit_anchor import anchors_of, head_line
from sovereign_rag.storage.audit_chain import (
    NO_HASH,
    AuditRecord,
    ChainHead,
    hash_of,
    in_time,
    lines_of,
)
from sovereign_rag.storage.audit_erasure import Forgotten, erase_words
from sovereign_rag.storage.audit_others import OtherRecord, merged
from sovereign_rag.storage.audit_search import AuditFilter
from tests.cli.running import CommandLine

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def asked(minute: int) -> AuditEntry:
    return AuditEntry(
        NOON + timedelta(minutes=minute), "answer", "default", "user:ana", {"minute": minute}
    )


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[Catalog]:
    """What both machines share; it lies with machine a."""
    (tmp_path / "a").mkdir()
    opened = Catalog.open(Settings(data_dir=tmp_path / "a"))
    yield opened
    opened.close()


@pytest.fixture
def machines(catalog: Catalog, tmp_path: Path) -> list[OtherRecord]:
    """Machine a was asked in even minutes, machine b in odd ones."""
    for first, writer in enumerate("ab"):
        settings = Settings(data_dir=tmp_path / writer, audit=AuditSettings(writer=writer))
        log = AuditLog(settings.data_dir, anchors=anchors_of(settings, catalog))
        for minute in range(first, 6, 2):
            log.append(asked(minute))
        log.close()
    return [OtherRecord(writer, tmp_path / writer) for writer in "ab"]


def opened(writer: str, data_dir: Path, catalog: Catalog) -> AuditLog:
    settings = Settings(data_dir=data_dir, audit=AuditSettings(writer=writer))
    return AuditLog(data_dir, anchors=anchors_of(settings, catalog))


def minutes(records: Iterable[AuditRecord]) -> list[int]:
    return [record.entry.detail["minute"] for record in records]


def lines_in(log: AuditLog) -> list[bytes]:
    return [line for file in log.files() for line in lines_of(file)]


def cut_newest(data_dir: Path) -> None:
    """The newest record goes, and the note beside the record is made to fit."""
    (file,) = (data_dir / "audit").glob("*.jsonl")
    kept = file.read_bytes().splitlines(keepends=True)[:-1]
    file.write_bytes(b"".join(kept))
    head = ChainHead(len(kept), hash_of(kept[-1].rstrip(b"\n")))
    (data_dir / "audit" / "head").write_bytes(head_line(head))


def test_records_of_several_machines_are_read_in_the_order_in_which_things_happened(
    machines: list[OtherRecord],
) -> None:
    read = list(merged([(one.writer, one.read()) for one in machines]))

    assert [record.entry.detail["minute"] for _, record in read] == list(range(6))
    assert [(writer, record.number) for writer, record in read][:3] == [
        ("a", 1),
        ("b", 1),
        ("a", 2),
    ]


def test_a_record_elsewhere_that_was_cut_is_missed_by_what_the_catalog_notes_of_it(
    machines: list[OtherRecord], catalog: Catalog
) -> None:
    before = machines[1].verify(catalog.audit_heads)

    cut_newest(machines[1].data_dir)

    assert (before.ok, before.head.number) == (True, 3)
    assert machines[1].verify(None).ok  # whole in itself
    assert machines[1].verify(catalog.audit_heads).problem == (
        "the catalog notes 3 records, the log ends after 2"
    )


def test_a_record_put_in_the_place_of_another_machines_is_found_out(
    machines: list[OtherRecord], catalog: Catalog
) -> None:
    swapped = replace(machines[0], writer="b")

    assert not swapped.verify(catalog.audit_heads).ok


def test_each_machine_reads_and_verifies_the_records_of_all_by_their_copies(
    machines: list[OtherRecord], catalog: Catalog
) -> None:
    for writer, data_dir in (("a", machines[0].data_dir), ("b", machines[1].data_dir)):
        records = AllRecords(opened(writer, data_dir, catalog), catalog)

        assert minutes(records.read()) == list(range(6))
        assert minutes(records.back()) == list(range(5, -1, -1))
        assert minutes(records.back({"a": 3, "b": 2})) == [2, 1, 0]
        assert {w: (r.ok, r.head.number) for w, r in records.verify().items()} == {
            "a": (True, 3),
            "b": (True, 3),
        }
        assert records.left_out() == []


@pytest.mark.parametrize(
    ("line", "problem"),
    [(None, "the catalog notes 3 records"), (b'{"number": 3}', "the line is no record")],
)
def test_a_copy_that_was_cut_or_changed_is_found_out(
    machines: list[OtherRecord], catalog: Catalog, line: bytes | None, problem: str
) -> None:
    kept = list(catalog.audit_copies.lines("b"))[:2]
    if line is None:
        catalog.audit_copies.drop_before("b", 99)
        catalog.audit_copies.add("b", kept)
    else:
        catalog.audit_copies.replace("b", [(3, line)])

    found = AllRecords(opened("a", machines[0].data_dir, catalog), catalog).verify()

    assert found["a"].ok
    assert found["b"].broken_at == 3
    assert problem in str(found["b"].problem)


def test_words_that_leave_a_record_and_months_that_are_trimmed_leave_its_copy_too(
    machines: list[OtherRecord], catalog: Catalog
) -> None:
    log = opened("b", machines[1].data_dir, catalog)
    log.append(replace(asked(7), detail={"question": "What has Jean Dupont?"}))
    for place in log.anchors.copying:
        place.catch_up()  # as another process does it, in the middle of a second
    before = b"".join(line for _, line in catalog.audit_copies.lines("b"))

    erase_words(log, Forgotten("e", {}, {}, {}, ["Jean Dupont"]), local_owner())
    log.close()
    erased, own = list(catalog.audit_copies.lines("b")), lines_in(log)
    records = AllRecords(opened("a", machines[0].data_dir, catalog), catalog)
    after_erasure = records.verify()["b"]
    log.trim(date(2026, 4, 1), entry("audit.trimmed", local_owner(), {}))
    log.close()
    trimmed = [number for number, _ in catalog.audit_copies.lines("b")]

    assert b"Jean Dupont" in before
    assert not any(b"Jean Dupont" in line for _, line in erased)
    assert erased == list(enumerate(own, start=1))
    assert (after_erasure.ok, after_erasure.erased) == (True, 1)
    assert trimmed == [r.number for r in log.read()] == [5, 6]
    assert records.verify()["b"].ok


def test_where_there_is_one_machine_no_copy_is_made(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    with Catalog.open(settings) as catalog:
        alone = AuditLog(tmp_path, anchors=anchors_of(settings, catalog))
        alone.append(asked(0))
        alone.close()
        of_one = catalog.audit_copies.writers()
        catalog.audit_heads.note(1, NO_HASH, "node-2")  # another one comes
        again = AuditLog(tmp_path, anchors=anchors_of(settings, catalog))
        again.append(asked(1))
        again.close()

        assert of_one == []
        assert catalog.audit_copies.last("audit") == 2


def test_pages_of_the_record_go_on_where_the_last_one_ended_in_each_machines(
    machines: list[OtherRecord], catalog: Catalog
) -> None:
    desk = AuditDesk(catalog=catalog, audit=opened("a", machines[0].data_dir, catalog))
    wanted, seen, place = AuditFilter(action="answer"), list[int](), None
    for _ in range(3):
        page = desk.page(local_owner(), wanted, limit=2, before=place)
        seen += minutes(page.records)
        place = page.older

    assert seen == [5, 4, 3, 2, 1, 0]
    assert page.others == ["b"]
    assert {record.writer for record in desk.export(local_owner(), wanted)} == {None, "b"}
    assert desk.verify(local_owner()).ok
    with pytest.raises(BadInput, match="no place"):
        desk.page(local_owner(), wanted, limit=2, before="somewhere")


def test_commands_show_and_verify_the_records_of_all_machines(
    machines: list[OtherRecord],
    catalog: Catalog,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here, there = machines
    monkeypatch.setenv("SOVEREIGN_RAG_AUDIT__WRITER", here.writer)
    cli, other = CommandLine(here.data_dir, capsys), f"b={there.data_dir}"

    catalog.audit_heads.note(9, NO_HASH, "old-machine")  # its version makes no copies

    by_copy = cli("audit", "show", "--json").json["entries"]
    shown = cli("audit", "show", "--other", other, "--last", "8", "--json").json["entries"]
    copied = cli("audit", "verify", "--json").json
    together = cli("audit", "verify", "--other", other, "--json").json
    cut_newest(there.data_dir)
    cut = cli("audit", "verify", "--other", other, "--json")
    still = cli("audit", "verify", "--json")
    own, nobody = (
        cli("audit", "drop-copy", name, "--because", "it is gone") for name in ("a", "nobody")
    )
    dropped = cli("audit", "drop-copy", "b", "--because", "it is gone", "--json")
    after = cli("audit", "verify", "--json").json

    assert [entry["writer"] for entry in by_copy] == ["a", "b", "a", "b", "a", "b"]
    assert [entry["writer"] for entry in shown[:6]] == ["a", "b", "a", "b", "a", "b"]
    assert (copied["ok"], copied["left_out"]) == (True, ["old-machine"])
    assert (together["ok"], together["left_out"]) == (True, ["old-machine"])
    assert copied["writers"]["b"]["last"] == together["writers"]["b"]["last"] == 3
    assert (still.code, cut.code) == (0, 3)  # the copy has what the folder lost
    assert (own.code, nobody.code, dropped.json["records"]) == (2, 2, 3)
    assert (after["ok"], after["left_out"]) == (True, ["b", "old-machine"])
    assert not cut.json["ok"]
    assert "record of b is broken" in json.dumps(cut.err)


@pytest.mark.parametrize("text", ["b", "b=", "=/tmp", "b=/nowhere/at/all"])
def test_what_names_no_record_is_refused_with_the_way_out(text: str) -> None:
    with pytest.raises(BadInput, match=r"WRITER=FOLDER|audit/"):
        OtherRecord.of(text)


def test_times_are_by_the_clock_that_all_machines_share_and_a_wrong_one_is_told() -> None:
    begin = ChainHead(0, NO_HASH)

    right = in_time(asked(0), begin, timedelta(milliseconds=200))
    late = in_time(asked(0), begin, timedelta(minutes=3))
    back = in_time(asked(0), replace(begin, at=NOON + timedelta(hours=1)), timedelta(minutes=3))

    assert (right.at, right.by) == (NOON + timedelta(milliseconds=200), {})
    assert (late.at, late.by) == (NOON + timedelta(minutes=3), {"clock": NOON.isoformat()})
    assert (back.at, back.by) == (NOON + timedelta(hours=1), {"clock": NOON.isoformat()})
