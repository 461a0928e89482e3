"""Texts of many callers, gathered into batches of like length and computed side by side."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from sovereign_rag.embedding.protocol import Vectors
from sovereign_rag.system.cpu import yield_the_cores

Tokens = Sequence[int]  # the ids of a text, special ones included
Forward = Callable[[list[Tokens]], Vectors]

_BATCH_TOKENS = 2_048  # padding included; beyond it activations leave the cache and nothing is won
_LEAST_TOKENS = 256  # below it the fixed cost of a pass shows
_PADDING = 0.15  # of a text's length that may be padding, and
_PADDING_TOKENS = 8  # so many in any case


@dataclass(slots=True, eq=False)
class _Request:
    """What one caller waits for."""

    texts: Sequence[Tokens]
    urgent: bool
    vectors: Vectors  # filled row by row
    waiting: list[int]  # positions that no lane has taken
    open: int  # texts without a vector
    turns: int = 0  # batches that were begun for its sake
    error: Exception | None = None
    done: threading.Event = field(default_factory=threading.Event)


class WorkerThreads:
    """Threads, so many for urgent requests and for the rest, that each compute batch after batch.

    Those of the rest, which is ingestion, yield the cores: a question does not even wait for the
    batch that they are at. A batch is begun for the request that had the fewest turns. It starts
    from that request's longest waiting text and is filled with the texts nearest to it in length,
    whoever asked for them: what a batch computes in vain is the difference to its longest.

    Callers wait for their vectors, so no more texts are held than they bring at once.
    """

    def __init__(self, forward: Forward, *, lanes: int, dimension: int, batch_size: int) -> None:
        """`forward` is called in the lanes' threads, several at once, with 1 to `batch_size`
        texts, and gives an array of shape (texts, `dimension`).
        """
        self._forward, self._lanes = forward, lanes
        self._dimension, self._batch_size = dimension, batch_size
        self._lock = threading.Lock()
        self._requests: list[_Request] = []  # those with texts that wait, in order of arrival
        self._threads = {
            True: ThreadPoolExecutor(lanes, thread_name_prefix="embedding-urgent"),
            False: ThreadPoolExecutor(
                lanes, thread_name_prefix="embedding", initializer=yield_the_cores
            ),
        }

    def embed(self, texts: Sequence[Tokens], *, urgent: bool) -> Vectors:
        """The vectors of `texts`, in order; waits for them.

        Raises:
            Exception: What `forward` raised for one of them.
            RuntimeError: The lanes are closed.
        """
        vectors = np.empty((len(texts), self._dimension), np.float32)
        if not texts:
            return vectors
        shortest_first = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        request = _Request(texts, urgent, vectors, shortest_first, len(texts))
        with self._lock:
            self._requests.append(request)
        try:
            for _ in range(min(self._lanes, len(texts))):
                self._threads[urgent].submit(self._work, urgent)
            request.done.wait()
        finally:  # also where the caller was interrupted: nobody waits for the rest
            self._drop(request)
        if request.error is not None:
            raise request.error
        return vectors

    @property
    def waiting(self) -> int:
        """How many callers have texts that no lane has taken yet."""
        with self._lock:
            return len(self._requests)

    def begin(self, task: Callable[[], object]) -> None:
        """Run `task` in a lane, without waiting for it; what it raises is lost."""
        self._threads[True].submit(task)

    def close(self) -> None:
        """Let the threads end after the batches at hand; who waits for more gets an error."""
        for threads in self._threads.values():
            threads.shutdown(wait=False, cancel_futures=True)
        with self._lock:
            waiting, self._requests = self._requests, []
            for request in waiting:
                _fail(request, RuntimeError("The embedder was closed."))

    def _work(self, urgent: bool) -> None:
        """Take batches until nothing of the kind waits."""
        while batch := self._take(urgent):
            try:
                vectors = self._forward([request.texts[i] for request, i in batch])
            except Exception as error:  # whatever it is, it is the callers' to hear of
                self._deliver(batch, error)
            else:
                self._deliver(batch, vectors)

    def _take(self, urgent: bool) -> list[tuple[_Request, int]]:
        with self._lock:
            waiting = [request for request in self._requests if request.urgent == urgent]
            if not waiting:
                return []
            first = min(waiting, key=lambda r: r.turns)  # in order of arrival among equals
            first.turns += 1
            return self._batch_of(first)

    def _batch_of(self, first: _Request) -> list[tuple[_Request, int]]:
        longest = len(first.texts[first.waiting[-1]])
        least = longest * (1 - _PADDING) - _PADDING_TOKENS
        others = [r for r in self._requests if r.urgent == first.urgent and r is not first]
        near = [
            (request, i)
            for request in (first, *others)
            for i in reversed(request.waiting)
            if least <= len(request.texts[i]) <= longest
        ]
        near.sort(
            key=lambda pair: -len(pair[0].texts[pair[1]])
        )  # the first request's text stays first
        batch = near[: self._most_texts(longest, (first, *others))]
        for request in {request for request, _ in batch}:
            taken = {i for owner, i in batch if owner is request}
            request.waiting = [i for i in request.waiting if i not in taken]
        self._requests = [request for request in self._requests if request.waiting]
        return batch

    def _most_texts(self, longest: int, requests: Sequence[_Request]) -> int:
        """So many that each lane gets its share of what there is, and none more than is good."""
        tokens = sum(len(r.texts[i]) for r in requests for i in r.waiting)
        share = min(_BATCH_TOKENS, max(_LEAST_TOKENS, tokens // self._lanes))
        return max(1, min(self._batch_size, share // max(1, longest)))

    def _deliver(self, batch: list[tuple[_Request, int]], result: Vectors | Exception) -> None:
        with self._lock:
            for row, (request, i) in enumerate(batch):
                if isinstance(result, Exception):
                    _fail(request, result)
                    continue
                request.vectors[i] = result[row]
                request.open -= 1
                if request.open == 0:
                    request.done.set()
            self._requests = [request for request in self._requests if request.waiting]

    def _drop(self, request: _Request) -> None:
        with self._lock:
            request.waiting = []
            self._requests = [other for other in self._requests if other is not request]


def _fail(request: _Request, error: Exception) -> None:
    request.error = error
    request.waiting = []
    request.done.set()
