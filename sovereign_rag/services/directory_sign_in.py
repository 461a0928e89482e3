"""Signing in on the page by the organisation's directory: authorization code with PKCE.

    our page -> the directory's page -> back with a code -> a signed ID token -> a session
    the directory signs somebody out -> a signed logout token -> their sessions end

The code and the token travel from this service to the one address that the settings name. What the
browser keeps meanwhile (`Pending`) opens nothing by itself.
"""

import base64
import hashlib
import hmac
import logging
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlencode

import httpx

from sovereign_rag.access import Principal
from sovereign_rag.catalog.sessions import Vouched
from sovereign_rag.errors import DirectoryLost, SettingsError, Unauthenticated
from sovereign_rag.services.oidc import TokenDirectory, asked_of
from sovereign_rag.settings.identity import OidcSettings

log = logging.getLogger(__name__)

_LOGOUT: Final = "http://schemas.openid.net/event/backchannel-logout"
_LOGOUT_AGE_S: Final = 300  # a logout token that is older says nothing any more


@dataclass(frozen=True, slots=True)
class Pending:
    """A sign-in that was begun; 256 random bits each, and where it goes on to."""

    state: str
    nonce: str
    verifier: str
    to: str

    @classmethod
    def begun(cls, to: str) -> "Pending":
        state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
        return cls(state, nonce, verifier, to)


class DirectorySignIn:
    """One directory that the settings name with a client id."""

    def __init__(self, settings: OidcSettings, directory: TokenDirectory) -> None:
        self._settings, self._directory = settings, directory

    def address(self, pending: Pending, back: str) -> str:
        """Where the browser goes, to come back to `back` with a code."""
        challenge = hashlib.sha256(pending.verifier.encode("ascii")).digest()
        asked = {
            "response_type": "code",
            "client_id": self._settings.client_id,
            "redirect_uri": back,
            "scope": " ".join(self._settings.scopes),
            "state": pending.state,
            "nonce": pending.nonce,
            "code_challenge": base64.urlsafe_b64encode(challenge).rstrip(b"=").decode("ascii"),
            "code_challenge_method": "S256",
        }
        return f"{self._settings.authorize_url}?{urlencode(asked)}"

    def finish(
        self, pending: Pending, *, state: str, code: str, back: str
    ) -> tuple[Principal, Vouched]:
        """Who came back with a code.

        Raises:
            Unauthenticated: Another browser began this, or the directory vouches for nobody.
            Forbidden: It doesn't say what they may read, so that is nothing.
            DirectoryLost: It can't be reached.
        """
        if not hmac.compare_digest(pending.state.encode(), state.encode()) or not code:
            raise Unauthenticated("This sign-in was not begun in this browser. Begin it again.")
        claims = self._claims(self._redeemed(code, pending.verifier, back))
        if not hmac.compare_digest(str(claims.get("nonce", "")).encode(), pending.nonce.encode()):
            raise Unauthenticated("The directory's answer is to another sign-in. Begin it again.")
        return self._directory.person(claims), self._vouched(claims)

    def logged_out(self, token: str) -> Vouched:
        """Whose sessions a logout token ends.

        Raises:
            Unauthenticated: It does not hold, is old, or is another kind of token.
        """
        claims = self._claims(token)
        events, issued = claims.get("events"), claims.get("iat")
        if (
            not isinstance(events, dict)
            or _LOGOUT not in events
            or "nonce" in claims
            or not isinstance(issued, int)
            or time.time() - issued > _LOGOUT_AGE_S + self._settings.clock_skew_s
        ):
            raise Unauthenticated("This is no logout token, or an old one.")
        vouched = self._vouched(claims)
        if vouched.sid is None and not vouched.subject:
            raise Unauthenticated("The logout token says neither who nor which session it ends.")
        return vouched

    def _claims(self, token: str) -> Mapping[str, Any]:
        return self._directory.claims(token, audience=self._settings.client_id or "")

    def _vouched(self, claims: Mapping[str, Any]) -> Vouched:
        subject, sid = claims.get("sub"), claims.get("sid")
        return Vouched(
            issuer=self._settings.issuer or "",
            subject=subject if isinstance(subject, str) else "",
            sid=sid if isinstance(sid, str) else None,
        )

    def _redeemed(self, code: str, verifier: str, back: str) -> str:
        """The ID token for a code."""
        sent = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": back,
            "client_id": self._settings.client_id or "",
            "code_verifier": verifier,
        }
        if (secret := self._secret()) is not None:
            sent["client_secret"] = secret
        try:
            with asked_of(self._settings) as client:
                response = client.post(self._settings.token_url or "", data=sent)
            body = response.json()
        except (httpx.HTTPError, OSError, ValueError) as error:
            raise DirectoryLost(
                f"The directory can't be asked at {self._settings.token_url}. Try again."
            ) from error
        token = body.get("id_token") if isinstance(body, dict) else None
        if response.status_code != httpx.codes.OK or not isinstance(token, str):
            why = str(body.get("error", ""))[:80] if isinstance(body, dict) else ""
            log.warning(
                "%s gave no ID token for a code (status %d, %r). Where it says invalid_client, "
                "compare identity.oidc.client_id and client_secret_file with what it knows",
                self._settings.token_url,
                response.status_code,
                why,
            )
            raise Unauthenticated("The directory does not vouch for this sign-in. Begin it again.")
        return token

    def _secret(self) -> str | None:
        file = self._settings.client_secret_file
        if file is None:
            return None
        try:
            return file.read_text("utf-8").strip()
        except (OSError, ValueError) as error:
            raise SettingsError(
                f"identity.oidc.client_secret_file can't be read: {error}"
            ) from error
