"""What somebody known tried and may not do, on the record; its number fills no disk."""

import logging
import threading
from typing import Final

from sovereign_rag.access import Principal
from sovereign_rag.catalog.database import Clock, utc_now
from sovereign_rag.errors import AuditError
from sovereign_rag.storage.audit import AuditTrail, entry

log = logging.getLogger(__name__)

REFUSED: Final = "refused"
_MOST_NAMED: Final = 50  # operations of one person in a minute


class Refusals:
    """Records the first refusal of a person and an operation in each minute."""

    def __init__(self, audit: AuditTrail, *, clock: Clock = utc_now) -> None:
        self._audit, self._clock = audit, clock
        self._guard = threading.Lock()
        self._minute = ""
        self._seen: dict[tuple[str, str], set[str]] = {}

    def note(self, principal: Principal, operation: str) -> None:
        """`principal` was refused `operation`. That it can't be recorded lets nobody in."""
        who = (principal.tenant, principal.label)
        with self._guard:
            minute = f"{self._clock():%Y-%m-%dT%H:%M}"
            if minute != self._minute:
                self._minute, self._seen = minute, {}
            operations = self._seen.setdefault(who, set())
            is_first = operation not in operations and len(operations) < _MOST_NAMED
            if is_first:
                operations.add(operation)
        if not is_first:
            return
        try:
            self._audit.append(entry(REFUSED, principal, {"operation": operation}))
        except AuditError as problem:
            log.error("A refusal of %s is not on the record: %s", operation, problem)
