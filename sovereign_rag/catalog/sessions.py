"""Sessions of the page: a token in a cookie, in place of the key that was shown once."""

import secrets
from datetime import timedelta

from sqlalchemy import delete, exists, insert, or_, select

from sovereign_rag.access import Principal
from sovereign_rag.catalog.database import CatalogPart
from sovereign_rag.catalog.keys import digest, key_is_valid, principal_of
from sovereign_rag.catalog.tables import api_keys, sessions
from sovereign_rag.errors import Forbidden, Unauthenticated


class Sessions(CatalogPart):
    """Only the hash of a token is kept; a token is 256 random bits."""

    def create(self, principal: Principal, hours: float, *, key_id: str | None) -> str:
        """Begin a session.

        Args:
            hours: How long it lasts.
            key_id: The key that it was begun with, see `keys.key_id_of`: the session ends when
                the key does. None: it hangs on no key.

        Returns:
            The token.

        Raises:
            Forbidden: The owner of the data folder acts at the command line alone.
        """
        if principal.is_owner:
            raise Forbidden("The owner has no session; sign in with a key of your own.")
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
                    is_admin=principal.is_admin,
                    created=now,
                    expires=now + timedelta(hours=hours),
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
        return principal_of(row)

    def end(self, token: str) -> None:
        """Sign out; a token that is none is no error."""
        with self._database.writing() as connection:
            connection.execute(delete(sessions).where(sessions.c.token_hash == digest(token)))
