"""Other programs are told when jobs and syncs end: signed, once at least, listed ones alone."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook
from starlette.testclient import TestClient

from sovereign_rag.app import create_app
from sovereign_rag.catalog.announcements import DeliveryState
from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.catalog.database import utc_now
from sovereign_rag.catalog.records import TaskState
from sovereign_rag.compliance.egress import destinations
from sovereign_rag.errors import SettingsError
from sovereign_rag.roles import Role
from sovereign_rag.services.webhook_sender import WebhookSender
from sovereign_rag.settings import Settings, load_settings
from sovereign_rag.wiring import open_service
from tests.catalog.conftest import SetClock
from tests.catalog.jobs import finish, submit
from tests.receiver import Receiver, receiving, self_signed

SECRET = "whsec_" + "c2VjcmV0IG9mIHR3ZW50eS1mb3VyIGJ5dGVzIQ=="
LOCAL = {"allow": ["127.0.0.1"], "secret": SECRET}


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as opened:
        yield opened


@pytest.fixture
def clock() -> SetClock:
    """Stands at the hour that it is: a signature holds for minutes."""
    clock = SetClock()
    clock.now = utc_now()
    return clock


def settings(folder: Path, receiver: Receiver, **more: Any) -> Settings:
    section = {"url": f"{receiver.url}/hook", **LOCAL, **more}
    return load_settings(overrides={"data_dir": folder, "webhooks": {"tickets": section}})


@pytest.fixture
def catalog(tmp_path: Path, receiver: Receiver, clock: SetClock) -> Iterator[Catalog]:
    with Catalog.open(settings(tmp_path, receiver), clock=clock) as opened:
        yield opened


def sender(catalog: Catalog, clock: SetClock, told: Settings, **more: Any) -> WebhookSender:
    return WebhookSender(told.webhooks, catalog, clock=clock, **more)


def one_job(catalog: Catalog) -> str:
    """A job of two documents, one of which fails; gives its id."""
    job = submit(catalog, "file:///salaries.pdf", "file:///b.pdf")
    finish(catalog)
    finish(catalog, state=TaskState.FAILED)
    return job.id


def test_the_end_of_a_job_is_told_once_and_signed_as_the_standard_says(
    tmp_path: Path, catalog: Catalog, receiver: Receiver, clock: SetClock
) -> None:
    telling = sender(catalog, clock, settings(tmp_path, receiver))
    job = one_job(catalog)

    assert telling.send_due("tickets")
    assert not telling.send_due("tickets")

    (posted,) = receiver.posted
    told = Webhook(SECRET).verify(posted.body, posted.headers)
    assert (told["type"], told["data"]["job"]) == ("job.finished", job)
    assert told["data"]["documents"]["total"] == 2
    assert told["data"]["documents"]["failed"] == 1
    assert "salaries" not in posted.body.decode()
    assert posted.path == "/hook"


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        ((500, {}), "it answered 500"),
        ((302, {"Location": "http://127.0.0.1:1/elsewhere"}), "redirects are not followed"),
    ],
)
def test_a_message_that_did_not_arrive_comes_again_under_its_id(
    tmp_path: Path,
    catalog: Catalog,
    receiver: Receiver,
    clock: SetClock,
    answer: tuple[int, dict[str, str]],
    error: str,
) -> None:
    telling = sender(catalog, clock, settings(tmp_path, receiver))
    one_job(catalog)
    receiver.answers.append(answer)

    telling.send_due("tickets")
    (waiting,) = catalog.webhooks.page("default", limit=10)
    assert not telling.send_due("tickets")  # not at once
    clock.move(seconds=6)
    telling.send_due("tickets")

    assert error in (waiting.error or "")
    first, second = receiver.posted
    assert (first.headers["webhook-id"], first.body) == (second.headers["webhook-id"], second.body)
    assert first.headers["webhook-signature"] != second.headers["webhook-signature"]
    (delivered,) = catalog.webhooks.page("default", limit=10)
    assert (delivered.state, delivered.tries, delivered.error) == ("delivered", 2, None)


def test_waits_grow_and_end_and_an_admin_lets_a_message_begin_anew(
    tmp_path: Path, catalog: Catalog, receiver: Receiver, clock: SetClock
) -> None:
    telling = sender(catalog, clock, settings(tmp_path, receiver, tries=3))
    one_job(catalog)
    receiver.answers += [(503, {"Retry-After": "90"}), (503, {}), (503, {})]

    telling.send_due("tickets")
    for wait_s in (89, 2, 19, 2):
        clock.move(seconds=wait_s)
        telling.send_due("tickets")
    (given_up,) = catalog.webhooks.page("default", limit=10)
    catalog.webhooks.send_again(given_up.id, "default")
    telling.send_due("tickets")

    assert (given_up.state, given_up.tries, given_up.status) == (DeliveryState.FAILED, 3, 503)
    assert len(receiver.posted) == 4
    assert catalog.webhooks.page("default", limit=10)[0].state is DeliveryState.DELIVERED


def test_a_receiver_that_wants_no_more_is_left_alone(
    tmp_path: Path, catalog: Catalog, receiver: Receiver, clock: SetClock
) -> None:
    telling = sender(catalog, clock, settings(tmp_path, receiver))
    one_job(catalog)
    receiver.answers.append((410, {}))

    telling.send_due("tickets")

    assert catalog.webhooks.page("default", limit=1)[0].state is DeliveryState.FAILED


def test_what_a_killed_process_had_in_hand_is_sent_by_the_next(
    tmp_path: Path, receiver: Receiver, clock: SetClock
) -> None:
    told = settings(tmp_path, receiver)
    program = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from sovereign_rag.catalog.catalog import Catalog\n"
        "from sovereign_rag.settings import load_settings\n"
        "import json\n"
        "made = json.loads(sys.argv[2])\n"
        "told = load_settings(overrides={'data_dir': Path(sys.argv[1]), 'webhooks': made})\n"
        "catalog = Catalog.open(told)\n"
        "catalog.jobs.create('default', 'user:ana', [])\n"  # a job without tasks has ended
        "assert catalog.webhooks.take('tickets', 'it', lease_s=60)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    section = {"url": f"{receiver.url}/hook", **LOCAL}
    given = [str(tmp_path), json.dumps({"tickets": section})]

    killed = subprocess.run([sys.executable, "-c", program, *given], check=False, timeout=120)
    with Catalog.open(told, clock=clock) as catalog:
        telling = sender(catalog, clock, told)
        early = telling.send_due("tickets")
        clock.now = utc_now() + timedelta(seconds=61)
        late = telling.send_due("tickets")

    assert (killed.returncode, early, late) == (-9, False, True)
    assert len(receiver.posted) == 1


def test_nothing_is_sent_to_an_address_that_is_not_listed(
    tmp_path: Path, catalog: Catalog, receiver: Receiver, clock: SetClock
) -> None:
    url = f"https://tickets.example:{receiver.port}/hook"
    named = settings(tmp_path, receiver, url=url, allow=["tickets.example"])
    bent = sender(catalog, clock, named, resolve=lambda *_: ["93.184.215.14"])
    one_job(catalog)

    bent.send_due("tickets")

    (waiting,) = catalog.webhooks.page("default", limit=1)
    assert "93.184.215.14" in (waiting.error or "")
    assert "nothing was sent" in (waiting.error or "")
    with pytest.raises(SettingsError, match=r"webhooks\.tickets\.allow does not list"):
        sender(catalog, clock, settings(tmp_path, receiver, allow=["10.0.0.0/8"]))


@pytest.mark.parametrize("vouched", [False, True])
def test_a_server_is_told_once_its_certificate_is_vouched_for(
    tmp_path: Path, clock: SetClock, vouched: bool
) -> None:
    certificate, key = self_signed(tmp_path)
    with receiving(certificate, key) as receiver:
        more = {"ca_file": certificate} if vouched else {}
        told = settings(tmp_path, receiver, **more)
        with Catalog.open(told, clock=clock) as catalog:
            one_job(catalog)
            sender(catalog, clock, told).send_due("tickets")
            (message,) = catalog.webhooks.page("default", limit=1)

    assert len(receiver.posted) == vouched
    assert (message.state is DeliveryState.DELIVERED) is vouched
    assert ("self-signed certificate" in (message.error or "")) is not vouched


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"url": "http://tickets.example/hook"}, "begins with https://"),
        ({"secret": "whsec_c2hvcnQ="}, "at least 24 bytes"),
        ({"secret": None}, "either `secret` or `secret_file`"),
        ({"allow": []}, "allow"),
        ({"events": ["everything"]}, "job.finished"),
    ],
)
def test_a_webhook_that_is_not_safe_is_refused_at_the_start(
    tmp_path: Path, receiver: Receiver, change: Mapping[str, Any], reason: str
) -> None:
    with pytest.raises(SettingsError, match=reason) as refusal:
        settings(tmp_path, receiver, **change)

    assert "c2hvcnQ" not in str(refusal.value)


def test_a_source_is_told_of_where_it_is_asked_for_and_jobs_are_not(
    tmp_path: Path, receiver: Receiver, clock: SetClock
) -> None:
    told = settings(tmp_path, receiver, events=["source.synced", "source.failed"])
    with Catalog.open(told, clock=clock) as catalog:
        one_job(catalog)
        ends: dict[str, dict[str, Any]] = {
            "a": {"counts": {"new": 3}},
            "b": {"error": "pay.pdf broke"},
        }
        for holder, ended in ends.items():
            begin = catalog.sources.begin_sync
            source = begin("default", "archive", "s3", holder=holder, lease_s=9)
            catalog.sources.end_sync(source.id, holder, **ended)
        deliveries = catalog.webhooks.page("default", limit=10)

    assert {one.event for one in deliveries} == {"source.synced", "source.failed"}
    assert not any("pay.pdf" in one.body for one in deliveries)


def test_an_admin_sees_and_sends_again_over_the_api_and_on_the_console(
    product_settings: Callable[..., Settings], receiver: Receiver
) -> None:
    section = {"url": f"{receiver.url}/hook", **LOCAL}
    told = product_settings(webhooks={"tickets": section})
    with open_service(told) as service:
        _, admin = service.catalog.keys.create("Adam", "adam", role=Role.ADMIN)
        _, stranger = service.catalog.keys.create("O", "o", role=Role.ADMIN, tenant="elsewhere")
        client = TestClient(create_app(service), base_url="http://127.0.0.1")
        client.headers["Authorization"] = f"Bearer {admin}"
        with WebhookSender(told.webhooks, service.catalog).running():
            sent = client.post("/v1/webhooks/tickets/ping")
            assert receiver.came.wait(60)
        listed = client.get("/v1/webhooks/deliveries").json()
        again = client.post(f"/v1/webhooks/deliveries/{sent.json()['id']}/resend").json()
        console = client.get("/admin/webhooks", headers={"Accept-Language": "fr"})
        client.headers["Authorization"] = f"Bearer {stranger}"
        foreign = client.get("/v1/webhooks/deliveries").json()
        refused = client.post("/v1/webhooks/tickets/ping")
        recorded = {record.entry.action for record in service.audit.read()}

    assert (sent.status_code, listed["webhooks"]) == (202, ["tickets"])
    assert listed["deliveries"][0]["id"] == sent.json()["id"]
    assert (again["state"], again["tries"]) == ("waiting", 0)
    assert "Envoyer un essai à tickets" in console.text
    assert (foreign["webhooks"], foreign["deliveries"], refused.status_code) == ([], [], 404)
    assert {"webhooks.list", "webhook.ping", "webhook.send_again"} <= recorded
    assert json.loads(receiver.posted[0].body)["type"] == "ping"


def test_where_messages_go_is_told_with_all_other_destinations(
    tmp_path: Path, receiver: Receiver
) -> None:
    (found,) = destinations(settings(tmp_path, receiver))

    assert (found.setting, found.is_local) == ("webhooks.tickets.url", True)
