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
NODES = ("service-1", "service-2", "worker-1", "worker-2")
CLUSTER = (*NODES, "qdrant-1", "qdrant-2", "qdrant-3", "s3", "bucket", "proxy")


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


def all_filled_in(content: Any) -> Any:
    if isinstance(content, dict):
        return {name: all_filled_in(value) for name, value in content.items()}
    if isinstance(content, list):
        return [all_filled_in(value) for value in content]
    return filled_in(content) if isinstance(content, str) else content


def test_there_are_a_store_a_service_a_worker_and_a_database_on_request(
    compose: dict[str, Any],
) -> None:
    services = compose["services"]

    assert set(services) == {*ALL, *CLUSTER}
    assert services["api"]["command"] == ["serve"]
    assert services["worker"]["command"] == ["worker"]
    assert services["postgres"]["profiles"] == ["postgresql", "cluster"]
    assert [name for name in ALL if "profiles" in services[name]] == ["postgres"]
    assert all(services[name]["profiles"] == ["cluster"] for name in CLUSTER)


def test_the_file_is_one_that_compose_takes(compose: dict[str, Any]) -> None:
    """By a parser of the whole specification; merges are YAML's, and are done before."""
    spec = pytest.importorskip("compose_spec")

    found = spec.PyCompose.from_yaml(yaml.safe_dump(all_filled_in(compose))).service_names()

    assert set(found) == {*ALL, *CLUSTER}


@pytest.mark.parametrize("node", NODES)
def test_a_node_of_the_cluster_has_its_own_folder_and_record_over_what_all_share(
    compose: dict[str, Any], node: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in environment(compose, node).items():
        if value is not None:
            monkeypatch.setenv(name, filled_in(value))

    loaded = settings.load_settings()

    assert loaded.store.addresses == tuple(f"http://qdrant-{n}:6333" for n in (1, 2, 3))
    assert (loaded.store.replication_factor, loaded.content.bucket) == (3, "documents")
    assert loaded.catalog.url is not None
    assert loaded.audit.writer == node
    assert compose["services"][node]["volumes"][0] == f"{node}:/data"
    assert loaded.ingest.worker_in_server is not node.startswith("service")


def test_the_cluster_is_reached_by_its_proxy_alone(compose: dict[str, Any]) -> None:
    services = compose["services"]

    assert [name for name in CLUSTER if "ports" in services[name]] == ["proxy"]
    assert services["proxy"]["networks"] == ["front"]
    assert {n for n in CLUSTER if "front" in services[n]["networks"]} == {
        "service-1",
        "service-2",
        "proxy",
    }
    assert all(port.startswith("127.0.0.1:") for port in services["proxy"]["ports"])


def test_nodes_of_the_store_join_the_first_and_are_the_version_of_the_client(
    compose: dict[str, Any],
) -> None:
    nodes = [compose["services"][f"qdrant-{number}"] for number in (1, 2, 3)]

    assert {node["image"] for node in nodes} == {compose["services"]["qdrant"]["image"]}
    assert all(node["environment"]["QDRANT__CLUSTER__ENABLED"] == "true" for node in nodes)
    assert "--bootstrap" not in nodes[0]["command"]
    for number, node in enumerate(nodes, start=1):
        assert node["command"][-1] == f"http://qdrant-{number}:6335"
    assert all("http://qdrant-1:6335" in node["command"] for node in nodes)


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

    assert len(found) == 16
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


@pytest.mark.parametrize("service", [*ALL, *CLUSTER])
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
        for service in (*ALL, *CLUSTER)
        for name, value in environment(compose, service).items()
        if re.search(r"(API|SECRET)_KEY$|PASSWORD$", name)
    ]

    assert len(secrets) == 17
    assert all(str(value).startswith("${") for value in secrets)


@pytest.mark.parametrize("service", [*ALL, *CLUSTER])
def test_a_service_is_given_the_time_that_its_end_takes(
    compose: dict[str, Any], service: str
) -> None:
    ours = compose["services"][service]

    assert ours["init"] is True
    assert int(ours["stop_grace_period"].removesuffix("s")) > settings.Settings().server.shutdown_s
