"""A front end's key and a signed token -> the person that it speaks for.

A plain header says nothing: whoever has the key could write anybody's name into it. What the token
claims is held within the key: its tenant, of its groups, up to its clearance, and never an admin.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from joserfc.errors import JoseError
from joserfc.jwk import KeySet, OctKey
from starlette.requests import Request

from sovereign_rag.access import Principal
from sovereign_rag.errors import BadInput, SettingsError, Unauthenticated
from sovereign_rag.services.tokens import verified_claims
from sovereign_rag.settings.front_ends import FrontEndSettings

_PUBLIC: Final = ["RS256", "PS256", "ES256", "EdDSA"]
_SHARED: Final = ["HS256"]


def person_behind(
    front_end: Principal, request: Request, known: Mapping[str, FrontEndSettings]
) -> Principal:
    """Whom a front end speaks for with this request.

    Args:
        front_end: As its key says.

    Raises:
        Unauthenticated: There is no token, or one that does not hold; or the settings know no such
            front end (any more).
    """
    name = front_end.front_end or ""
    settings = known.get(name)
    if settings is None:
        raise Unauthenticated(f"This key is a front end's, {name!r}, that the settings don't name.")
    token = request.headers.get(settings.header, "")
    if not token:
        raise Unauthenticated(
            f"This key speaks for people; who asks comes in a signed token in {settings.header}."
        )
    return _person(front_end, _claims(token, settings), settings)


def _claims(token: str, settings: FrontEndSettings) -> Mapping[str, Any]:
    key, algorithms = _key(settings)
    return verified_claims(
        token,
        key,
        algorithms,
        what=f"The token in {settings.header}",
        issuer=settings.issuer,
        audience=settings.audience,
        clock_skew_s=settings.clock_skew_s,
    )


def _key(settings: FrontEndSettings) -> tuple[OctKey | KeySet, list[str]]:
    """The key and what it may have signed with: a public key is never taken for a shared secret."""
    if settings.secret is not None:
        return OctKey.import_key(settings.secret.get_secret_value()), _SHARED
    assert settings.jwks is not None
    try:
        return KeySet.import_key_set(json.loads(settings.jwks.read_bytes())), _PUBLIC
    except (OSError, ValueError, JoseError) as error:
        raise SettingsError(f"The keys in {settings.jwks} can't be read: {error}") from error


def _person(
    front_end: Principal, claims: Mapping[str, Any], settings: FrontEndSettings
) -> Principal:
    user, listed = claims.get(settings.user_claim), claims.get(settings.groups_claim, [])
    clearance = claims.get(settings.clearance_claim, 0)
    if not isinstance(user, str) or not user:
        raise Unauthenticated(f"The token names nobody: it has no text in {settings.user_claim!r}.")
    if not isinstance(listed, list) or not isinstance(clearance, int):
        raise Unauthenticated("The token's groups are no list, or its clearance is no number.")
    try:
        return Principal(
            user=user,
            groups=front_end.groups & {one for one in listed if isinstance(one, str)},
            tenant=front_end.tenant,
            clearance=max(0, min(clearance, front_end.clearance)),
            held_to=front_end.held_to,
            caller=replace(front_end.caller, front_end=front_end.front_end),
        )
    except BadInput as error:
        raise Unauthenticated(f"The token names nobody: {error}") from error
