"""What `docker-compose.yml` starts: pinned, cut off from outside, and set by real settings."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from sovereign_rag import settings
from sovereign_rag.errors import SettingsError
from sovereign_rag.version import VERSION

ROOT = Path(__file__).resolve().parents[2]
OURS = ("api", "worker")
ALL = ("qdrant", "api", "worker", "postgres")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
    return content


def environment(compose: dict[str, Any], service: str) -> dict[str, str | None]:
    """A service's variables; None for one that is passed on from outside if set there."""
    variables: dict[str, str | None] = compose["services"][service]["environment"]
    return variables


def filled_in(value: str) -> str:
    """`value` as Compose hands it on where the shell sets nothing but the required secrets."""
    value = re.sub(r"\$\{\w+:\?[^}]*\}", "a-secret", value)
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", value)


def test_there_are_a_store_a_service_a_worker_and_a_database_on_request(
    compose: dict[str, Any],
) -> None:
    services = compose["services"]

    assert set(services) == set(ALL)
    assert services["api"]["command"] == ["serve"]
    assert services["worker"]["command"] == ["worker"]
    assert services["postgres"]["profiles"] == ["postgresql"]
    assert [name for name in ALL if "profiles" in services[name]] == ["postgres"]


@pytest.mark.parametrize("service", OURS)
def test_every_variable_of_the_compose_file_is_a_setting(
    compose: dict[str, Any], service: str
) -> None:
    known = {settings.variable(name) for name in settings.names()}

    assert set(environment(compose, service)) <= known


@pytest.mark.parametrize("service", OURS)
def test_every_value_of_the_compose_file_is_a_valid_setting(
    compose: dict[str, Any], service: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in environment(compose, service).items():
        if value is not None:
            monkeypatch.setenv(name, filled_in(value))

    loaded = settings.load_settings()

    assert loaded.store.url == "http://qdrant:6333"
    assert loaded.store.api_key is not None
    assert loaded.store.api_key.get_secret_value() == "a-secret"
    assert loaded.data_dir == Path("/data")
    assert not loaded.server.allow_anonymous
    if service == "api":
        assert loaded.server.host == "0.0.0.0"
        assert "127.0.0.1" in loaded.server.allowed_hosts
        assert not loaded.ingest.worker_in_server


def test_a_misspelt_variable_would_be_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOVEREIGN_RAG_STORE__ULR", "http://qdrant:6333")

    with pytest.raises(SettingsError, match="SOVEREIGN_RAG_STORE__URL"):
        settings.load_settings()


def test_the_service_and_its_worker_share_store_catalog_and_data(compose: dict[str, Any]) -> None:
    api, worker = (environment(compose, service) for service in OURS)

    assert set(worker) <= set(api)
    assert all(api[name] == value for name, value in worker.items())
    assert compose["services"]["api"]["volumes"] == compose["services"]["worker"]["volumes"]


def images(compose: dict[str, Any]) -> Iterator[str]:
    for service in compose["services"].values():
        yield service["image"]
    for line in (ROOT / "docker" / "Dockerfile").read_text("utf-8").splitlines():
        if line.startswith("FROM "):
            yield line.split()[1]


def test_every_image_is_pinned_to_a_version(compose: dict[str, Any]) -> None:
    found = list(images(compose))

    assert len(found) == 6
    for image in found:
        assert re.search(r":v?\d+\.\d+(\.\d+)?(-[a-z]+)*(@sha256:[0-9a-f]{64})?$", image), image


def test_our_image_carries_the_products_version_and_qdrant_the_clients(
    compose: dict[str, Any],
) -> None:
    pinned = (ROOT / "constraints.txt").read_text("utf-8")
    qdrant = compose["services"]["qdrant"]["image"]
    client = re.search(r"^qdrant-client==(\d+\.\d+)", pinned, re.MULTILINE)

    assert compose["services"]["api"]["image"] == f"sovereign-rag:{VERSION}"
    assert compose["services"]["worker"]["image"] == f"sovereign-rag:{VERSION}"
    assert client is not None
    assert qdrant.startswith(f"qdrant/qdrant:v{client[1]}.")


def test_all_meet_on_a_network_without_a_way_out(compose: dict[str, Any]) -> None:
    assert compose["networks"]["inside"]["internal"] is True
    for service in ALL:
        assert "inside" in compose["services"][service]["networks"]


def test_the_service_alone_is_reached_from_outside_and_on_loopback_only(
    compose: dict[str, Any],
) -> None:
    services = compose["services"]

    assert [name for name in ALL if "ports" in services[name]] == ["api"]
    assert [name for name in ALL if services[name]["networks"] != ["inside"]] == ["api"]
    assert all(port.startswith("127.0.0.1:") for port in services["api"]["ports"])
    options = compose["networks"]["front"]["driver_opts"]
    assert options["com.docker.network.bridge.enable_ip_masquerade"] == "false"


def test_qdrant_sends_no_telemetry_wants_a_key_and_refuses_unindexed_filters(
    compose: dict[str, Any],
) -> None:
    variables = environment(compose, "qdrant")
    strict = "QDRANT__STORAGE__COLLECTION__STRICT_MODE__"

    assert variables["QDRANT__TELEMETRY_DISABLED"] == "true"
    assert "${QDRANT_API_KEY:?" in str(variables["QDRANT__SERVICE__API_KEY"])
    assert variables[f"{strict}ENABLED"] == "true"
    assert variables[f"{strict}UNINDEXED_FILTERING_RETRIEVE"] == "false"
    assert variables[f"{strict}UNINDEXED_FILTERING_UPDATE"] == "false"


@pytest.mark.parametrize("service", ALL)
def test_a_service_can_do_no_more_than_it_must(compose: dict[str, Any], service: str) -> None:
    config = compose["services"][service]

    assert config["read_only"] is True
    assert config["cap_drop"] == ["ALL"]
    assert config["security_opt"] == ["no-new-privileges:true"]
    assert int(config["user"].split(":")[0]) > 0
    assert "privileged" not in config
    assert "cap_add" not in config
    assert not any("docker.sock" in volume for volume in config["volumes"])
    assert config["deploy"]["resources"]["limits"]["memory"]
    assert config["healthcheck"]["test"]


def test_no_secret_stands_in_the_file(compose: dict[str, Any]) -> None:
    secrets = [
        value
        for service in ALL
        for name, value in environment(compose, service).items()
        if re.search(r"KEY$|PASSWORD$", name)
    ]

    assert len(secrets) == 4
    assert all(str(value).startswith("${") for value in secrets)
