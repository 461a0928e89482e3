"""What a monitor sees, in Prometheus's text format: counts and times, nothing of what was asked."""

import logging
import math
from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from sovereign_rag.catalog.usage import Spent
from sovereign_rag.errors import EnvironmentFault

log = logging.getLogger(__name__)

CONTENT_TYPE = CONTENT_TYPE_LATEST
_SECONDS = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0)


class Metrics:
    """The numbers of one process; labels are operations, statuses and kinds alone."""

    def __init__(self, waiting: Callable[[], int]) -> None:
        """`waiting` counts the documents that no worker has begun, of the whole installation."""
        self.registry = CollectorRegistry()
        self._count_waiting = waiting
        Gauge(
            "sovereign_rag_documents_waiting",
            "Documents that no worker has begun; by it an autoscaler adds workers.",
            registry=self.registry,
        ).set_function(self._waiting)
        self._requests = Counter(
            "sovereign_rag_requests",
            "Requests that were answered.",
            ("operation", "status"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "sovereign_rag_request_seconds",
            "From a request's arrival to the end of its answer.",
            ("operation",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._answers = Counter(
            "sovereign_rag_answers", "Answers by kind.", ("kind",), registry=self.registry
        )
        self._tokens = Counter(
            "sovereign_rag_written_tokens",
            "Tokens that the language model wrote.",
            registry=self.registry,
        )
        self._joules = Counter(
            "sovereign_rag_answer_joules", "Energy that answers took.", registry=self.registry
        )

    def requested(self, operation: str, status: int, seconds: float) -> None:
        """`operation` is a route's template, or "other": no address of a caller's making."""
        self._requests.labels(operation, str(status)).inc()
        self._seconds.labels(operation).observe(seconds)

    def answered(self, kind: str, spent: Spent) -> None:
        self._answers.labels(kind).inc()
        self._tokens.inc(spent.tokens)
        self._joules.inc(spent.joules)

    def _waiting(self) -> float:
        try:
            return self._count_waiting()
        except EnvironmentFault as fault:  # the rest can still be told
            log.warning("How many documents wait is not known: %s", fault)
            return math.nan

    def text(self) -> bytes:
        """All of it, as `CONTENT_TYPE` says."""
        return generate_latest(self.registry)
