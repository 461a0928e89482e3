"""API keys: who a program is, as long as nobody revokes it."""

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, Final, TypedDict

from sqlalchemy import ColumnElement, Connection, insert, or_, select, update
from sqlalchemy.engine import RowMapping

from sovereign_rag.access import DEFAULT_TENANT, HIGHEST_LEVEL, Caller, Principal
from sovereign_rag.catalog.database import CatalogPart
from sovereign_rag.catalog.records import KeyRecord
from sovereign_rag.catalog.tables import api_keys
from sovereign_rag.errors import BadInput, CatalogError, KeyReused, NotFound, Unauthenticated
from sovereign_rag.roles import Role, Scope, reaches_named, scopes_named

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
        role: Role = Role.READER,
        scopes: Iterable[str] | None = None,
        curates: Iterable[str] = (),
        expires: datetime | None = None,
        front_end: str | None = None,
        id_: str | None = None,
    ) -> tuple[KeyRecord, str]:
        """Make a key for `user`; or for a front end, whose people it speaks for.

        Of a front end's key the groups and the clearance are the most that any of them has by it.

        Args:
            scopes: Those of the role that the key is held to; None: all of them.
            curates: What a curator looks after: `group:NAME`, `source:NAME`.
            id_: 12 hex digits that no key has yet; None: random ones.

        Returns:
            Its record, and the secret, which can't be had again.

        Raises:
            BadInput: A name that can't be, a clearance out of range, a past expiry, a scope that
                the role has not, a curator of nothing, or a front end that is no reader.
            KeyReused: A key has this id already.
        """
        now = self._clock()
        principal = Principal(
            user,
            frozenset(groups),
            tenant,
            clearance,
            roles=frozenset({role}),
            held_to=None if scopes is None else scopes_named(scopes, role),
            curates=reaches_named(curates, {role}),
        )
        if not name.strip():
            raise BadInput("A key needs a name that says what it is for.")
        if not 0 <= clearance <= HIGHEST_LEVEL:
            raise BadInput(f"A clearance lies between 0 and {HIGHEST_LEVEL}, got {clearance}.")
        if front_end is not None and role is not Role.READER:
            raise BadInput("A front end speaks for its readers; its key has the role reader.")
        if expires is not None and expires <= now:
            raise BadInput("The key would have expired already; give a later date.")
        record = KeyRecord(
            id=id_ or secrets.token_hex(6),
            name=name.strip(),
            tenant=principal.tenant,
            user=principal.user,
            groups=principal.groups,
            clearance=clearance,
            role=role,
            created=now,
            expires=expires,
            revoked=None,
            front_end=front_end,
            held_to=principal.held_to,
            curates=principal.curates,
        )
        secret = f"{PREFIX}_{record.id}_{secrets.token_urlsafe(32)}"
        with self._database.writing() as connection:  # writers take turns: nobody comes between
            _require_unused(connection, record.id)
            connection.execute(
                insert(api_keys).values(
                    id=record.id,
                    secret_hash=digest(secret),
                    name=record.name,
                    tenant=record.tenant,
                    user=record.user,
                    groups=sorted(record.groups),
                    clearance=clearance,
                    **powers_columns(principal),
                    front_end=front_end,
                    created=now,
                    expires=expires,
                )
            )
        return record, secret

    def require_unused(self, key_id: str) -> None:
        """Raises KeyReused: a key has this id already."""
        with self._database.reading() as connection:
            _require_unused(connection, key_id)

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
        return replace(principal_of(row, key=row["id"]), front_end=row["front_end"])

    def in_tenant(self, tenant: str) -> list[KeyRecord]:
        """All keys of a tenant, revoked ones too, oldest first."""
        statement = (
            select(api_keys)
            .where(api_keys.c.tenant == tenant)
            .order_by(api_keys.c.created, api_keys.c.id)
        )
        with self._database.reading() as connection:
            return [_record(row) for row in connection.execute(statement).mappings()]

    def get(self, key_id: str, *, tenant: str | None = None) -> KeyRecord:
        """One key, of `tenant` where that is said. Raises NotFound."""
        with self._database.reading() as connection:
            return _record(_row(connection, key_id, tenant))

    def revoke(self, key_id: str, *, tenant: str | None = None) -> KeyRecord:
        """End a key now, and every session that was begun with it; a second time changes nothing.

        Raises:
            NotFound: There is no key of that id, in `tenant` where that is said.
        """
        with self._database.writing() as connection:
            _row(connection, key_id, tenant)
            connection.execute(
                update(api_keys)
                .where(api_keys.c.id == key_id, api_keys.c.revoked.is_(None))
                .values(revoked=self._clock())
            )
            return _record(_row(connection, key_id, tenant))

    def end_by(self, key_id: str, at: datetime) -> None:
        """Let a key end at `at`, where it does not end before."""
        later = or_(api_keys.c.expires.is_(None), api_keys.c.expires > at)
        with self._database.writing() as connection:
            connection.execute(
                update(api_keys).where(api_keys.c.id == key_id, later).values(expires=at)
            )

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


def _row(connection: Connection, key_id: str, tenant: str | None) -> RowMapping:
    its = api_keys.c.id == key_id
    if tenant is not None:
        its &= api_keys.c.tenant == tenant
    row = connection.execute(select(api_keys).where(its)).mappings().first()
    if row is None:
        raise NotFound(
            f"There is no key {key_id!r}; `sovereign-rag keys list` shows those there are."
        )
    return row


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


def principal_of(row: RowMapping, *, key: str | None) -> Principal:
    """Whom a row of keys or sessions stands for; never the owner of the data folder."""
    return Principal(
        user=row["user"],
        groups=frozenset(row["groups"]),
        tenant=row["tenant"],
        clearance=row["clearance"],
        **_powers(row),
        caller=Caller(key=key),
    )


class _Powers(TypedDict):
    roles: frozenset[Role]
    held_to: frozenset[Scope] | None
    curates: frozenset[str]


def powers_columns(principal: Principal) -> dict[str, Any]:
    """What a row of keys or sessions keeps of what somebody may do."""
    return {
        # Read by processes of the version before, while a cluster is brought up to date.
        "is_admin": principal.is_admin,
        "roles": sorted(principal.roles),
        "held_to": None if principal.held_to is None else sorted(principal.held_to),
        "curates": sorted(principal.curates),
    }


def _powers(row: RowMapping) -> _Powers:
    by_flag = [Role.ADMIN if row["is_admin"] else Role.READER]
    held_to = row["held_to"]
    return {
        "roles": frozenset(Role(name) for name in row["roles"] or by_flag),
        "held_to": None if held_to is None else frozenset(Scope(name) for name in held_to),
        "curates": frozenset(row["curates"] or ()),
    }


def _record(row: RowMapping) -> KeyRecord:
    powers = _powers(row)
    (role,) = powers["roles"]
    return KeyRecord(
        id=row["id"],
        name=row["name"],
        tenant=row["tenant"],
        user=row["user"],
        groups=frozenset(row["groups"]),
        clearance=row["clearance"],
        role=role,
        created=row["created"],
        expires=row["expires"],
        revoked=row["revoked"],
        last_used=row["last_used"],
        front_end=row["front_end"],
        held_to=powers["held_to"],
        curates=powers["curates"],
    )


def _require_unused(connection: Connection, key_id: str) -> None:
    if connection.execute(select(api_keys.c.id).where(api_keys.c.id == key_id)).first():
        raise KeyReused(
            f"The key {key_id} was made already, and its secret shown. Replace it where that was "
            "not copied: `sovereign-rag keys rotate`."
        )
