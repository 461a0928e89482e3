"""People by the organisation's LDAP directory: signed in by it, and in the groups it says now.

    a name and a password -> a bind as that entry -> their groups -> the catalog -> a session
    each request -> what the catalog knows, asked anew once it is older than `refresh_s`

What is known of somebody counts for `max_age_s` while the directory can't be reached; after that,
and of somebody whom it doesn't know any more, nobody is let in.
"""

import hashlib
import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from limits import parse
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

from sovereign_rag.access import HIGHEST_LEVEL, Principal, is_name
from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.catalog.database import Clock, utc_now
from sovereign_rag.catalog.directory_people import DirectoryRecord
from sovereign_rag.catalog.records import AuditEntry
from sovereign_rag.catalog.sessions import Vouched
from sovereign_rag.errors import Busy, DirectoryLost, Unauthenticated
from sovereign_rag.ldap.connection import LdapConnection, connected, is_password
from sovereign_rag.ldap.people import DirectoryPerson, find_person, named, typed
from sovereign_rag.roles import READER_ALONE
from sovereign_rag.services.directory_names import groups_of, roles_of
from sovereign_rag.settings.ldap import LdapSettings
from sovereign_rag.storage.audit import AuditTrail

log = logging.getLogger(__name__)

_PAUSE_S: Final = 5.0  # after the directory could not be asked
_WRONG: Final = "The directory does not know this name with this password."
_GUESSES: Final = parse("10 per 5 minutes")  # at one name
_NOT_READ_BY: Final = {"timeout_s", "page_size", "refresh_s", "max_age_s", "ca_file"}


@dataclass(frozen=True, slots=True)
class Refreshed:
    """What asking about everybody anew came to."""

    people: int
    changed: tuple[str, ...]
    gone: tuple[str, ...]


