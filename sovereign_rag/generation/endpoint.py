"""The `Generator` that asks servers of the tenant's own network, by the OpenAI protocol."""

import hashlib
import hmac
import re
import secrets
import ssl
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

from sovereign_rag.errors import BadInput, Busy, GenerationError, SettingsError
from sovereign_rag.generation.endpoint_answer import TOO_SLOW, EndpointAnswer
from sovereign_rag.generation.endpoint_server import EndpointFailed, Failed, Server
from sovereign_rag.generation.protocol import CompletionRequest, Delta, Message, ModelInfo
from sovereign_rag.settings import GenerationSettings
from sovereign_rag.settings.api_key import read_api_key
from sovereign_rag.system.allowed_addresses import AllowList, Resolve, look_up, place
from sovereign_rag.system.breaker import Breaker
from sovereign_rag.system.listed_client import tls_of

_BYTES_PER_TOKEN: Final = (
    3  # Mistral's tokenizers need 3.5 to 4.5 in our languages: on the safe side
)
_TOKENS_AROUND_A_MESSAGE: Final = 8
_FIRST_BACKOFF_S: Final = 0.2
_RETRY_AFTER_S: Final = 5.0
# What chat templates are made of. A server that renders a template as text would take it for the
# real thing where a passage spells it.
_MARKS: Final = re.compile(
    r"</?s>|<\|[\w.-]+\|>|</?(?:think|tool_call)>"
    r"|\[/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_(?:CALLS|RESULTS|CONTENT)|ARGS|CALL_ID"
    r"|THINK|MODEL_SETTINGS|PREFIX|MIDDLE|SUFFIX|IMG(?:_BREAK|_END)?|(?:BEGIN_)?AUDIO)\]"
)


@dataclass(frozen=True, slots=True)
class Health:
    """How a server is, for `doctor`."""

    url: str
    ok: bool
    detail: str


