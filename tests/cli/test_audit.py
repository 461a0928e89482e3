"""The record, searched by commands: by person, document and time, as a table, CSV and JSON."""

import csv
import io
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from sovereign_rag.catalog.records import AuditEntry
from sovereign_rag.storage.audit import AuditLog
from tests.cli.running import CommandLine

PLAN = "11111111-1111-5111-8111-111111111111"
MARCH, APRIL = datetime(2026, 3, 5, tzinfo=UTC), datetime(2026, 4, 5, tzinfo=UTC)
READERS = {"readers": ["group:finance"], "level": 0}


def recorded(at: datetime, who: str, action: str, detail: dict[str, Any]) -> AuditEntry:
    return AuditEntry(at, action, "default", who, detail, {"groups": ["finance"]})


@pytest.fixture
def record(cli: CommandLine) -> CommandLine:
    """A copy of a record that tells of one document."""
    log = AuditLog(cli.data_dir)
    told = {"document": PLAN, "uri": "file:///srv/=plan.pdf", **READERS}
    log.append(recorded(MARCH, "owner", "ingest", {"documents": [told]}))
    log.append(recorded(MARCH, "user:ana", "answer", {"disclosed": [{"document": PLAN}]}))
    log.append(recorded(APRIL, "user:bo", "page", {"document": PLAN, "page": 2}))
    return cli


def test_who_saw_a_document_is_told_with_its_name(record: CommandLine) -> None:
    all_of_them = record("audit", "who-saw", PLAN, "--json").json["seen"]
    in_march = record("audit", "who-saw", PLAN, "--until", "2026-04-01", "--json").json["seen"]

    assert [(s["person"], s["action"], s["is_text"]) for s in all_of_them] == [
        ("user:ana", "answer", True),
        ("user:bo", "page", True),
    ]
    assert [s["person"] for s in in_march] == ["user:ana"]


def test_what_a_person_saw_is_told(record: CommandLine) -> None:
    seen = record("audit", "seen-by", "user:bo", "--json").json["seen"]

    assert [(s["document"], s["at"][:10]) for s in seen] == [(PLAN, "2026-04-05")]
    assert record("audit", "seen-by", "user:nobody-of-that-name", "--json").json["seen"] == []


@pytest.mark.parametrize(
    ("question", "name", "is_known"),
    [
        ("who-saw", PLAN, True),
        ("who-saw", PLAN[:8], False),
        ("rights", PLAN[:8], False),
        ("seen-by", "user:ana", True),
        ("seen-by", "ana", False),
    ],
)
def test_a_misspelt_name_is_no_proof_that_nothing_was_shown(
    record: CommandLine, question: str, name: str, is_known: bool
) -> None:
    done = record("audit", question, name)

    assert done.code == 0
    assert ("not to say that nothing was shown" in done.err) is not is_known


@pytest.mark.parametrize(("action", "is_known"), [("answer", True), ("anwser", False)])
def test_that_no_record_fits_is_said(record: CommandLine, action: str, is_known: bool) -> None:
    assert ("No record fits" in record("audit", "show", "--action", action).err) is not is_known


def test_who_gave_a_right_is_told(record: CommandLine) -> None:
    (change,) = record("audit", "rights", PLAN, "--json").json["changes"]

    assert (change["person"], change["readers"]) == ("owner", ["group:finance"])
    assert record("audit", "rights", "--label", "group:hr", "--json").json["changes"] == []
    assert len(record("audit", "rights", "--label", "group:finance", "--json").json["changes"]) == 1


def test_the_record_is_written_as_csv_that_no_spreadsheet_computes(record: CommandLine) -> None:
    rights = list(csv.DictReader(io.StringIO(record("audit", "rights", "--format", "csv").out)))
    shown = list(csv.DictReader(io.StringIO(record("audit", "show", "--format", "csv").out)))

    assert [row["uri"] for row in rights] == ["file:///srv/=plan.pdf"]
    assert [row["number"] for row in shown] == ["1", "2", "3"]
    assert json.loads(shown[2]["detail"])["page"] == 2
    assert not any(value.startswith("=") for row in shown for value in row.values())


def test_the_record_is_written_as_lines_of_json(record: CommandLine) -> None:
    lines = record("audit", "show", "--person", "user:ana", "--format", "jsonl").out.splitlines()

    (entry,) = [json.loads(line) for line in lines]
    assert (entry["action"], entry["principal"]) == ("answer", "user:ana")
    assert entry["titles"] == {}


def test_looking_at_the_record_is_on_the_record(cli: CommandLine) -> None:
    cli("keys", "create", "--user", "ana")
    cli("audit", "show", "--action", "key.create")

    last = cli("audit", "show", "--last", "1", "--json").json["entries"][0]

    assert (last["action"], last["detail"]["asked"]) == ("audit.show", {"action": "key.create"})


def test_the_record_is_signed_and_verified_by_commands(cli: CommandLine, tmp_path: Path) -> None:
    cli("keys", "create", "--user", "ana")
    key, public = tmp_path / "audit.pem", tmp_path / "audit.pub"
    printed = cli("audit", "key", str(key))
    public.write_text(printed.out, encoding="ascii")

    before = cli("audit", "verify", "--public-key", str(public))
    made = json.loads(cli("audit", "checkpoint", "--key", str(key)).out)
    after = cli("audit", "verify", "--public-key", str(public), "--json").json
    another = cli("audit", "key", str(tmp_path / "other.pem")).out
    public.write_text(another, encoding="ascii")
    by_another = cli("audit", "verify", "--public-key", str(public))

    assert (before.code, "nothing of it is signed" in before.err) == (3, True)
    assert (after["ok"], after["signed"], after["last"]) == (
        True,
        made["number"],
        made["number"] + 1,
    )
    assert by_another.code == 3


def test_notes_that_were_kept_are_held_against_the_record(
    record: CommandLine, tmp_path: Path
) -> None:
    notes = tmp_path / "notes.txt"
    notes.write_text(record("audit", "verify").out, encoding="utf-8")
    kept = record("audit", "verify", "--noted", str(notes))
    next((record.data_dir / "audit").glob("*-2026-04.jsonl")).unlink()
    (record.data_dir / "audit" / "head").unlink()

    lost = record("audit", "verify", "--noted", str(notes))
    notes.write_text("nothing\n", encoding="utf-8")
    empty = record("audit", "verify", "--noted", str(notes))

    assert kept.code == 0
    assert (lost.code, "notes 3 records" in lost.err) == (3, True)
    assert (empty.code, "no note" in empty.err) == (2, True)
