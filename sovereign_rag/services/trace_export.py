"""Spans go to the collector that the settings list, by OTLP over HTTP, and nowhere else.

SDK and encoding are OpenTelemetry's own. The way out is ours: their exporter would follow
redirects and the environment's proxies, and take addresses from the environment.
"""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

from sovereign_rag.settings.limits import TraceSettings
from sovereign_rag.system.allowed_addresses import AllowList, Resolve, look_up, place
from sovereign_rag.system.listed_client import ListedClient, NotReached, tls_of
from sovereign_rag.system.tracing import traced_by
from sovereign_rag.version import VERSION

log = logging.getLogger(__name__)

_TIMEOUT_S: Final = 5.0
_HEADERS: Final = {
    "Content-Type": "application/x-protobuf",
    "User-Agent": f"sovereign-rag/{VERSION}",
}


@contextmanager
def exporting(
    settings: TraceSettings, process: str, *, resolve: Resolve = look_up
) -> Iterator[None]:
    """Tell the collector of every step while the block runs; what is left goes at its end.

    Args:
        process: "serve" or "worker".

    Raises:
        SettingsError: The address, the list or the certificates are not usable.
    """
    assert settings.url is not None
    client = ListedClient(
        place(settings.url, "sight.traces.url"),
        AllowList(settings.allow, "sight.traces.allow"),
        tls=tls_of(settings.ca_file, "sight.traces.ca_file"),
        timeout_s=_TIMEOUT_S,
        resolve=resolve,
    )
    told_of = {
        "service.name": "sovereign-rag",
        "service.version": VERSION,
        "sovereign_rag.process": process,
    }
    # Everything is said here: left out, the library would look into the environment for it.
    provider = TracerProvider(
        sampler=ParentBased(TraceIdRatioBased(settings.share)),
        resource=Resource(told_of),
        shutdown_on_exit=False,
        span_limits=SpanLimits(max_span_attributes=32, max_events=0, max_links=0),
    )
    processor = BatchSpanProcessor(
        CollectorExporter(client),
        max_queue_size=2_048,
        schedule_delay_millis=1_000,
        max_export_batch_size=256,
        export_timeout_millis=int(_TIMEOUT_S * 2_000),
    )
    provider.add_span_processor(processor)
    try:
        with traced_by(provider.get_tracer("sovereign_rag", VERSION)):
            yield
    finally:
        provider.shutdown()
        client.close()


class CollectorExporter(SpanExporter):
    """Posts spans. What does not arrive is lost: nobody's request waits for a collector."""

    def __init__(self, client: ListedClient) -> None:
        self._client, self._is_lost = client, False

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        body = encode_spans(spans).SerializeToString()
        try:
            reply = self._client.post(body, _HEADERS)
            reason = None if reply.is_success else f"it answered {reply.status_code}"
        except NotReached as error:
            reason = str(error)
        if reason is not None and not self._is_lost:  # once, however long it is away
            log.warning("Traces don't arrive at %s: %s", self._client.at.url, reason)
        self._is_lost = reason is not None
        return SpanExportResult.FAILURE if reason else SpanExportResult.SUCCESS

    def shutdown(self) -> None:
        """Nothing is held back here."""

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return True
