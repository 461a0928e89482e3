"""What auditors ask of the record is answered from the record alone."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sovereign_rag.catalog.records import AuditEntry
from sovereign_rag.storage.audit_chain import AuditRecord
from sovereign_rag.storage.audit_search import AuditFilter, right_changes, sights

DAY = datetime(2026, 3, 1, tzinfo=UTC)
PLAN, NOTE = "11111111-1111-5111-8111-111111111111", "22222222-2222-5222-8222-222222222222"
FINANCE = {"readers": ["group:finance"], "level": 0}
NOBODY: dict[str, Any] = {"readers": [], "level": 0}

ENTRIES: tuple[tuple[str, dict[str, Any], str, dict[str, Any]], ...] = (
    ("owner", {"account": "root"}, "ingest", {"documents": [{"document": PLAN, **NOBODY}]}),
    ("owner", {"account": "root"}, "sync.rights", {
        "documents": [{"document": PLAN, "uri": "file:///plan", **FINANCE, "before": NOBODY}],
    }),
    ("user:ana", {"groups": ["finance"]}, "documents.list", {"documents": [PLAN, NOTE]}),
    ("user:ana", {"groups": ["finance"]}, "answer", {"disclosed": [{"document": PLAN}]}),
    ("owner as user:ana", {"account": "root"}, "page", {"document": NOTE, "page": 1}),
    ("user:bo", {"groups": []}, "ingest", {
        "documents": [{"document": NOTE, **FINANCE, "before": FINANCE}],
    }),
    ("user:bo", {"groups": []}, "delete", {"document": PLAN, "uri": "file:///plan", **FINANCE}),
    ("user:bo", {"groups": []}, "delete.done", {"document": PLAN, **FINANCE}),
    ("nobody", {"address": "10.0.0.7"}, "sign_in.failed", {"attempts": 1}),
)  # fmt: skip


def records() -> Iterator[AuditRecord]:
    for number, (who, by, action, detail) in enumerate(ENTRIES, start=1):
        at = DAY + timedelta(days=number)
        yield AuditRecord(number, AuditEntry(at, action, "default", who, detail, by))


@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [
        (AuditFilter(), [1, 2, 3, 4, 5, 6, 7, 8, 9]),
        (AuditFilter(person="user:ana"), [3, 4, 5]),
        (AuditFilter(person="owner"), [1, 2, 5]),
        (AuditFilter(person="user:an"), []),
        (AuditFilter(document=NOTE), [3, 5, 6]),
        (AuditFilter(action="delete"), [7, 8]),
        (AuditFilter(action="delete.done"), [8]),
        (AuditFilter(action="del"), []),
        (AuditFilter(label="group:finance"), [2, 3, 4, 6, 7, 8]),
        (AuditFilter(label="user:bo"), [6, 7, 8]),
        (AuditFilter(tenant="acme"), []),
        (AuditFilter(since=DAY + timedelta(days=8)), [8, 9]),
        (AuditFilter(until=DAY + timedelta(days=2)), [1]),
        (AuditFilter(person="user:ana", document=NOTE, action="page"), [5]),
    ],
)
def test_records_are_found_by_what_an_auditor_asks(wanted: AuditFilter, numbers: list[int]) -> None:
    assert [r.number for r in records() if wanted.matches(r.entry)] == numbers


def test_who_saw_what_is_told_with_what_of_it_was_text() -> None:
    seen = [(s.person, s.document, s.is_text) for s in sights(records())]

    assert seen == [
        ("user:ana", PLAN, False),
        ("user:ana", NOTE, False),
        ("user:ana", PLAN, True),
        ("owner as user:ana", NOTE, True),
    ]


def test_who_gave_a_right_and_when_is_told_without_what_was_only_said_again() -> None:
    changes = [(c.number, c.person, c.document, c.readers) for c in right_changes(records())]

    assert changes == [
        (1, "owner", PLAN, ()),
        (2, "owner", PLAN, ("group:finance",)),
        (7, "user:bo", PLAN, None),
    ]
