"""An OpenID Connect provider that tests start: its page, its tokens, and keys that change."""

import base64
import hashlib
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

from sovereign_rag.settings.identity import OidcSettings

AUDIENCE = "sovereign-rag"
CLIENT, CLIENT_SECRET = "the-page", "what only the page and the provider know"


class Provider:
    """An identity provider: it shows its public keys, and signs what it is told to."""

    def __init__(self) -> None:
        self.keys = {"one": RSAKey.generate_key(2048, parameters={"kid": "one"})}
        self.fetches = 0
        self.status = 200
        self.person: dict[str, Any] = {}  # who signs in on its page
        self._begun: dict[str, dict[str, str]] = {}  # what was asked for, by code
        provider = self

        class Pages(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                address = urlsplit(self.path)
                if address.path == "/authorize":
                    asked = dict(parse_qsl(address.query))
                    self.reply(303, {}, Location=provider.authorize(asked))
                    return
                provider.fetches += 1
                shown = [key.as_dict(private=False) for key in provider.keys.values()]
                self.reply(provider.status, {"keys": shown}, Location="http://127.0.0.1:9/jwks")

            def do_POST(self) -> None:
                content = self.rfile.read(int(self.headers["Content-Length"])).decode()
                given = provider.redeem(dict(parse_qsl(content)))
                self.reply(*((200, {"id_token": given}) if given else (400, {})))

            def reply(self, status: int, body: object, **headers: str) -> None:
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(json.dumps(body).encode())

            def log_message(self, format: str, *args: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Pages)
        self.issuer = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever)

    @contextmanager
    def running(self) -> Iterator["Provider"]:
        self._thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._server.server_close()
            self._thread.join(10)

    def claims(self, **more: Any) -> dict[str, Any]:
        now = int(time.time())
        known = {"sub": "ana", "iss": self.issuer, "aud": AUDIENCE, "iat": now, "exp": now + 600}
        claimed = {**known, "groups": [], **more}
        return {name: value for name, value in claimed.items() if value is not None}

    def token(self, *, kid: str = "one", **more: Any) -> str:
        header = {"alg": "RS256", "kid": kid}
        return jwt.encode(header, self.claims(**more), self.keys[kid])

    def authorize(self, asked: dict[str, str]) -> str:
        """Somebody signs in here; gives where their browser goes back to."""
        assert (asked["response_type"], asked["client_id"]) == ("code", CLIENT)
        assert asked["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe()
        self._begun[code] = asked
        back = {"code": code, "state": asked["state"]}
        return f"{asked['redirect_uri']}?{urlencode(back)}"

    def redeem(self, sent: dict[str, str]) -> str | None:
        """The ID token for a code, once, to whoever asked for it (RFC 7636)."""
        asked = self._begun.pop(sent["code"], None)
        digest = hashlib.sha256(sent["code_verifier"].encode()).digest()
        proof = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if (
            asked is None
            or asked["code_challenge"] != proof
            or asked["redirect_uri"] != sent["redirect_uri"]
            or (sent["client_id"], sent.get("client_secret")) != (CLIENT, CLIENT_SECRET)
        ):
            return None
        return self.token(**{"aud": CLIENT, "nonce": asked["nonce"], **self.person})

    def logout_token(self, **more: Any) -> str:
        events: dict[str, Any] = {"http://schemas.openid.net/event/backchannel-logout": {}}
        return self.token(**{"aud": CLIENT, "groups": None, "events": events, **more})

    def settings(self, **more: Any) -> OidcSettings:
        named = {"issuer": self.issuer, "audience": AUDIENCE, "jwks_url": f"{self.issuer}/jwks"}
        return OidcSettings.model_validate({**named, **more})
