"""Several machines, a record each: read as one, in one order, and verified as one."""

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.catalog.records import AuditEntry
from sovereign_rag.errors import BadInput
from sovereign_rag.settings import AuditSettings, Settings
from sovereign_rag.storage.audit import AuditLog
from sovereign_rag.storage.audit_anchor import anchors_of, head_line
from sovereign_rag.storage.audit_chain import NO_HASH, ChainHead, hash_of, in_time
from sovereign_rag.storage.audit_others import OtherRecord, merged
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


def test_commands_show_and_verify_the_records_of_all_machines(
    machines: list[OtherRecord],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    here, there = machines
    monkeypatch.setenv("SOVEREIGN_RAG_AUDIT__WRITER", here.writer)
    cli, other = CommandLine(here.data_dir, capsys), f"b={there.data_dir}"

    shown = cli("audit", "show", "--other", other, "--json").json["entries"]
    alone = cli("audit", "verify", "--json").json
    together = cli("audit", "verify", "--other", other, "--json").json
    cut_newest(there.data_dir)
    cut = cli("audit", "verify", "--other", other, "--json")

    assert [entry["writer"] for entry in shown] == ["a", "b", "a", "b", "a", "b"]
    assert (alone["ok"], alone["left_out"]) == (True, ["b"])
    assert (together["ok"], together["left_out"]) == (True, [])
    assert together["writers"]["b"]["last"] == 3
    assert cut.code == 3
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
