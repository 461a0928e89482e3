"""The service under slow, half and hostile callers: each loses its own place and nobody else's."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import httpx
import pytest
import uvicorn

from sovereign_rag.app import create_app
from sovereign_rag.catalog.records import NewTask
from sovereign_rag.http.protocol import timed_protocol
from sovereign_rag.roles import Role
from sovereign_rag.services.running_settings import RunningSettings
from sovereign_rag.settings import ServerSettings
from tests.api.conftest import Product
from tests.api.test_identity import signed_in

SOON_S = 30  # far more than what is waited for
LIMITS = ServerSettings(request_timeout_s=1, send_timeout_s=5, uploads=2, uploads_per_person=2)


@pytest.fixture(scope="module")
def strict(product: Product) -> Iterator[Product]:
    """The product behind a server of its own whose limits are short."""
    application = product.application
    before, values = application.running, application.catalog.setting_values
    short = before.base.model_copy(update={"server": LIMITS})
    application.running = RunningSettings(short, values)
    app = create_app(application)
    application.running = before
    config = uvicorn.Config(
        app, host="127.0.0.1", port=0, log_level="error", http=timed_protocol(1.0)
    )
    with _running(config) as url:
        yield Product(
            application,
            url,
            product.keys,
            product.documents,
            product.ingested,
            product.source_folder,
        )


@contextmanager
def _running(config: uvicorn.Config) -> Iterator[str]:
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    give_up = time.monotonic() + SOON_S
    while not server.started and time.monotonic() < give_up:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(SOON_S)


def line_to(product: Product, text: str) -> socket.socket:
    """A raw connection on which `text` was sent."""
    address = urlsplit(product.url)
    line = socket.create_connection((address.hostname or "", address.port or 0), timeout=SOON_S)
    line.sendall(text.encode())
    return line


def half_upload(product: Product) -> socket.socket:
    return line_to(
        product,
        "POST /v1/documents HTTP/1.1\r\nHost: localhost\r\n"
        f"Authorization: Bearer {product.keys['admin']}\r\n"
        "Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 5000\r\n\r\n"
        '--x\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\nhalf',
    )


def test_a_line_that_sends_half_a_header_is_let_go(strict: Product) -> None:
    with line_to(strict, "GET /healthz HTTP/1.1\r\nHost: loc") as line:
        assert line.recv(100) == b""
    with line_to(strict, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n") as line:
        assert line.recv(100).startswith(b"HTTP/1.1 200")


def test_half_uploads_hold_up_no_other_route_and_are_let_go(strict: Product) -> None:
    lines = [half_upload(strict) for _ in range(12)]
    with strict.client("admin") as client:
        listed = client.get("/v1/documents")
        healthy = client.get("/healthz")
    answers = [line.recv(20) for line in lines]
    for line in lines:
        line.close()
    with strict.client("admin") as client:
        whole = client.post("/v1/documents", files={"file": ("patience.txt", b"Tea at four.")})

    assert (listed.status_code, healthy.status_code) == (200, 200)
    # Those that had a place ran out of time, the others were told to come again.
    assert {answer[9:12] for answer in answers} == {b"408", b"429"}
    assert whole.status_code == 202


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_a_monitor_that_names_another_host_is_answered(product: Product, path: str) -> None:
    with product.client("ana") as client:
        asked = client.get(path, headers={"Host": "10.1.2.3"})
        elsewhere = client.get("/v1/documents", headers={"Host": "10.1.2.3"})

    assert asked.status_code == 200
    assert elsewhere.status_code == 400


@pytest.mark.parametrize(
    ("host", "status"),
    [("localhost", 200), ("localhost:80", 200), ("localhost:80@evil.example", 400), ("", 400)],
)
def test_odd_host_values_are_refused(product: Product, host: str, status: int) -> None:
    request = (
        f"GET /v1/documents HTTP/1.1\r\nHost: {host}\r\n"
        f"Authorization: Bearer {product.keys['ana']}\r\n\r\n"
    )
    with line_to(product, request) as line:
        assert line.recv(20).startswith(b"HTTP/1.1 %d" % status)


@pytest.mark.parametrize("path", ["/v1/search", "/healthz", "/readyz"])
def test_a_request_with_two_lengths_is_refused_and_its_line_closed(
    product: Product, path: str
) -> None:
    method, body = ("POST", '{"query": "heating"}') if path == "/v1/search" else ("GET", "")
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    key = f"Authorization: Bearer {product.keys['ana']}\r\n"
    once = f"{head}{key}Content-Length: {len(body)}\r\n\r\n{body}"
    twice = f"{head}{key}Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"

    with line_to(product, once) as line:
        assert line.recv(20).startswith(b"HTTP/1.1 200")
    with line_to(product, twice) as line:
        refused = b"".join(iter(lambda: line.recv(4_096), b""))  # until the service hangs up

    assert refused.startswith(b"HTTP/1.1 400")
    assert refused.count(b"HTTP/1.1") == 1


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/documents", 200),
        ("/v1/documents?limit=5", 200),
        ("/v1/documents?limti=5", 400),
        ("/v1/jobs?limit=5&tenant=other", 400),
    ],
)
def test_a_parameter_that_no_route_has_is_told(product: Product, path: str, status: int) -> None:
    with product.client("admin") as client:
        response = client.get(path)

    assert response.status_code == status
    assert (status == 400) == ("takes" in response.text and "no parameter" in response.text)


@pytest.mark.parametrize(("after", "status"), [(0, 200), (2**63 - 1, 200), (2**63, 400)])
def test_a_place_to_go_on_from_is_a_number_that_can_be_one(
    product: Product, after: int, status: int
) -> None:
    with product.client("admin") as client:
        job = client.get("/v1/jobs").json()["jobs"][0]["job_id"]
        response = client.get(f"/v1/jobs/{job}/documents", params={"after": after})

    assert response.status_code == status


@pytest.mark.parametrize("path", ["/healthz", "/v1/documents", "/static/frame.css", "/"])
def test_head_is_answered_as_get_without_a_body(product: Product, path: str) -> None:
    with product.client("ana") as client:
        head, whole = client.head(path), client.get(path)

    assert (head.status_code, head.content) == (whole.status_code, b"")
    assert head.headers["content-type"] == whole.headers["content-type"]


def test_a_link_from_elsewhere_opens_the_page_signed_in_and_signs_nobody_out(
    product: Product,
) -> None:
    with signed_in(product, "ana") as client:
        page = {"Accept": "text/html", "Sec-Fetch-Site": "cross-site", "Referer": "https://wiki"}
        opened = client.get("/documents", headers=page)
        bare = httpx.get(f"{product.url}/documents", headers=page)
        again = client.get("/v1/documents")

    assert opened.status_code == 200
    assert bare.status_code == 303
    assert "set-cookie" not in bare.headers  # a browser that sent none loses none
    assert again.status_code == 200


def test_a_session_that_is_over_is_taken_back(product: Product) -> None:
    with product.client() as client:
        client.cookies.set("srag_session", "long-gone")
        response = client.get("/documents", headers={"Accept": "text/html"})

    assert response.status_code == 303
    assert 'srag_session=""' in response.headers["set-cookie"]


def test_signing_in_ends_the_session_that_the_browser_had(product: Product) -> None:
    with signed_in(product, "ana") as client:
        earlier = client.cookies["srag_session"]
        form = {"key": product.keys["hugo"], "next": "/"}
        client.post("/sign-in", data=form, headers={"Origin": product.url})
        now = client.cookies["srag_session"]
        old = httpx.get(f"{product.url}/v1/documents", cookies={"srag_session": earlier})
        new = httpx.get(f"{product.url}/v1/documents", cookies={"srag_session": now})

    assert (old.status_code, new.status_code) == (401, 200)


def test_an_origin_of_another_scheme_is_another_site(product: Product) -> None:
    other = product.url.replace("http://", "https://")
    with signed_in(product, "ana") as client:
        ours = client.post("/v1/search", json={"query": "tea"}, headers={"Origin": product.url})
        mixed = client.post("/v1/search", json={"query": "tea"}, headers={"Origin": other})

    assert (ours.status_code, mixed.status_code) == (200, 403)


def test_a_revoked_key_ends_what_it_is_streaming(product: Product) -> None:
    key, secret = product.application.catalog.keys.create("Short", "adam", role=Role.ADMIN)
    events = (
        "GET /v1/jobs/{}/events HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\r\n"
    )
    tasks = [NewTask(f"upload:waits-{n}.txt", f"waits-{n}.txt", frozenset(), 0) for n in range(2)]
    job = product.application.catalog.jobs.create("default", "user:adam", tasks)
    with (
        line_to(product, events.format(job.id, secret)) as line,
        line_to(product, events.format(job.id, product.keys["admin"])) as other,
    ):
        assert b"event: progress" in _until(line, b"event: progress")
        product.application.catalog.keys.revoke(key.id)
        ended = time.monotonic()
        rest = _until(line, b"\r\n0\r\n\r\n")
        ended = time.monotonic() - ended
        other.setblocking(False)
        still = _until(other, b"event: progress")
    product.application.catalog.jobs.cancel(job.id, "default")

    assert rest.endswith(b"0\r\n\r\n")  # the stream's end
    assert ended < SOON_S
    assert b"event: progress" in still
    assert not still.endswith(b"0\r\n\r\n")


def _until(line: socket.socket, end: bytes) -> bytes:
    """What comes on a line, until `end` is in it or nothing comes any more."""
    got = b""
    while end not in got:
        try:
            got += (part := line.recv(4_096))
        except (TimeoutError, BlockingIOError):
            break
        if not part:
            break
    return got
