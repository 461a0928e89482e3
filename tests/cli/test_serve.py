"""`serve`: who may call, where it listens, and how it ends."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from sovereign_rag.catalog.records import NewTask
from sovereign_rag.cli.serve import is_loopback, listening, serving
from sovereign_rag.errors import BadInput, EnvironmentFault
from sovereign_rag.roles import Role
from sovereign_rag.settings import load_settings
from sovereign_rag.wiring import open_service


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("192.168.1.5", False),
        ("::", False),
        ("rag.example", False),
        ("127.0.0.1.example", False),
    ],
)
def test_anonymous_callers_are_allowed_on_loopback_alone(host: str, loopback: bool) -> None:
    settings = load_settings()

    assert is_loopback(host) is loopback
    if loopback:
        server = serving(settings, host=host, port=None, allow_anonymous=True).server
        assert (server.host, server.allow_anonymous) == (host, True)
    else:
        with pytest.raises(BadInput, match="Anonymous"):
            serving(settings, host=host, port=None, allow_anonymous=True)
        assert serving(settings, host=host, port=None, allow_anonymous=False).server.host == host


def test_anonymous_callers_by_a_setting_need_the_word_that_no_proxy_stands_before() -> None:
    settings = load_settings(overrides={"server": {"allow_anonymous": True}})
    said = load_settings(overrides={"server": {"allow_anonymous": True, "no_proxy": True}})

    with pytest.raises(BadInput, match=r"server\.no_proxy"):
        serving(settings, host=None, port=None, allow_anonymous=False)
    assert serving(said, host=None, port=None, allow_anonymous=False).server.allow_anonymous


def test_an_address_named_on_the_command_line_may_be_called_by_its_name() -> None:
    settings = load_settings()

    named = serving(settings, host="192.168.1.5", port=0, allow_anonymous=False).server
    every = serving(settings, host="0.0.0.0", port=0, allow_anonymous=False).server

    assert "192.168.1.5" in named.allowed_hosts
    assert every.allowed_hosts == settings.server.allowed_hosts


def test_a_port_that_is_taken_is_named_with_the_way_out() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        with pytest.raises(EnvironmentFault, match=rf"port {port}.*--port"):
            listening("127.0.0.1", port).__enter__()

    with listening("127.0.0.1", port) as free:
        assert free.getsockname()[1] == port


@pytest.mark.model
def test_the_server_says_where_it_is_answers_and_ends_well_on_a_signal(tmp_path: Path) -> None:
    import httpx

    running = subprocess.Popen(
        [
            *(sys.executable, "-m", "sovereign_rag.cli", "serve", "--port", "0"),
            *("--data-dir", str(tmp_path / "data")),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert running.stdout is not None
    address = running.stdout.readline().strip()  # it listens already when it says so

    health = httpx.get(f"{address}/healthz", timeout=60, trust_env=False)
    running.send_signal(signal.SIGTERM)
    _, err = running.communicate(timeout=60)

    assert address.startswith("http://127.0.0.1:")
    assert health.status_code == 200
    assert running.returncode == 0, err


@pytest.mark.model
def test_the_service_ends_in_time_beside_open_streams_which_are_told_so(tmp_path: Path) -> None:
    import httpx

    data = tmp_path / "data"
    with open_service(load_settings(overrides={"data_dir": data})) as service:
        tasks = [NewTask("upload:a.txt", "a.txt", frozenset(), 0, path=str(tmp_path / "none"))]
        job = service.catalog.jobs.create("default", "user:adam", tasks)
        secret = service.catalog.keys.create("Adam", "adam", role=Role.ADMIN)[1]
    running = subprocess.Popen(
        [
            *(sys.executable, "-m", "sovereign_rag.cli", "serve", "--port", "0"),
            *("--data-dir", str(data)),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "SOVEREIGN_RAG_INGEST__WORKER_IN_SERVER": "false"},
    )
    assert running.stdout is not None
    address = running.stdout.readline().strip()

    with httpx.stream(
        "GET",
        f"{address}/v1/jobs/{job.id}/events",
        headers={"Authorization": f"Bearer {secret}"},
        timeout=60,
        trust_env=False,
    ) as stream:
        lines = stream.iter_lines()
        first = next(lines)
        running.send_signal(signal.SIGTERM)
        rest = list(lines)  # it ends
    _, err = running.communicate(timeout=60)

    assert first == "event: progress"
    assert rest
    assert running.returncode == 0, err


# Evaluation