class EndpointModel:
    """Writes for any number of callers, by the servers that the admin named."""

    def __init__(
        self,
        settings: GenerationSettings,
        *,
        key: str | None,
        tls: ssl.SSLContext,
        resolve: Resolve,
    ) -> None:
        """Nothing is contacted or looked up yet.

        Raises:
            SettingsError: An address is none, or stands outside of the list.
        """
        own = settings.endpoint
        allow = AllowList(own.allow, "generation.endpoint.allow")
        places = [place(url, "generation.endpoint.urls") for url in own.urls]
        for at in places:
            if at.literal is not None and not allow.admits(at.host, at.literal):
                raise SettingsError(
                    f"generation.endpoint.urls names {at.url}, which generation.endpoint.allow "
                    f"does not list. Add {at.host} there if it is inside your network."
                )
        self._settings, self._own = settings, own
        self._servers = [
            Server(
                at,
                own,
                allow=allow,
                resolve=resolve,
                tls=tls,
                key=key,
                breaker=Breaker(failures=own.breaker_failures, pause_s=own.breaker_pause_s),
            )
            for at in places
        ]
        self._lock = threading.Lock()
        self._salt = secrets.token_bytes(16)
        self._info = ModelInfo(
            name=own.model,
            sha256="",
            architecture="",
            parameters=0,
            context_tokens=own.context_tokens,
            licence=None,
            trusted=own.trusted,
        )

    @classmethod
    def open(cls, settings: GenerationSettings, *, resolve: Resolve = look_up) -> Self:
        """The generator that the section `generation.endpoint` names.

        Raises:
            SettingsError: An address, the key's file or the certificates are not usable.
        """
        tls = tls_of(settings.endpoint.ca_file, "generation.endpoint.ca_file")
        return cls(
            settings,
            key=read_api_key(settings.endpoint, "generation.endpoint"),
            tls=tls,
            resolve=resolve,
        )

    @property
    def info(self) -> ModelInfo:
        return self._info

    @property
    def breakers(self) -> Mapping[str, Breaker]:
        """Each server's breaker, by its address."""
        return {server.at.url: server.breaker for server in self._servers}

    def count_tokens(self, messages: Sequence[Message]) -> int:
        """More than the server will count: its tokenizer is its own, so this is an upper guess."""
        return sum(
            -(-len(message.content.encode("utf-8", "replace")) // _BYTES_PER_TOKEN)
            + _TOKENS_AROUND_A_MESSAGE
            for message in messages
        )

    def stream(self, request: CompletionRequest) -> Iterator[Delta]:
        """As the protocol says; it returns with the first word, and raises before it.

        Up to the first word another server, or the same one again, is tried where one fails;
        after it a failure is an error: nobody can go on in another's sentence.
        """
        self._require_room(request.messages, request.max_tokens)
        timeout_s = self._settings.timeout_s if request.timeout_s is None else request.timeout_s
        deadline = time.monotonic() + timeout_s
        body = self._body(request)
        failures: dict[str, str] = {}
        busy: Failed | None = None
        stalled = self._not_for(request)
        allowed = [server for server in self._servers if server not in stalled]
        for attempt in range(1 + self._own.retries):
            server = self._choose(failures, stalled)
            if server is None:
                break
            answer = EndpointAnswer(
                server,
                body,
                self._own,
                max_tokens=request.max_tokens,
                cancel=request.cancel,
                deadline=deadline,
                release=self._release,
            )
            failed = answer.begin()
            if failed is None:
                return answer
            if failed.kind == "request":
                raise self._refused(server, failed)
            if failed.kind == "busy":
                busy = failed
                stalled.add(server)  # no better in a moment
            elif failed.reason == TOO_SLOW:
                stalled.add(server)
            failures[server.at.url] = failed.reason
            if len(failures) >= len(allowed) and attempt < self._own.retries:
                _wait(_FIRST_BACKOFF_S * 2**attempt, request.cancel)
        if busy is not None:
            raise Busy(
                "Every endpoint of the language model is busy. Ask again in a moment.",
                retry_after_s=busy.retry_after_s or _RETRY_AFTER_S,
            )
        raise GenerationError(self._nobody(failures, allowed))

    def trouble(self) -> str | None:
        open_ = [server for server in self._servers if server.breaker.state == "open"]
        if not open_:
            return None
        wait_s = max(server.breaker.wait_s for server in open_)
        return (
            f"{len(open_)} of {len(self._servers)} endpoints failed several times and are left "
            f"alone for {wait_s:.0f} s; see `sovereign-rag doctor`"
        )

    def health(self) -> list[Health]:
        """Ask each server for its models; for `doctor`."""
        return [self._health(server) for server in self._servers]

    def close(self) -> None:
        for server in self._servers:
            server.close()

    def _require_room(self, messages: Sequence[Message], max_tokens: int) -> None:
        count = self.count_tokens(messages)
        if count + max_tokens > self._own.context_tokens:
            raise BadInput(
                f"The prompt has up to {count:,} tokens and the answer may have {max_tokens:,}; "
                f"together the context holds {self._own.context_tokens:,}. Shorten the question "
                "or the passages, or raise generation.endpoint.context_tokens if the server "
                "gives more."
            )

    def _body(self, request: CompletionRequest) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self._own.model,
            "messages": [
                {"role": m.role, "content": _defused(m.content)} for m in request.messages
            ],
            "max_tokens": request.max_tokens,
            "temperature": self._settings.temperature,
            "stream": True,
        }
        if request.stop:
            body["stop"] = list(request.stop)
        if self._own.cache_salt:
            whose = f"{request.tenant}\0{request.person}".encode()
            body["cache_salt"] = hmac.new(self._salt, whose, hashlib.sha256).hexdigest()
        return body

    def _not_for(self, request: CompletionRequest) -> set[Server]:
        """The servers to which this prompt may not go."""
        if request.endpoints is None:
            return set()
        own = zip(self._own.urls, self._servers, strict=True)
        return {server for url, server in own if url not in request.endpoints}

    def _choose(self, failed: Mapping[str, str], stalled: set[Server]) -> Server | None:
        """The server with the least to do, one that failed already last; its place is taken."""
        with self._lock:
            if sum(server.under_way for server in self._servers) >= self._own.requests:
                raise Busy(
                    f"All {self._own.requests} places of the endpoint are taken "
                    "(generation.endpoint.requests). Ask again in a moment.",
                    retry_after_s=_RETRY_AFTER_S,
                )
            order = sorted(
                (server for server in self._servers if server not in stalled),
                key=lambda server: (server.at.url in failed, server.under_way),
            )
            for server in order:
                if server.breaker.admit():
                    server.under_way += 1
                    return server
        return None

    def _release(self, server: Server) -> None:
        """A request to `server` has ended."""
        with self._lock:
            server.under_way -= 1

    def _refused(self, server: Server, failed: Failed) -> Exception:
        if "context" in failed.reason and "length" in failed.reason:
            return BadInput(
                f"The prompt is longer than the endpoint {server.at.url} takes: {failed.reason}. "
                "Lower generation.endpoint.context_tokens to what the server gives a request."
            )
        return GenerationError(
            f"The endpoint {server.at.url} refuses the request: {failed.reason}. See its log, and "
            "compare generation.endpoint.model with what `sovereign-rag doctor` lists."
        )

    def _nobody(self, failures: Mapping[str, str], allowed: Sequence[Server]) -> str:
        said = dict(failures)
        for server in allowed:
            wait_s = server.breaker.wait_s
            if server.at.url not in said:
                said[server.at.url] = (
                    f"{server.breaker.last_failure}; left alone for {wait_s:.0f} s more"
                )
        reasons = "; ".join(f"{url}: {reason}" for url, reason in said.items())
        return (
            f"No endpoint of the language model answers ({reasons}). Ask again; if it recurs, "
            "see `sovereign-rag doctor`."
        )

    def _health(self, server: Server) -> Health:
        url = server.at.url
        begin = time.monotonic()
        try:
            models = server.models(timeout_s=self._own.connect_timeout_s)
        except EndpointFailed as error:
            return Health(url, False, str(error))
        took_ms = (time.monotonic() - begin) * 1000
        listed = ", ".join(models[:5]) or "none"
        if self._own.model not in models:
            return Health(url, False, f"it has no model {self._own.model!r}; it lists {listed}")
        return Health(url, True, f"answers in {took_ms:.0f} ms with {self._own.model}")


def _defused(text: str) -> str:
    """`text` with a blank in every mark of a chat template, so that it is text to any server."""
    return _MARKS.sub(lambda mark: f"{mark[0][0]} {mark[0][1:]}", text)


def _wait(seconds: float, cancel: threading.Event | None) -> None:
    (cancel or threading.Event()).wait(seconds)
