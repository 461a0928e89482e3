"""Whoever fails to prove who they are is on the record, and can't fill the disk by it."""

from pathlib import Path

import pytest

from sovereign_rag.catalog.records import AuditEntry
from sovereign_rag.errors import AuditError
from sovereign_rag.services.attempts import MOST_SOURCES, FailedAttempts, source_of
from sovereign_rag.storage.audit import AuditLog

SECRET = "srag_0123456789ab_not-the-secret-of-this-key"


def recorded(folder: Path) -> list[AuditEntry]:
    return [record.entry for record in AuditLog(folder).read()]


def test_the_first_attempt_is_recorded_at_once_and_what_follows_is_summed_up(
    tmp_path: Path,
) -> None:
    attempts = FailedAttempts(AuditLog(tmp_path))

    attempts.note("10.0.0.7", "key", SECRET)
    at_once = recorded(tmp_path)
    for _ in range(99):
        attempts.note("10.0.0.7", "key", SECRET)
    attempts.note("10.0.0.8", "session")
    attempts.sum_up()

    assert [entry.detail for entry in at_once] == [
        {"offered": "key", "attempts": 1, "key": "0123456789ab"}
    ]
    assert [(e.action, e.by["address"], e.detail["attempts"]) for e in recorded(tmp_path)] == [
        ("sign_in.failed", "10.0.0.7", 1),
        ("sign_in.failed", "10.0.0.8", 1),
        ("sign_in.failed", "10.0.0.7", 99),
    ]
    assert "not-the-secret" not in str(recorded(tmp_path))


def test_a_minute_of_attempts_from_everywhere_takes_a_few_records(tmp_path: Path) -> None:
    attempts = FailedAttempts(AuditLog(tmp_path))

    for number in range(2_000):
        attempts.note(f"10.1.{number // 250}.{number % 250}", "key", SECRET * 50)
    attempts.note("10.1.0.0", "key", SECRET)
    attempts.sum_up()

    entries = recorded(tmp_path)
    by_source = {entry.by["address"]: 0 for entry in entries}
    for entry in entries:
        by_source[entry.by["address"]] += entry.detail["attempts"]
    assert len(entries) == MOST_SOURCES + 2
    assert by_source["others"] == 2_000 - MOST_SOURCES
    assert sum(by_source.values()) == 2_001
    assert sum(file.stat().st_size for file in (tmp_path / "audit").glob("*.jsonl")) < 20_000


def test_a_new_minute_names_sources_anew(tmp_path: Path) -> None:
    attempts = FailedAttempts(AuditLog(tmp_path), minute_s=0.05)

    attempts.note("10.0.0.7", "form", SECRET)
    attempts.sum_up()
    attempts.note("10.0.0.7", "form", SECRET)
    attempts.sum_up()

    assert [entry.detail["attempts"] for entry in recorded(tmp_path)] == [1, 1]


@pytest.mark.parametrize(
    ("address", "source"),
    [
        ("10.0.0.7", "10.0.0.7"),
        ("2001:db8:1:2::3", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::9", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::1", "::1"),
        ("a unix socket", "unknown"),
        (None, "unknown"),
    ],
)
def test_a_network_that_one_customer_is_given_counts_as_one(
    address: str | None, source: str
) -> None:
    assert source_of(address) == source


class FullDisk:
    """An audit record that takes nothing more."""

    def append(self, entry: AuditEntry) -> None:
        raise AuditError("The disk is full.")


def test_an_attempt_that_can_not_be_recorded_is_told_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    FailedAttempts(FullDisk()).note("10.0.0.7", "key", SECRET)

    assert "10.0.0.7" in caplog.text
    assert "not-the-secret" not in caplog.text
