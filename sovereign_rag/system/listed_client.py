"""A client for one listed server: the connection goes to the address that was held to the list."""

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from sovereign_rag.errors import SettingsError
from sovereign_rag.system.allowed_addresses import (
    AllowList,
    NotAdmitted,
    Resolve,
    ServerPlace,
    look_up,
)


class NotReached(Exception):
    """Nothing came of a request; the text says why, and is fit to be shown to admins."""


@dataclass(frozen=True, slots=True)
class ServerHealth:
    """How a listed server is, for `doctor`."""

    url: str
    trouble: str | None  # None: it answers as it should
    took_s: float


class ListedClient:
    """Posts to one server; no proxy, no redirect, no cookie, TLS verified. Threads may share it."""

    def __init__(
        self,
        at: ServerPlace,
        allow: AllowList,
        *,
        tls: ssl.SSLContext,
        timeout_s: float,
        resolve: Resolve = look_up,
    ) -> None:
        """
        Raises:
            SettingsError: The address itself stands there, and outside of the list.
        """
        if at.literal is not None and not allow.admits(at.host, at.literal):
            raise SettingsError(
                f"{at.url} is named, which {allow.setting} does not list. Add {at.host} there if "
                "it may be contacted."
            )
        self.at = at
        self._allow, self._resolve = allow, resolve
        self._client = httpx.Client(
            transport=httpx.HTTPTransport(
                verify=tls,
                trust_env=False,
                limits=httpx.Limits(max_keepalive_connections=0),  # each is held to the list anew
            ),
            trust_env=False,
            follow_redirects=False,
            timeout=timeout_s,
        )

    def post(self, body: bytes, headers: Mapping[str, str]) -> httpx.Response:
        """Send `body` to the server's path; of the reply the body is left unread.

        Raises:
            NotReached: It can't be looked up, is not listed, or gave no reply.
        """
        reply = self._sent(self.at.path or "/", body, headers)
        reply.close()
        return reply

    def ask(self, path: str, body: bytes, headers: Mapping[str, str]) -> httpx.Response:
        """Send `body` to a path below the server's own; the reply is read. Raises as `post`."""
        reply = self._sent(self.at.path + path, body, headers)
        try:
            reply.read()
        except httpx.HTTPError as error:
            raise NotReached(f"the reply broke off: {deepest(error)}") from error
        finally:
            reply.close()
        return reply

    def _sent(self, path: str, body: bytes, headers: Mapping[str, str]) -> httpx.Response:
        try:
            address = self._allow.choose(self.at, self._resolve)
        except NotAdmitted as error:
            raise NotReached(
                f"{self.at.host} stands for {error}, which {self._allow.setting} does not list; "
                "nothing was sent"
            ) from error
        except OSError as error:
            raise NotReached(f"{self.at.host} can't be looked up: {error}") from error
        host = f"[{address}]" if ":" in address else address
        extensions: dict[str, Any] = {"sni_hostname": self.at.host}
        request = self._client.build_request(
            "POST",
            f"{self.at.scheme}://{host}:{self.at.port}{path}",
            content=body,
            headers={**headers, "Host": self.at.netloc},
            extensions=extensions,
        )
        try:
            return self._client.send(request, stream=True)
        except httpx.TimeoutException as error:
            raise NotReached("it gave no reply in time") from error
        except (httpx.HTTPError, OSError) as error:
            raise NotReached(f"no connection: {deepest(error)}") from error

    def close(self) -> None:
        self._client.close()


def deepest(error: BaseException) -> str:
    """What the operating system or TLS said, under the layers of libraries."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return str(error) or type(error).__name__


def tls_of(ca_file: Path | None, setting: str) -> ssl.SSLContext:
    """Verifies certificates, by the machine's authorities or the admin's own.

    Raises:
        SettingsError: The file can't be read or holds none.
    """
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise SettingsError(
            f"{setting} {ca_file} holds no usable certificates: {error}. It has to be a PEM file."
        ) from error
