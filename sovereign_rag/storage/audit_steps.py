"""An act on the record: that it begins, before it does, and how it ended."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sovereign_rag.access import Principal
from sovereign_rag.errors import SovereignError
from sovereign_rag.storage.audit import AuditTrail, entry


@contextmanager
def on_record(
    audit: AuditTrail, action: str, principal: Principal, detail: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    """Record `action`, let it happen, record `action.done`, or `action.failed` with the reason.

    Yields:
        What the end is to tell beside `detail`, to be filled in.

    Raises:
        AuditError: That it begins can't be recorded, and nothing happens; or its end can't be.
    """
    audit.append(entry(action, principal, detail))
    outcome: dict[str, Any] = {}
    try:
        yield outcome
    except BaseException as error:  # also an interrupt: what it left is told as what it is
        code = error.code if isinstance(error, SovereignError) else type(error).__name__
        failure = {**detail, **outcome, "error": code, "reason": str(error)}
        audit.append(entry(f"{action}.failed", principal, failure))
        raise
    audit.append(entry(f"{action}.done", principal, {**detail, **outcome}))
