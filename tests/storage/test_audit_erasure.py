"""Words are taken out of the record, whose chain holds; a line merely replaced is a break."""

import importlib.util
import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from types import ModuleType

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sovereign_rag.access import local_owner
from sovereign_rag.catalog.records import AuditEntry
from sovereign_rag.storage.audit import AuditLog, entry
from sovereign_rag.storage.audit_erasure import Forgotten, erase_words
from sovereign_rag.storage.audit_signing import is_signed, signed

OWNER = local_owner()
PLAN = {"document": "d1", "uri": "file:///srv/dupont.pdf", "title": "Dupont"}
ANA = Forgotten("e1", {}, {}, {"user:ana": "erased:0001"})
DUPONT = Forgotten("e2", {"file:///srv/dupont.pdf": "erased:d1"}, {"Dupont": "erased:d1"}, {})


def told(who: str, action: str, **detail: object) -> AuditEntry:
    return AuditEntry(datetime.now(UTC), action, "default", who, detail, {"address": "10.0.0.7"})


@pytest.fixture
def log(tmp_path: Path) -> AuditLog:
    log = AuditLog(tmp_path, max_bytes=600)  # several files
    log.append(
        told("owner", "ingest", documents=[{**PLAN, "readers": ["user:ana", "user:anabel"]}])
    )
    log.append(told("user:ana", "answer", question="How ill is Dupont?", disclosed=[PLAN]))
    log.append(told("owner as user:ana", "search", question="ill", disclosed=[]))
    log.append(told("user:anabel", "search", question="When does the gate open?", disclosed=[]))
    log.append(told("owner", "key.create", user="ana", operation="o1"))
    return log


def words_of(log: AuditLog) -> str:
    return "".join(file.read_text("utf-8") for file in log.files())


def test_what_an_erased_person_did_is_known_and_neither_who_they_are_nor_what_they_asked(
    log: AuditLog,
) -> None:
    lost = erase_words(log, ANA, OWNER)
    report = log.verify()

    assert ([number for number, _ in lost], report.ok, report.erased) == ([1, 2, 3, 5], True, 4)
    words = words_of(log)
    assert 'user:ana"' not in words
    assert "How ill" not in words
    assert ("user:anabel" in words, "When does the gate open?" in words) == (True, True)
    acts = [(r.entry.principal, r.entry.action) for r in log.read()]
    assert acts[1:3] == [("erased:0001", "answer"), ("owner as erased:0001", "search")]
    seen = next(log.read(after=1)).entry.detail["disclosed"]
    assert [passage["document"] for passage in seen] == ["d1"]


def test_the_names_of_an_erased_document_are_gone_and_its_id_stays(log: AuditLog) -> None:
    erase_words(log, DUPONT, OWNER)
    log.append(told("owner", "note"))

    words = words_of(log)
    assert "dupont.pdf" not in words
    assert '"Dupont"' not in words
    assert '"document":"d1"' in words
    assert log.verify().ok


def test_the_same_erasure_twice_and_another_after_it_leave_the_chain_whole(log: AuditLog) -> None:
    lost = [erase_words(log, forgotten, OWNER) for forgotten in (ANA, ANA, DUPONT)]

    assert lost[1] == []
    assert log.verify().ok
    assert not list(log.folder.glob("*.new"))


def test_a_line_that_no_erasure_tells_of_is_a_break(log: AuditLog) -> None:
    file = log.files()[0]
    first, *rest = file.read_bytes().splitlines(keepends=True)
    left = DUPONT.remainder(first.rstrip(b"\n"))
    assert left is not None

    file.write_bytes(b"".join([left + b"\n", *rest]))

    report = log.verify()
    assert (report.ok, report.broken_at) == (False, 1)
    assert report.problem is not None
    assert "no erasure" in report.problem


def test_a_remainder_that_was_changed_afterwards_is_a_break(log: AuditLog) -> None:
    erase_words(log, ANA, OWNER)
    file = log.files()[0]

    file.write_bytes(file.read_bytes().replace(b'"ingest"', b'"delete"'))

    assert log.verify().broken_at == 1


@pytest.fixture(scope="module")
def outside(repository: Path) -> ModuleType:
    """The tool that shares no code with the product."""
    spec = importlib.util.spec_from_file_location("outside", repository / "tools/verify_audit.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_whoever_has_the_public_key_alone_can_verify_the_record_after_an_erasure(
    log: AuditLog, outside: ModuleType
) -> None:
    key = Ed25519PrivateKey.generate()

    def checkpoint() -> None:
        log.checkpoint(entry("audit.checkpoint", OWNER, {}), lambda head: signed(head, key))

    checkpoint()
    erase_words(log, ANA, OWNER)
    checkpoint()

    first, last, vouched = outside.verify(log.folder, key.public_key(), [], outside.Stamps(None))
    inside = log.verify(is_signed=lambda one: is_signed(one, key.public_key()))
    assert (first, inside.ok, inside.signed) == (1, True, vouched)
    assert vouched == last - 1
    file = log.files()[0]
    file.write_bytes(file.read_bytes().replace(b"erased:0001", b"erased:0002"))
    with pytest.raises(outside.Broken):
        outside.verify(log.folder, key.public_key(), [], outside.Stamps(None))


def test_a_remainder_is_a_record_by_itself(log: AuditLog) -> None:
    erase_words(log, ANA, OWNER)

    lines = [json.loads(line) for line in words_of(log).splitlines()]

    assert [line["number"] for line in lines] == list(range(1, len(lines) + 1))
    assert {line.get("erasure") for line in lines[:3]} == {"e1"}


def test_a_text_is_gone_whatever_its_case_and_lines_of_an_earlier_erasure_lose_all_words(
    log: AuditLog, tmp_path: Path
) -> None:
    shutil.copytree(log.folder, tmp_path / "old" / "audit", ignore=shutil.ignore_patterns("lock"))
    old = AuditLog(tmp_path / "old")
    lost = erase_words(log, Forgotten("e3", {}, {}, {}, texts=["is DUPONT"]), OWNER)
    again = erase_words(old, Forgotten("e4", {}, {}, {}, lines=dict(lost)), OWNER)

    assert [number for number, _ in lost] == [2]
    assert next(log.read(after=1)).entry.detail["question"] == "How ill [erased]?"
    assert again == lost
    assert "question" not in next(old.read(after=1)).entry.detail
    assert (log.verify().ok, old.verify().ok) == (True, True)