class LdapDirectory:
    """One directory that the settings name; threads may ask at the same time."""

    def __init__(
        self,
        settings: LdapSettings,
        *,
        catalog: Catalog,
        audit: AuditTrail,
        clock: Clock = utc_now,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        """`clock` dates what was asked; `seconds` counts between two tries."""
        self._settings, self._catalog, self._audit = settings, catalog, audit
        self._clock, self._seconds = clock, seconds
        self._asking = threading.Lock()
        self._lost: tuple[float, DirectoryLost] | None = None  # since when, and why
        self._unknown: dict[str, float] = {}  # names that it did not know, and when
        self._guesses = FixedWindowRateLimiter(MemoryStorage())
        read_by = settings.model_dump_json(exclude=_NOT_READ_BY)
        self._asked_as = hashlib.sha256(read_by.encode()).hexdigest()

    @property
    def issuer(self) -> str:
        """The directory's address: what sessions and keys name it by."""
        return self._settings.url or ""

    def sign_in(self, user: str, password: str) -> tuple[Principal, Vouched]:
        """Who has this name and password.

        Raises:
            Unauthenticated: Nobody has.
            Busy: Too many were tried for this name.
            DirectoryLost: The directory can't be asked.
        """
        user = user.strip()
        if not self._guesses.hit(_GUESSES, user.casefold()):
            raise Busy("Too many tries for this name. Wait five minutes.", retry_after_s=300)
        with connected(self._settings) as directory:
            person = find_person(directory, typed(user, self._settings), self._settings)
        if person is None or not is_password(self._settings, person.dn, password):
            raise Unauthenticated(_WRONG)
        record = self._keep(person)
        self._guesses.clear(_GUESSES, user.casefold())
        return record.principal, Vouched(issuer=self.issuer, subject=record.dn)

    def current(self, known: Principal) -> Principal:
        """Somebody of this directory with the groups and roles that they have now.

        Raises:
            Unauthenticated: The directory doesn't know them any more.
            DirectoryLost: It can't be asked, and what is known is too old.
        """
        record = self._record_of(known.user)
        if record is None:
            raise Unauthenticated("The directory knows nobody of this name any more.")
        return replace(record.principal, caller=known.caller)

    def refresh(self, users: Sequence[str] = (), *, due: timedelta | None = None) -> Refreshed:
        """Ask about everybody who came in by the directory, or about `users`.

        Args:
            due: Only about those who were last asked about that long ago.

        Raises:
            DirectoryLost: It can't be asked; everything stays as it was known.
        """
        before = None if due is None else self._clock() - due
        known = self._catalog.directory_people.known(self.issuer, before=before)
        wanted = [one for one in known if not users or one.user in users]
        changed, gone = list[str](), list[str]()
        if wanted:
            with connected(self._settings) as directory:
                for before_it in wanted:
                    after = self._asked(directory, before_it.user)
                    if after is None:
                        gone.append(before_it.user)
                    elif after.rights != before_it.rights:
                        changed.append(before_it.user)
        return Refreshed(len(wanted), tuple(changed), tuple(gone))

    def keep_fresh(self, stop: threading.Event) -> None:
        """Ask anew about whom it is time to, until `stop`; well within `refresh_s`."""
        every_s = self._settings.refresh_s / 4
        due = timedelta(seconds=self._settings.refresh_s / 2)
        while not stop.wait(every_s):
            try:
                self.refresh(due=due)
            except Exception as trouble:  # the thread has to outlive whatever it meets
                log.warning("The directory could not be asked anew: %s", trouble)

    def look(self, user: str) -> tuple[DirectoryPerson, Principal] | None:
        """Somebody as the directory has them at this moment, and as that counts here.

        Nothing is kept of it.

        Raises:
            DirectoryLost: It can't be asked.
        """
        with connected(self._settings) as directory:
            person = find_person(directory, typed(user, self._settings), self._settings)
        return None if person is None else (person, self._made(person).principal)

    def check(self) -> None:
        """Raises DirectoryLost: It can't be asked."""
        with connected(self._settings) as directory:
            find_person(directory, typed("nobody-of-this-name", self._settings), self._settings)

    def lasts_until(self) -> str:
        """Until when somebody gets in without the directory, in words for the doctor."""
        known = self._catalog.directory_people.known(self.issuer)
        last = max((one.asked for one in known if one.asked_as == self._asked_as), default=None)
        if last is None:
            return "now: nobody is known"
        until = last + timedelta(seconds=self._settings.max_age_s)
        return f"{until:%Y-%m-%d %H:%M:%S} UTC at the latest"

    def _record_of(self, user: str) -> DirectoryRecord | None:
        record = self._catalog.directory_people.get(self.issuer, user)
        if record is not None and record.asked_as != self._asked_as:
            record = None  # read by other settings: whom those let in, these may not
        age = None if record is None else (self._clock() - record.asked).total_seconds()
        if age is not None and age < self._settings.refresh_s:
            return record
        try:
            return self._ask_about(user)
        except DirectoryLost:
            if age is not None and age < self._settings.max_age_s:
                return record
            raise

    def _ask_about(self, user: str) -> DirectoryRecord | None:
        """Ask now; one at a time, and not at once again where that went wrong."""
        with self._asking:
            now = self._seconds()
            if self._lost is not None and now - self._lost[0] < _PAUSE_S:
                raise self._lost[1]
            if now - self._unknown.get(user, -_PAUSE_S) < _PAUSE_S:
                return None
            try:
                with connected(self._settings) as directory:
                    record = self._asked(directory, user)
            except DirectoryLost as lost:
                self._lost = (now, lost)
                raise
            self._lost = None
            recent = {name: at for name, at in self._unknown.items() if now - at < _PAUSE_S}
            self._unknown = recent if record is not None else {**recent, user: now}
            return record

    def _asked(self, directory: LdapConnection, user: str) -> DirectoryRecord | None:
        person = find_person(directory, named(user, self._settings), self._settings)
        if person is not None:
            return self._keep(person)
        before = self._catalog.directory_people.get(self.issuer, user)
        if before is not None:
            self._told("directory.gone", before)
            self._catalog.directory_people.forget(self.issuer, user)
            self._catalog.sessions.end_vouched(Vouched(self.issuer, before.dn))
        return None

    def _keep(self, person: DirectoryPerson) -> DirectoryRecord:
        """What is known of somebody from now on; a change is on the record before it counts."""
        record = self._made(person)
        before = self._catalog.directory_people.get(self.issuer, record.user)
        if before is None or before.rights != record.rights:
            self._told("directory.person", record)
        self._catalog.directory_people.put(record)
        if before is not None and before.dn != record.dn:  # perhaps another person of that name
            self._catalog.sessions.end_vouched(Vouched(self.issuer, before.dn))
        return record

    def _made(self, person: DirectoryPerson) -> DirectoryRecord:
        rules = self._settings.roles_rename
        roles, curates = (
            roles_of(person.groups, rules) if rules else (READER_ALONE, frozenset[str]())
        )
        groups = groups_of(person.groups, self._settings.groups_rename)
        if not is_name(person.user):
            raise Unauthenticated(
                f"{person.user!r} can't name a person here: identity.ldap.user_attribute names "
                "an attribute with letters, digits and . _ @ + - alone."
            )
        return DirectoryRecord(
            issuer=self.issuer,
            user=person.user,
            dn=person.dn,
            tenant=self._settings.tenant,
            groups=frozenset(filter(is_name, groups)),  # others can't stand among readers
            roles=roles,
            curates=curates,
            clearance=max(0, min(person.clearance, HIGHEST_LEVEL)),
            asked=self._clock(),
            asked_as=self._asked_as,
        )

    def _told(self, what: str, record: DirectoryRecord) -> None:
        detail = {
            "user": record.user,
            "groups": sorted(record.groups),
            "roles": sorted(record.roles),
            "clearance": record.clearance,
            "issuer": self.issuer,
        }
        self._audit.append(AuditEntry(datetime.now(UTC), what, record.tenant, "system", detail))
