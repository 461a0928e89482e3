"""HTTP to the nodes of a Qdrant cluster, or to the one server that there is.

Every request may be sent twice: a read changes nothing, and what is written says how it is to be
(points by their ids, deletions and payloads by a filter), not what is to change.
"""

import itertools
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final
from urllib.parse import urlsplit

import httpx

from sovereign_rag.errors import StoreError
from sovereign_rag.system.breaker import Breaker
from sovereign_rag.system.patience import waiting

_PORT: Final = 6333
_READS: Final = (
    "/points/query/batch",
    "/points/query",
    "/points/count",
    "/points/scroll",
    "/facet",
)
_PATIENCE: Final = 1.25  # times the wait for one node: what a search's reads take with all of them
_MARGIN_S: Final = 5.0  # beyond what the server was told that a change may take


class NodesTransport(httpx.BaseTransport):
    """Sends each request to one node after the other, until one answers.

    A node that doesn't answer in time costs one request; the next ones pass it over for `pause_s`,
    after which one tries it again. A node that refuses connections or fails at once costs next to
    nothing, so it is tried all the same where no other is left. Reads and writes begin at each
    node in turn.

    Raises:
        StoreError: No node answered; it says what each did, and when to try again.
    """

    def __init__(
        self,
        addresses: Sequence[str],
        *,
        read_timeout_s: float,
        write_timeout_s: float,
        pause_s: float,
        verify: ssl.SSLContext | bool = True,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        Args:
            addresses: URLs, with port 6333 where they name none.
            read_timeout_s: Longest wait for a node's answer to a read; a read fails with an error
                after a quarter more, however many nodes there are, and so do the reads of one
                search together: see `one_wait`.
            write_timeout_s: Longest wait for a node's answer to a write.
            pause_s: For how long a node is passed over that failed.
        """
        self._nodes = [_Node(address, pause_s, verify, clock) for address in addresses]
        self._read_s, self._write_s, self._pause_s = read_timeout_s, write_timeout_s, pause_s
        self._clock = clock
        self._turn = itertools.count()
        self._given_up = threading.local()

    @property
    def left_alone(self) -> dict[str, str]:
        """The nodes that are passed over at this moment, each with what it last did."""
        return {
            node.address: node.breaker.last_failure
            for node in self._nodes
            if node.breaker.state == "open"
        }

    def may_come_late(self) -> bool:
        """Whether this thread gave up a write, since it last asked, that a node may do yet."""
        found = getattr(self._given_up, "found", False)
        self._given_up.found = False
        return found

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        if not _is_read(request):
            wait_s = self._write_wait_s(request)
            return self._sent(request, wait_s, wait_s * len(self._nodes) + _MARGIN_S)
        with waiting(self._read_s * _PATIENCE, self._clock) as left_s:
            return self._sent(request, self._read_s, left_s)

    def _sent(self, request: httpx.Request, wait_s: float, all_s: float) -> httpx.Response:
        """The answer of the first node that gives one; so much time for one, and for all."""
        until = self._clock() + all_s
        refusal: httpx.Response | None = None
        refused: list[_Node] = []
        said: dict[str, str] = {}
        for node in self._in_turn():
            left_s = until - self._clock()
            if left_s <= 0:
                node.breaker.abandoned()
                break
            try:
                response = node.send(request, min(wait_s, left_s), is_whole=left_s >= wait_s)
            except httpx.TransportError as error:
                said[node.address] = _words(error)
                was_sent = not isinstance(error, httpx.ConnectError | httpx.ConnectTimeout)
                if was_sent and not _is_read(request):
                    self._given_up.found = True
                continue
            if response.status_code < 500:
                node.breaker.succeeded()
                for other in refused:  # it was not the request, then
                    other.fail(f"status {refusal.status_code}" if refusal else "", quick=True)
                return response
            node.breaker.abandoned()
            refusal = response
            refused.append(node)
        if refusal is not None:
            return refusal
        raise self._nobody(said)

    def close(self) -> None:
        for node in self._nodes:
            node.close()

    def _write_wait_s(self, request: httpx.Request) -> float:
        told = request.url.params.get("timeout")  # to the server: a change of a collection
        return self._write_s if told is None else float(told) + _MARGIN_S

    def _in_turn(self) -> Iterator["_Node"]:
        """Those that work, then those that failed at once; each a single time."""
        first = next(self._turn) % len(self._nodes)
        nodes = self._nodes[first:] + self._nodes[:first]
        passed_over = []
        for node in nodes:
            if node.breaker.admit():
                yield node
            else:
                passed_over.append(node)
        yield from (node for node in passed_over if node.is_quick)

    def _nobody(self, said: dict[str, str]) -> StoreError:
        for node in self._nodes:
            said.setdefault(node.address, node.breaker.last_failure or "not asked any more")
        if len(self._nodes) == 1:
            ((address, words),) = said.items()
            what = (
                f"The Qdrant server {address} doesn't answer ({words}). Is it running, and is "
                "store.url its address?"
            )
        else:
            each = "; ".join(f"{address}: {words}" for address, words in said.items())
            what = (
                f"None of the Qdrant servers answers ({each}). Are they running, and are these "
                "addresses in store.url theirs?"
            )
        wait_s = min(node.breaker.wait_s for node in self._nodes)
        return StoreError(what, retry_after_s=max(1.0, wait_s))


class _Node:
    def __init__(
        self,
        address: str,
        pause_s: float,
        verify: ssl.SSLContext | bool,
        clock: Callable[[], float],
    ) -> None:
        self.address = address
        self._origin = origin(address)
        self._prefix = self._origin.raw_path.rstrip(b"/")
        self._http = httpx.HTTPTransport(
            verify=verify,
            trust_env=False,  # no proxy from the environment
            limits=httpx.Limits(max_connections=None, max_keepalive_connections=32),
        )
        self._clock = clock
        self._answered = clock()
        self.breaker = Breaker(failures=1, pause_s=pause_s, clock=clock)
        self.is_quick = True  # whether its last failure cost no wait

    def send(self, request: httpx.Request, timeout_s: float, *, is_whole: bool) -> httpx.Response:
        """What the node answers. A kept connection that turns out to be closed is opened anew.

        Args:
            is_whole: The node has all the time that a node is given; else silence is no fault.
        """
        begun = self._clock()
        try:
            try:
                return self._send(request, begun + timeout_s)
            except (httpx.NetworkError, httpx.ProtocolError):
                return self._send(request, begun + timeout_s)
        except httpx.TimeoutException as error:
            # One that answered others meanwhile doesn't hang: this request is a slow one.
            if is_whole and self._answered <= begun:
                self.fail(_words(error), quick=False)
            else:
                self.breaker.abandoned()
            raise
        except httpx.TransportError as error:
            self.fail(_words(error), quick=True)
            raise
        except BaseException:
            self.breaker.abandoned()
            raise

    def fail(self, reason: str, *, quick: bool) -> None:
        self.is_quick = quick
        self.breaker.failed(reason)

    def close(self) -> None:
        self._http.close()

    def _send(self, request: httpx.Request, until: float) -> httpx.Response:
        left_s = max(0.001, until - self._clock())
        url = self._origin.copy_with(raw_path=self._prefix + request.url.raw_path)
        sent = httpx.Request(
            request.method,
            url,
            headers=[(k, v) for k, v in request.headers.raw if k.lower() != b"host"],
            content=request.content,
            extensions={"timeout": dict.fromkeys(("connect", "read", "write", "pool"), left_s)},
        )
        reply = self._http.handle_request(sent)
        try:
            parts = []
            for part in reply.stream:  # type: ignore[union-attr]  # of a transport that waits
                parts.append(part)
                if self._clock() > until:
                    raise httpx.ReadTimeout("the answer came too slowly", request=sent)
        finally:
            reply.close()
        self._answered = self._clock()
        return httpx.Response(
            reply.status_code, headers=reply.headers, content=b"".join(parts), request=request
        )


def origin(address: str) -> httpx.URL:
    """The URL of a node, with Qdrant's port where it names none."""
    # httpx forgets a port that is its scheme's own.
    return httpx.URL(address).copy_with(port=urlsplit(address).port or _PORT)


def _is_read(request: httpx.Request) -> bool:
    return request.method == "GET" or request.url.path.endswith(_READS)


def _words(error: httpx.TransportError) -> str:
    if isinstance(error, httpx.TimeoutException):
        return "no answer in time"
    return str(error) or type(error).__name__
