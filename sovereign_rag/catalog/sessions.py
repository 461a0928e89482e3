"""Sessions of the page: a token in a cookie, in place of the key that was shown once."""

import secrets
from dataclasses import dataclass, replace
from datetime import timedelta

from sqlalchemy import and_, delete, exists, insert, or_, select
from sqlalchemy.engine import RowMapping

from sovereign_rag.access import Principal
from sovereign_rag.catalog.database import CatalogPart
from sovereign_rag.catalog.keys import digest, key_is_valid, powers_columns, principal_of
from sovereign_rag.catalog.tables import api_keys, sessions
from sovereign_rag.errors import Forbidden, Unauthenticated


@dataclass(frozen=True, slots=True)
class Vouched:
    """By which directory a session was begun, and as what that knows it."""

    issuer: str
    subject: str
    sid: str | None = None


class Sessions(CatalogPart):
    """Only the hash of a token is kept; a token is 256 random bits."""

    def create(
        self,
        principal: Principal,
        hours: float,
        *,
        key_id: str | None,
        vouched: Vouched | None = None,
    ) -> str:
        """Begin a session.

        Args:
            hours: How long it lasts.
            key_id: The key that it was begun with, see `keys.key_id_of`: the session ends when
                the key does. None: it hangs on no key.
            vouched: The directory that it was begun by, which may end it.

        Returns:
            The token.

        Raises:
            Forbidden: The owner of the data folder acts at the command line alone, and a front
                end has no eyes.
        """
        if principal.is_owner:
            raise Forbidden("The owner has no session; sign in with a key of your own.")
        if principal.front_end is not None:
            raise Forbidden("A front end's key signs nobody in; take a key of your own.")
        now = self._clock()
        token = secrets.token_urlsafe(32)
        with self._database.writing() as connection:
            connection.execute(delete(sessions).where(sessions.c.expires <= now))
            connection.execute(
                insert(sessions).values(
                    token_hash=digest(token),
                    key_id=key_id,
                    tenant=principal.tenant,
                    user=principal.user,
                    groups=sorted(principal.groups),
                    clearance=principal.clearance,
                    **powers_columns(principal),
                    created=now,
                    expires=now + timedelta(hours=hours),
                    issuer=vouched and vouched.issuer,
                    subject=vouched and vouched.subject,
                    sid=vouched and vouched.sid,
                )
            )
        return token

    def principal_for(self, token: str) -> Principal:
        """Whom a session stands for.

        Raises:
            Unauthenticated: It is unknown, over or ended, or its key is; nobody learns which.
        """
        now = self._clock()
        key_holds = or_(
            sessions.c.key_id.is_(None),
            exists().where(api_keys.c.id == sessions.c.key_id, key_is_valid(now)),
        )
        statement = select(sessions).where(
            sessions.c.token_hash == digest(token), sessions.c.expires > now, key_holds
        )
        with self._database.reading() as connection:
            row = connection.execute(statement).mappings().first()
        if row is None:
            raise Unauthenticated("The session is over. Sign in again.")
        return _vouched(row)

    def vouched_people(self, tenant: str) -> list[Principal]:
        """Whom a directory vouches for in sessions that are not over."""
        its = and_(sessions.c.tenant == tenant, sessions.c.issuer.is_not(None))
        statement = select(sessions).where(its, sessions.c.expires > self._clock())
        with self._database.reading() as connection:
            rows = connection.execute(statement).mappings().all()
        return [_vouched(row) for row in rows]

    def end(self, token: str) -> None:
        """Sign out; a token that is none is no error."""
        with self._database.writing() as connection:
            connection.execute(delete(sessions).where(sessions.c.token_hash == digest(token)))

    def end_all(self) -> None:
        """Sign everybody out."""
        with self._database.writing() as connection:
            connection.execute(delete(sessions))

    def end_vouched(self, vouched: Vouched) -> int:
        """End the session that a directory names, or all of a person's; gives how many ended."""
        its = sessions.c.issuer == vouched.issuer
        if vouched.sid is not None:
            its &= sessions.c.sid == vouched.sid
        if vouched.subject:
            its &= sessions.c.subject == vouched.subject
        with self._database.writing() as connection:
            return connection.execute(delete(sessions).where(its)).rowcount


def _vouched(row: RowMapping) -> Principal:
    """Whom a session stands for, with the directory that vouches for them, if one does."""
    principal = principal_of(row, key=row["key_id"])
    return replace(principal, caller=replace(principal.caller, issuer=row["issuer"]))
