"""Traces reach the listed collector as OpenTelemetry has them, and hold no text."""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from starlette.testclient import TestClient

from sovereign_rag.access import local_owner
from sovereign_rag.app import create_app
from sovereign_rag.compliance.egress import destinations
from sovereign_rag.errors import SettingsError
from sovereign_rag.services.trace_export import exporting
from sovereign_rag.settings import AnswerSettings, Settings, load_settings
from sovereign_rag.settings.limits import TraceSettings
from sovereign_rag.system.tracing import span
from sovereign_rag.wiring import open_service
from tests.hashed import HashEmbedder
from tests.receiver import Receiver, receiving

QUESTION = "When does the canteen open?"
TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


@pytest.fixture
def collector() -> Iterator[Receiver]:
    with receiving() as opened:
        yield opened


def traces(collector: Receiver, **more: object) -> TraceSettings:
    url = f"{collector.url}/v1/traces"
    return TraceSettings.model_validate({"url": url, "allow": ["127.0.0.1"], **more})


def received(collector: Receiver) -> list[Span]:
    found: list[Span] = []
    for posted in collector.posted:
        assert (posted.path, posted.headers["content-type"]) == (
            "/v1/traces",
            "application/x-protobuf",
        )
        for resource in ExportTraceServiceRequest.FromString(posted.body).resource_spans:
            for scope in resource.scope_spans:
                found.extend(scope.spans)
    return found


def attributes(span: Span) -> dict[str, str]:
    return {
        pair.key: pair.value.string_value or str(pair.value.int_value) for pair in span.attributes
    }


def test_a_question_and_a_document_are_traced_step_by_step_without_their_texts(
    collector: Receiver,
    product_settings: Callable[..., Settings],
    tmp_path: Path,
) -> None:
    letter = tmp_path / "canteen.md"
    letter.write_text("# Canteen\n\nThe canteen opens at half past eleven.\n", encoding="utf-8")
    made = product_settings(answer=AnswerSettings(kind="extracts", writing_s=0.1))
    headers = {"traceparent": f"00-{TRACE}-{PARENT}-01", "X-Request-ID": "traced-0001"}
    with open_service(made, embedder=HashEmbedder()) as service:
        _, key = service.catalog.keys.create("Ana", "ana")
        client = TestClient(create_app(service), base_url="http://127.0.0.1")
        headers["Authorization"] = f"Bearer {key}"
        with exporting(traces(collector), "serve"):
            readers = frozenset({"everyone"})
            service.ingestion.ingest([letter], local_owner(), readers=readers)
            answered = client.post("/v1/answers", json={"question": QUESTION}, headers=headers)

    spans = received(collector)
    by_name = {one.name: one for one in spans}
    request = by_name["POST /v1/answers"]
    assert "half past eleven" in answered.text
    assert (request.trace_id.hex(), request.parent_span_id.hex()) == (TRACE, PARENT)
    assert attributes(request) == {
        "http.request.method": "POST",
        "http.route": "/v1/answers",
        "http.response.status_code": "200",
        "sovereign_rag.request_id": "traced-0001",
    }
    steps = {one.name for one in spans if one.trace_id.hex() == TRACE}
    assert {"answer.search", "retrieval.search"} <= steps
    document = by_name["ingest.document"]
    for step in ("ingest.parse", "ingest.embed", "store.write"):
        assert by_name[step].trace_id == document.trace_id
    told = b"".join(posted.body for posted in collector.posted).lower()
    assert not re.search(rb"canteen|eleven|ana\b|bearer", told)


def test_a_failed_step_is_told_by_the_name_of_its_error_alone(collector: Receiver) -> None:
    refused = pytest.raises(ValueError, match="canteen")
    with exporting(traces(collector), "worker"), refused, span("ingest.document"):
        raise ValueError("canteen.md is broken")

    (failed,) = received(collector)
    assert failed.status.message == "ValueError"
    assert b"canteen" not in collector.posted[0].body


def test_what_a_caller_does_not_trace_is_sampled_by_the_share(collector: Receiver) -> None:
    with exporting(traces(collector, share=0), "serve"), span("retrieval.search"):
        pass

    assert collector.posted == []


def test_a_collector_that_is_not_listed_is_never_contacted(collector: Receiver) -> None:
    named = traces(collector, url=f"http://collector.example:{collector.port}/v1/traces")
    bent = named.model_copy(update={"allow": ("collector.example",)})

    with exporting(bent, "serve", resolve=lambda *_: ["93.184.215.14"]), span("a"):
        pass

    assert collector.posted == []
    with (
        pytest.raises(SettingsError, match=r"sight\.traces\.allow does not list"),
        exporting(traces(collector, allow=["10.0.0.0/8"]), "serve"),
    ):
        raise AssertionError("it was contacted")
    with pytest.raises(SettingsError, match="`url` needs `allow`"):
        load_settings(overrides={"sight": {"traces": {"url": collector.url}}})


def test_the_collector_stands_among_the_destinations(collector: Receiver, tmp_path: Path) -> None:
    told = load_settings(
        overrides={"data_dir": tmp_path, "sight": {"traces": traces(collector).model_dump()}}
    )

    assert [one.setting for one in destinations(told)] == ["sight.traces.url"]


def test_a_service_starts_without_the_libraries_of_traces_and_of_tools() -> None:
    program = (
        "import sys, sovereign_rag.app, sovereign_rag.cli.serve, sovereign_rag.wiring;"
        "print([name for name in ('opentelemetry.sdk', 'mcp', 'torch') if name in sys.modules])"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120
    )

    assert done.stdout.strip() == "[]"
