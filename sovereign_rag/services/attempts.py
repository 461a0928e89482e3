"""Failed attempts to prove who one is, on the record without letting their number fill the disk.

The first attempt of a source in a minute is recorded at once, what follows is counted and summed
up when the minute is over. Of more sources in a minute than can be named, the sum is told.
"""

import ipaddress
import logging
import re
import threading
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final, Literal

from sovereign_rag.access import DEFAULT_TENANT
from sovereign_rag.catalog.database import Clock, utc_now
from sovereign_rag.catalog.keys import key_id_of
from sovereign_rag.catalog.records import AuditEntry
from sovereign_rag.errors import AuditError
from sovereign_rag.storage.audit import AuditTrail

log = logging.getLogger(__name__)

Offered = Literal["key", "session", "form", "token"]
"""How somebody tried: in a header, in a cookie, at the page's form, through a front end."""

FAILED: Final = "sign_in.failed"
MOST_SOURCES: Final = 20  # named in a minute
MINUTE_S: Final = 60.0

_KEY_ID = re.compile(r"[0-9a-f]{12}")
_OTHERS: Final = "others"


class FailedAttempts:
    """Counts what failed; at most 41 records a minute, whatever is tried, and from wherever."""

    def __init__(
        self, audit: AuditTrail, *, clock: Clock = utc_now, minute_s: float = MINUTE_S
    ) -> None:
        self._audit, self._clock, self._minute_s = audit, clock, minute_s
        self._guard = threading.Lock()
        self._named: set[str] = set()  # sources of this minute
        self._more: Counter[str] = Counter()  # attempts of theirs after the first
        self._timer: threading.Timer | None = None

    def note(self, address: str | None, offered: Offered, secret: str = "") -> None:
        """Somebody failed who called from `address`; the secret they offered is not recorded.

        Only the public id of a key, where it looks like one, says which key was tried. That it
        can't be recorded changes nothing for who failed: they get nothing in any case.
        """
        source = source_of(address)
        with self._guard:
            if self._timer is None:
                self._timer = threading.Timer(self._minute_s, self.sum_up)
                self._timer.daemon = True
                self._timer.start()
            is_first = source not in self._named and len(self._named) < MOST_SOURCES
            if is_first:
                self._named.add(source)
            else:
                self._more[source if source in self._named else _OTHERS] += 1
        if is_first:
            key_id = key_id_of(secret)
            key = {"key": key_id} if _KEY_ID.fullmatch(key_id) else {}
            self._record(source, {"offered": offered, "attempts": 1, **key})

    def sum_up(self) -> None:
        """Record what was counted since the minute began; the next attempt begins another."""
        with self._guard:
            if self._timer is not None:
                self._timer.cancel()
            more = self._more
            self._named, self._more, self._timer = set(), Counter(), None
        for source, attempts in more.items():
            self._record(source, {"attempts": attempts, "within_s": self._minute_s})

    def _record(self, source: str, detail: Mapping[str, Any]) -> None:
        by = {"address": source}
        entry = AuditEntry(self._clock(), FAILED, DEFAULT_TENANT, "nobody", detail, by)
        try:
            self._audit.append(entry)
        except AuditError as problem:
            log.error("A failed attempt from %s is not on the record: %s", source, problem)


def source_of(address: str | None) -> str:
    """Who is counted as one: an IPv4 address, or the network that one IPv6 customer is given."""
    try:
        parsed = ipaddress.ip_address((address or "").partition("%")[0])
    except ValueError:
        return "unknown"
    if parsed.version == 4 or parsed.is_loopback:
        return str(parsed)
    return str(ipaddress.ip_network((parsed, 64), strict=False))
