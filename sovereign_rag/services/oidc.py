"""A token of the organisation's directory -> the person whom it names.

The one address that the settings name is asked for the directory's public keys, and nothing else
is contacted. What is not known opens nothing: another issuer or audience, a key that the directory
does not show, a directory that can't be reached once what is known of its keys is too old.
"""

import json
import logging
import ssl
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final

import httpx
from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import Key, KeySet

from sovereign_rag.access import HIGHEST_LEVEL, Caller, Principal
from sovereign_rag.errors import BadInput, DirectoryLost, Forbidden, Unauthenticated
from sovereign_rag.services.directory_names import groups_of, roles_of
from sovereign_rag.services.newest_claims import NewestClaims
from sovereign_rag.services.tokens import verified_claims
from sovereign_rag.settings.identity import OidcSettings

log = logging.getLogger(__name__)

_MOST_BYTES: Final = 256 << 10  # of a set of keys
_LEAST_PAUSE_S: Final = 10.0  # between two fetches, whatever tokens come in
_OVERAGE: Final = frozenset({"_claim_names", "hasgroups"})
"""Claims that say that the groups did not fit into the token."""


class TokenDirectory:
    """Says who a token's person is; threads may ask at the same time."""

    def __init__(
        self,
        settings: OidcSettings,
        *,
        newest: NewestClaims | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`settings` name an issuer, `newest` knows what later tokens say; `clock`: seconds."""
        self._settings, self._newest, self._clock = settings, newest, clock
        self._fetching = threading.Lock()
        self._keys: dict[str, Key] = {}
        self._fetched: float | None = None  # when the keys came
        self._tried: float | None = None

    def principal_for(self, token: str) -> Principal:
        """Whom a token names.

        Raises:
            Unauthenticated: It does not hold, or names nobody.
            Forbidden: It does not say what its person may read, so that is nothing.
            DirectoryLost: Nobody knows, for now.
        """
        return self.person(self.claims(token, audience=self._settings.audience or ""))

    def claims(self, token: str, *, audience: str) -> Mapping[str, Any]:
        """What a token claims, once it holds. Raises as `principal_for`, except Forbidden."""
        settings = self._settings
        return verified_claims(
            token,
            self._key(token),
            settings.algorithms,
            what="The token",
            issuer=settings.issuer or "",
            audience=audience,
            clock_skew_s=settings.clock_skew_s,
        )

    def person(self, claims: Mapping[str, Any]) -> Principal:
        """Whom claims name that hold. Raises Unauthenticated and Forbidden as `principal_for`."""
        person = _person(claims, self._settings)
        if self._newest is not None:
            self._newest.admit(person, claims)
        return person

    def _key(self, token: str) -> Key:
        """The key that a token says it is signed with, if the directory shows it."""
        try:
            header = jws.extract_compact(token.encode("utf-8", "replace")).headers()
        except (JoseError, ValueError) as error:
            raise Unauthenticated("The token is none: it can't be taken apart.") from error
        kid, algorithm = header.get("kid"), header.get("alg")
        if algorithm not in self._settings.algorithms:
            raise Unauthenticated("The token is signed in a way that the settings don't name.")
        key = self._known(kid) or (self._known(kid, again=True) if kid is not None else None)
        if key is None or key.get("alg") not in {None, algorithm}:
            raise Unauthenticated("The token is signed with a key that the directory doesn't show.")
        return key

    def _known(self, kid: object, *, again: bool = False) -> Key | None:
        """A key of the directory by its id; `again`: fetched anew, for keys are rotated."""
        with self._fetching:
            now = self._clock()
            if (again or self._is_stale(now)) and self._may_try(now):
                self._tried = now
                try:
                    self._keys, self._fetched = self._fetch(), now
                except (httpx.HTTPError, OSError, LookupError, ValueError, JoseError) as error:
                    log.warning("The directory's keys could not be fetched: %s", error)
            if self._is_stale(now):
                raise DirectoryLost(
                    f"The directory's keys can't be had from {self._settings.jwks_url}, so that no "
                    "token can be verified. Try again, or ask the admin to look at that address."
                )
            if kid is None:  # it need not be named where there is but one
                return next(iter(self._keys.values())) if len(self._keys) == 1 else None
            return self._keys.get(kid) if isinstance(kid, str) else None

    def _is_stale(self, now: float) -> bool:
        return self._fetched is None or now - self._fetched >= self._settings.keys_max_age_s

    def _may_try(self, now: float) -> bool:
        return self._tried is None or now - self._tried >= _LEAST_PAUSE_S

    def _fetch(self) -> dict[str, Key]:
        """The directory's public keys for signatures, by id."""
        content = bytearray()
        with (
            asked_of(self._settings) as client,
            client.stream("GET", self._settings.jwks_url or "") as response,
        ):
            if response.status_code != httpx.codes.OK:
                raise ValueError(f"it answered {response.status_code}")
            for piece in response.iter_bytes():
                content += piece
                if len(content) > _MOST_BYTES:
                    raise ValueError("it sent more than a set of keys")
        shown = json.loads(bytes(content))
        signing = [k for k in shown["keys"] if k.get("use", "sig") == "sig" and k["kty"] != "oct"]
        return {key.kid or "": key for key in KeySet.import_key_set({"keys": signing}).keys}


def asked_of(settings: OidcSettings) -> httpx.Client:
    """A way to the addresses that the settings name, and to no other. Raises OSError."""
    return httpx.Client(
        verify=ssl.create_default_context(cafile=settings.ca_file),
        trust_env=False,  # no proxy, whatever the environment says
        follow_redirects=False,
        timeout=settings.timeout_s,
    )


def _person(claims: Mapping[str, Any], settings: OidcSettings) -> Principal:
    user, clearance = claims.get(settings.user_claim), claims.get(settings.clearance_claim, 0)
    if not isinstance(user, str):
        raise Unauthenticated(f"The token names nobody: no text in {settings.user_claim!r}.")
    if isinstance(clearance, bool) or not isinstance(clearance, int):
        raise Forbidden(f"The token's clearance, {settings.clearance_claim!r}, is no number.")
    listed = claims.get(settings.roles_claim) if settings.roles_claim else None
    named = map(str, listed) if isinstance(listed, list) else ()
    roles, curates = roles_of(named, settings.roles_rename)
    try:
        return Principal(
            user=user,
            roles=roles,
            curates=curates,
            groups=_groups(claims, settings),
            tenant=_tenant(claims, settings),
            clearance=max(0, min(clearance, HIGHEST_LEVEL)),
            caller=Caller(issuer=settings.issuer),
        )
    except BadInput as error:
        raise Unauthenticated(f"The token names nobody: {error}") from error


def _groups(claims: Mapping[str, Any], settings: OidcSettings) -> frozenset[str]:
    listed = claims.get(settings.groups_claim)
    if listed is None and _OVERAGE & claims.keys():
        raise Forbidden(
            "The token says that its person has more groups than fit into it, so none are known "
            "and nothing can be read. Let the directory send the groups of this service alone."
        )
    if not isinstance(listed, list) or not all(isinstance(name, str) for name in listed):
        raise Forbidden(
            f"The token lists no groups in {settings.groups_claim!r}, so its person reads nothing. "
            "Let the directory send that claim, or name another in identity.oidc.groups_claim."
        )
    return groups_of(listed, settings.groups_rename)


def _tenant(claims: Mapping[str, Any], settings: OidcSettings) -> str:
    if settings.tenant_claim is None:
        return settings.tenant
    tenant = claims.get(settings.tenant_claim)
    if not isinstance(tenant, str):
        raise Forbidden(
            f"The token names no tenant in {settings.tenant_claim!r}: its person reads nothing."
        )
    return tenant
