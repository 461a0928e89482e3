"""What holds for every request: one shape of errors, security headers, hosts, health."""

import json
import threading
from collections.abc import Iterator

import anyio
import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from sovereign_rag.errors import Busy, GenerationError
from sovereign_rag.http.errors import UNEXPECTED, error_response
from sovereign_rag.http.middleware import UnexpectedErrors, host_name
from sovereign_rag.http.streaming import EventStream, StreamEvent
from tests.api.conftest import Product, serving


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/healthz", 200),
        ("GET", "/", 303),
        ("GET", "/docs", 200),
        ("GET", "/static/frame.css", 200),
        ("GET", "/openapi.json", 200),
        ("GET", "/v1/documents", 401),
        ("GET", "/v1/nowhere", 404),
        ("PUT", "/v1/answers", 405),
    ],
)
def test_every_response_carries_the_security_headers(
    product: Product, method: str, path: str, status: int
) -> None:
    with product.client() as client:
        response = client.request(method, path, headers={"Accept": "text/html"})

    policy = response.headers["content-security-policy"]
    assert response.status_code == status
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["referrer-policy"] == "no-referrer"
    assert response.headers["cross-origin-resource-policy"] == "same-origin"


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [("GET", "/v1/nowhere", 404, "NotFound"), ("PUT", "/v1/answers", 405, "MethodNotAllowed")],
)
def test_the_frameworks_refusals_have_our_shape(
    product: Product, method: str, path: str, status: int, code: str
) -> None:
    with product.client() as client:
        response = client.request(method, path)

    assert response.status_code == status
    assert set(response.json()) == {"error", "detail", "request_id"}
    assert response.json()["error"] == code


def test_nothing_private_is_kept_by_a_cache(product: Product) -> None:
    with product.client("ana") as client:
        response = client.get("/v1/documents")

    assert response.headers["cache-control"] == "no-store"


@pytest.mark.parametrize(
    ("host", "status"),
    [("127.0.0.1", 200), ("localhost:1", 200), ("[::1]:80", 200), ("evil.example", 400)],
)
def test_only_our_own_host_names_are_answered(product: Product, host: str, status: int) -> None:
    with product.client() as client:
        response = client.get("/docs", headers={"Host": host})

    assert response.status_code == status


@pytest.mark.parametrize(
    ("host", "name"),
    [("Rag.Example:8080", "rag.example"), ("[::1]:8080", "[::1]"), ("[::1]", "[::1]"), ("", "")],
)
def test_a_host_name_is_read_without_its_port(host: str, name: str) -> None:
    assert host_name(host) == name


def test_a_body_too_large_for_a_question_is_refused(product: Product) -> None:
    with product.client("ana") as client:
        response = client.post("/v1/answers", json={"question": "x" * (1 << 20)})

    assert response.status_code == 413
    assert response.json()["error"] == "TooLarge"


def test_the_service_says_that_it_lives_and_what_is_ready(product: Product) -> None:
    with product.client() as client:
        alive, ready = client.get("/healthz"), client.get("/readyz")

    assert alive.json()["status"] == "ok"
    assert {"catalog", "store", "embedding", "generation", "disk"} <= set(
        ready.json()["components"]
    )
    assert ready.json()["components"]["store"] == "ok"


def test_the_description_names_our_refusals_and_not_the_frameworks(product: Product) -> None:
    with product.client() as client:
        schema = client.get("/openapi.json").json()

    operations = [operation for path in schema["paths"].values() for operation in path.values()]
    assert len(operations) > 20
    assert all(operation["description"] for operation in operations)
    assert all("422" not in operation["responses"] for operation in operations)
    assert "HTTPValidationError" not in json.dumps(schema)
    assert set(schema["paths"]["/v1/answers"]["post"]["responses"]) >= {"200", "400", "401", "429"}


def test_the_reference_page_loads_nothing_from_elsewhere(product: Product) -> None:
    with product.client() as client:
        html = client.get("/docs").text

    assert "/v1/answers" in html
    assert "http://" not in html.replace("http://www.w3.org", "")
    assert "https://" not in html
    assert "<script" not in html


def test_whoever_finds_every_place_taken_learns_when_to_come_again() -> None:
    response = error_response(Busy("Every place is taken.", retry_after_s=11.2))

    assert response.status_code == 429
    assert response.headers["retry-after"] == "12"


def test_a_failure_that_nobody_foresaw_tells_its_caller_nothing() -> None:
    async def fail(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            raise RuntimeError("the password is swordfish")

    app = UnexpectedErrors(
        fail,
        respond=lambda request: JSONResponse(UNEXPECTED, status_code=500),
    )
    with serving(app) as url:
        response = httpx.get(url)

    assert response.status_code == 500
    assert response.json() == UNEXPECTED


def test_an_answer_is_given_up_when_its_asker_leaves() -> None:
    cancel, ended = threading.Event(), threading.Event()

    def events() -> Iterator[StreamEvent]:
        try:
            yield StreamEvent("token", {"text": "first"})
            cancel.wait(60)
        finally:
            ended.set()

    with serving(_streaming(events(), cancel)) as url:
        with httpx.stream("GET", url) as response:
            first = next(response.iter_lines())
        left = cancel.wait(60) and ended.wait(60)

    assert first == "event: token"
    assert left


def test_a_silent_stream_shows_that_it_lives() -> None:
    seen = threading.Event()

    def events() -> Iterator[StreamEvent]:
        yield StreamEvent("token", {"text": "first"})
        seen.wait(60)

    with (
        serving(_streaming(events(), threading.Event(), heartbeat_s=0.05)) as url,
        httpx.stream("GET", url) as response,
    ):
        heartbeat = next(line for line in response.iter_lines() if line.startswith(":"))
        seen.set()

    assert heartbeat == ": still here"


def test_a_failure_after_the_first_event_is_the_last_event() -> None:
    def events() -> Iterator[StreamEvent]:
        yield StreamEvent("token", {"text": "first"})
        raise GenerationError("The model failed while writing.")

    with serving(_streaming(events(), threading.Event())) as url:
        lines = httpx.get(url).text.splitlines()

    assert "event: error" in lines
    assert json.loads(lines[lines.index("event: error") + 1].removeprefix("data: ")) == {
        "error": "GenerationError",
        "detail": "The model failed while writing.",
    }


def test_a_refusal_before_the_first_event_is_an_ordinary_response() -> None:
    def events() -> Iterator[StreamEvent]:
        raise Busy("Every place is taken.", retry_after_s=3)
        yield

    async def stream(request: Request) -> Response:
        try:
            return await EventStream.opened(
                events(), cancel=threading.Event(), slots=anyio.CapacityLimiter(1)
            )
        except Busy as error:
            return error_response(error)

    with serving(Starlette(routes=[Route("/", stream)])) as url:
        response = httpx.get(url)

    assert response.status_code == 429


def _streaming(
    events: Iterator[StreamEvent], cancel: threading.Event, heartbeat_s: float = 10.0
) -> Starlette:
    async def stream(request: Request) -> Response:
        places = anyio.CapacityLimiter(2)
        return EventStream(events, cancel=cancel, slots=places, heartbeat_s=heartbeat_s)

    return Starlette(routes=[Route("/", stream)])
