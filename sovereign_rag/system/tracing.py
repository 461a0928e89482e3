"""Spans: how long each step of a request or a document took, for who runs the service.

Off unless the settings name a collector, and then nothing of OpenTelemetry is imported. A span
holds names of ours, ids and numbers; never a question, a document's text or name, or the message
of an error, which may hold either.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, Protocol

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer

Value = str | int | float | bool


class Span(Protocol):
    """A step that is under way."""

    def set(self, **attributes: Value | None) -> None:
        """Say more of it; what is None is left out."""

    def name(self, name: str) -> None:
        """Call it otherwise: the route of a request is known at its end."""

    def fail(self, reason: str) -> None:
        """It did not come off; `reason` is a code of ours."""


class _Silent:
    def set(self, **attributes: Value | None) -> None:
        pass

    def name(self, name: str) -> None:
        pass

    def fail(self, reason: str) -> None:
        pass


_SILENT: Final = _Silent()
_CONVENTIONS: Final = {
    "http_request_method": "http.request.method",
    "http_response_status_code": "http.response.status_code",
    "http_route": "http.route",
}


class _Told:
    """A span of OpenTelemetry's."""

    def __init__(self, span: Any) -> None:
        self.span = span

    def set(self, **attributes: Value | None) -> None:
        for name, value in attributes.items():
            if value is not None:
                self.span.set_attribute(_attribute(name), value)

    def name(self, name: str) -> None:
        self.span.update_name(name)

    def fail(self, reason: str) -> None:
        from opentelemetry.trace import Status, StatusCode

        self.span.set_status(Status(StatusCode.ERROR, reason))


_tracer: "Tracer | None" = None  # of the process; None: nobody is told


@contextmanager
def traced_by(tracer: "Tracer") -> Iterator[None]:
    """Tell `tracer` of every step while the block runs."""
    global _tracer
    before, _tracer = _tracer, tracer
    try:
        yield
    finally:
        _tracer = before


@contextmanager
def span(name: str, **attributes: Value) -> Iterator[Span]:
    """A step that begins and ends here, within the step around it; no generator's body."""
    if _tracer is None:
        yield _SILENT
        return
    with (
        _tracer.start_as_current_span(
            name, record_exception=False, set_status_on_exception=False
        ) as started,
        _ended_in_our_words(_Told(started)) as told,
    ):
        told.set(**attributes)
        yield told


@contextmanager
def request_span(headers: Mapping[str, str]) -> Iterator[Span]:
    """A request that came in; under the caller's own span where it names one (`traceparent`)."""
    if _tracer is None:
        yield _SILENT
        return
    from opentelemetry.trace import SpanKind
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    sent = {name: headers[name] for name in ("traceparent", "tracestate") if name in headers}
    parent = TraceContextTextMapPropagator().extract(sent)
    with (
        _tracer.start_as_current_span(
            "request",
            context=parent,
            kind=SpanKind.SERVER,
            record_exception=False,
            set_status_on_exception=False,
        ) as started,
        _ended_in_our_words(_Told(started)) as told,
    ):
        yield told


class Stages:
    """Steps below the one that was under way when this was made.

    For generators, whose body goes on in whichever thread asks for more: nothing is made current.
    """

    def __init__(self) -> None:
        self._parent: Any = None
        if _tracer is not None:
            from opentelemetry.context import get_current

            self._parent = get_current()

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        if _tracer is None or self._parent is None:
            yield
            return
        told = _Told(_tracer.start_span(name, context=self._parent))
        try:
            with _ended_in_our_words(told):
                yield
        finally:
            told.span.end()


@contextmanager
def _ended_in_our_words(told: _Told) -> Iterator[_Told]:
    try:
        yield told
    except Exception as error:  # whichever it is, it is told by its name and raised again
        told.fail(type(error).__name__)  # its message may hold a name or a text
        raise


def _attribute(name: str) -> str:
    """As the conventions call it; what is ours alone under our own name."""
    return _CONVENTIONS.get(name, f"sovereign_rag.{name}")
