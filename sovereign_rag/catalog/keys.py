"""API keys: who a program is, as long as nobody revokes it."""

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from contextlib import suppress
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, insert, or_, select, update
from sqlalchemy.engine import RowMapping

from sovereign_rag.access import DEFAULT_TENANT, HIGHEST_LEVEL, Principal
from sovereign_rag.catalog.database import CatalogPart
from sovereign_rag.catalog.records import KeyRecord
from sovereign_rag.catalog.tables import api_keys
from sovereign_rag.errors import BadInput, CatalogError, NotFound, Unauthenticated

PREFIX: Final = "srag"
_USE_NOTED_EVERY = timedelta(minutes=1)
_REFUSED: Final = (
    "The key is not valid: it is misspelt, expired or revoked. An admin makes a new one with "
    "`sovereign-rag keys create`."
)
_NO_HASH: Final = "0" * 64


class Keys(CatalogPart):
    """A secret is `srag_ID_RANDOM`: the id is public and unique, of the whole a hash is kept."""

    def create(
        self,
        name: str,
        user: str,
        *,
        groups: Iterable[str] = (),
        tenant: str = DEFAULT_TENANT,
        clearance: int = 0,
        is_admin: bool = False,
        expires: datetime | None = None,
    ) -> tuple[KeyRecord, str]:
        """Make a key for `user`.

        Returns:
            Its record, and the secret, which can't be had again.

        Raises:
            BadInput: A name that can't be, a clearance out of range, or a past expiry.
        """
        now = self._clock()
        principal = Principal(user, frozenset(groups), tenant, clearance, is_admin=is_admin)
        if not name.strip():
            raise BadInput("A key needs a name that says what it is for.")
        if not 0 <= clearance <= HIGHEST_LEVEL:
            raise BadInput(f"A clearance lies between 0 and {HIGHEST_LEVEL}, got {clearance}.")
        if expires is not None and expires <= now:
            raise BadInput("The key would have expired already; give a later date.")
        record = KeyRecord(
            id=secrets.token_hex(6),
            name=name.strip(),
            tenant=principal.tenant,
            user=principal.user,
            groups=principal.groups,
            clearance=clearance,
            is_admin=is_admin,
            created=now,
            expires=expires,
            revoked=None,
        )
        secret = f"{PREFIX}_{record.id}_{secrets.token_urlsafe(32)}"
        with self._database.writing() as connection:
            connection.execute(
                insert(api_keys).values(
                    id=record.id,
                    secret_hash=digest(secret),
                    name=record.name,
                    tenant=record.tenant,
                    user=record.user,
                    groups=sorted(record.groups),
                    clearance=clearance,
                    is_admin=is_admin,
                    created=now,
                    expires=expires,
                )
            )
        return record, secret

    def principal_for(self, secret: str) -> Principal:
        """Whom a key stands for.

        Raises:
            Unauthenticated: The key is unknown, expired or revoked; nobody learns which.
        """
        now = self._clock()
        statement = select(api_keys).where(api_keys.c.id == key_id_of(secret), key_is_valid(now))
        with self._database.reading() as connection:
            row = connection.execute(statement).mappings().first()
        # Compared also where there is no such id, and in a time that no prefix shortens.
        expected = _NO_HASH if row is None else row["secret_hash"]
        if not hmac.compare_digest(expected, digest(secret)) or row is None:
            raise Unauthenticated(_REFUSED)
        self._note_use(row, now)
        return principal_of(row)

    def in_tenant(self, tenant: str) -> list[KeyRecord]:
        """All keys of a tenant, revoked ones too, oldest first."""
        statement = (
            select(api_keys)
            .where(api_keys.c.tenant == tenant)
            .order_by(api_keys.c.created, api_keys.c.id)
        )
        with self._database.reading() as connection:
            return [_record(row) for row in connection.execute(statement).mappings()]

    def revoke(self, key_id: str) -> KeyRecord:
        """End a key now, and every session that was begun with it; a second time changes nothing.

        Raises:
            NotFound: There is no key of that id.
        """
        with self._database.writing() as connection:
            connection.execute(
                update(api_keys)
                .where(api_keys.c.id == key_id, api_keys.c.revoked.is_(None))
                .values(revoked=self._clock())
            )
            row = (
                connection.execute(select(api_keys).where(api_keys.c.id == key_id))
                .mappings()
                .first()
            )
        if row is None:
            raise NotFound(
                f"There is no key {key_id!r}; `sovereign-rag keys list` shows those there are."
            )
        return _record(row)

    def _note_use(self, row: RowMapping, now: datetime) -> None:
        before = now - _USE_NOTED_EVERY
        if row["last_used"] is not None and row["last_used"] > before:
            return
        stale = or_(api_keys.c.last_used.is_(None), api_keys.c.last_used <= before)
        # A note for the admin: that it can't be written now is no reason to turn a caller away.
        with suppress(CatalogError), self._database.writing() as connection:
            connection.execute(
                update(api_keys).where(api_keys.c.id == row["id"], stale).values(last_used=now)
            )


def key_id_of(secret: str) -> str:
    """The public id in a secret; "" where there is none."""
    prefix, _, rest = secret.partition("_")
    key_id, separator, _ = rest.partition("_")
    return key_id if prefix == PREFIX and separator else ""


def key_is_valid(now: datetime) -> ColumnElement[bool]:
    """Neither revoked nor expired."""
    in_time = or_(api_keys.c.expires.is_(None), api_keys.c.expires > now)
    return api_keys.c.revoked.is_(None) & in_time


def digest(secret: str) -> str:
    """What is stored in place of a secret, hex.

    One plain SHA-256: slow hashes with salt protect secrets that can be guessed, and nobody
    guesses 256 random bits. A fast one keeps the cost of a wrong key small.
    """
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()


def principal_of(row: RowMapping) -> Principal:
    """Whom a row of keys or sessions stands for; never the owner of the data folder."""
    return Principal(
        user=row["user"],
        groups=frozenset(row["groups"]),
        tenant=row["tenant"],
        clearance=row["clearance"],
        is_admin=row["is_admin"],
    )


def _record(row: RowMapping) -> KeyRecord:
    values = {name: row[name] for name in KeyRecord.__dataclass_fields__}
    return KeyRecord(**{**values, "groups": frozenset(row["groups"])})
