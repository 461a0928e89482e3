"""The audit record read from its end: for whoever wants to see what happened last."""

from collections.abc import Iterator
from pathlib import Path

from sovereign_rag.errors import AuditError
from sovereign_rag.storage.audit_chain import AuditRecord, first_of, lines_of, link_of


def records_back(folder: Path, *, before: int | None = None) -> Iterator[AuditRecord]:
    """Records, newest first, as they stand: see `AuditLog.verify`.

    One file of the record is in memory at a time.

    Args:
        folder: That of the record, `AuditLog.folder`.
        before: Those with numbers below it alone.

    Raises:
        AuditError: The log can't be read, or a line is no record.
    """
    try:
        for file in sorted(folder.glob("*.jsonl"), reverse=True):
            if before is not None and first_of(file) >= before:
                continue
            for line in reversed(list(lines_of(file))):
                link = link_of(line)
                if link is None:
                    raise AuditError(
                        f"{file} holds a line that is no record. Compare it with a backup."
                    )
                if before is None or link.record.number < before:
                    yield link.record
    except OSError as error:
        raise AuditError(
            f"The audit record in {folder} can't be read: {error}. Give this user the right to."
        ) from error
