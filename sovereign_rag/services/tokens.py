"""Signed tokens (JWT): whether one holds, for everybody who takes one."""

from collections.abc import Mapping, Sequence
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import Key, KeySet
from joserfc.jwt import ClaimsOption

from sovereign_rag.errors import Unauthenticated


def verified_claims(
    token: str,
    key: Key | KeySet,
    algorithms: Sequence[str],
    *,
    what: str,
    issuer: str,
    audience: str | None,
    clock_skew_s: int,
) -> Mapping[str, Any]:
    """What a token claims, once its signature, issuer, audience and times hold.

    Args:
        algorithms: What it may be signed with, whatever its header says.
        what: The token, in words, for the refusal.
        audience: The `aud` that it must name; None: it may leave it out.

    Raises:
        Unauthenticated: It does not hold; why is told without what stands in it.
    """
    aud: ClaimsOption = {"essential": audience is not None}
    if audience is not None:
        aud["value"] = audience
    required = jwt.JWTClaimsRegistry(
        leeway=clock_skew_s,
        iss={"essential": True, "value": issuer},
        exp={"essential": True},
        aud=aud,
    )
    try:
        claims: dict[str, Any] = jwt.decode(token, key, algorithms=list(algorithms)).claims
        required.validate(claims)
    except (JoseError, ValueError) as error:
        reason = getattr(error, "error", type(error).__name__)
        raise Unauthenticated(f"{what} does not hold: {reason}.") from error
    return claims
