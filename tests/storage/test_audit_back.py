"""The record from its end: as it stands, over its files, from any number back."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from sovereign_rag.catalog.records import AuditEntry
from sovereign_rag.errors import AuditError
from sovereign_rag.storage.audit import AuditLog
from sovereign_rag.storage.audit_back import records_back


def log_of(folder: Path, entries: int) -> AuditLog:
    """A log whose files hold a few records each."""
    log = AuditLog(folder, max_bytes=600)
    for number in range(entries):
        at = datetime(2026, 3, 1, tzinfo=UTC)
        log.append(AuditEntry(at, "search", "default", f"user:u{number}", {}))
    return log


@pytest.mark.parametrize(("before", "newest"), [(None, 9), (10, 9), (5, 4), (1, 0)])
def test_records_come_newest_first_over_all_files(
    tmp_path: Path, before: int | None, newest: int
) -> None:
    log = log_of(tmp_path, 9)
    assert len(list(log.folder.glob("*.jsonl"))) > 2

    back = [record.number for record in records_back(log.folder, before=before)]

    assert back == list(range(newest, 0, -1))


def test_a_line_that_is_no_record_is_told_and_not_passed_over(tmp_path: Path) -> None:
    log = log_of(tmp_path, 3)
    (file, *_) = sorted(log.folder.glob("*.jsonl"))
    file.write_bytes(b"{}\n" + file.read_bytes())

    with pytest.raises(AuditError, match="backup"):
        list(records_back(log.folder))
