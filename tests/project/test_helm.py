"""The Helm chart: clean by Helm's own linter, and what it makes is strict, closed and ours.

Helm's own library renders it, in a process of its own; without that the tests are skipped.
"""

import importlib.util
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from sovereign_rag import settings
from sovereign_rag.version import VERSION
from tests.project.imports import ROOT

CHART = ROOT / "deploy" / "helm" / "sovereign-rag"
REFERENCE = re.compile(r'"[^"#]*#/\$defs/')
RENDER = """
import json, sys
import helm_python as helm
chart, cases = sys.argv[1], json.load(sys.stdin)
told = {"lint": helm.lint(chart), "rendered": {}}
with helm.Chart.load(chart) as loaded:
    for name, values in cases.items():
        try:
            loaded.validate_schema(values)
            told["rendered"][name] = loaded.render(values, name="rag", namespace="prod")
        except helm.HelmError as error:
            told["rendered"][name] = {"refused": str(error)}
json.dump(told, sys.stdout)
"""
SMALL: Mapping[str, Any] = {
    "store": {"urls": ["http://qdrant:6333"]},
    "catalog": {"urlSecret": {"name": "rag-postgresql"}},
}
CLUSTER: Mapping[str, Any] = yaml.safe_load((CHART / "values-cluster.yaml").read_text("utf-8"))
CASES: Mapping[str, Mapping[str, Any]] = {
    "small": SMALL,
    "cluster": CLUSTER,
    "scaled": {**CLUSTER, "worker": {"autoscaling": {"enabled": True}}},
    "mounted": {
        **SMALL,
        "image": {"digest": f"sha256:{'a' * 64}"},
        "models": {"existingClaim": "models", "generation": "ministral.gguf"},
        "secretMounts": ["tickets"],
        "config": '[webhooks.tickets]\nurl = "https://tickets.inside/hook"\n',
        "metrics": {"scrapers": [{"podSelector": {}}]},
    },
    "no store": {"catalog": SMALL["catalog"]},
    "no database": {"store": SMALL["store"]},
    "two pods, one folder": {**SMALL, "service": {"replicas": 2}},
    "open egress": {**SMALL, "networkPolicy": {"egress": [{"ports": [{"port": 443}]}]}},
    "misspelt": {**SMALL, "storage": {}},
    "a secret in plain": {**SMALL, "catalog": {"url": "postgresql+psycopg://rag:secret@db/rag"}},
}
MADE = ("small", "cluster", "scaled", "mounted")
REFUSED = {
    "no store": "store.urls",
    "no database": "catalog.urlSecret.name",
    "two pods, one folder": "content.url",
    "open egress": "to",
    "misspelt": "storage",
    "a secret in plain": "url",
}


@pytest.fixture(scope="module")
def told() -> dict[str, Any]:
    """What Helm said of the chart, and of each case."""
    if importlib.util.find_spec("helm_python") is None:
        pytest.skip("there is no Helm: `pip install helm-python-sdk`")
    ran = subprocess.run(
        [sys.executable, "-c", RENDER, str(CHART)],
        input=json.dumps(CASES),
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    told: dict[str, Any] = json.loads(ran.stdout)
    for case, rendered in told["rendered"].items():
        if "refused" not in rendered:
            loaded = [yaml.load_all(text, yaml.CSafeLoader) for text in rendered.values()]
            told["rendered"][case] = [one for several in loaded for one in several if one]
    return told


def resources(told: Mapping[str, Any], case: str) -> list[dict[str, Any]]:
    made = told["rendered"][case]
    assert isinstance(made, list), made
    return made


def pods(told: Mapping[str, Any], case: str) -> Iterator[tuple[str, dict[str, Any]]]:
    for one in resources(told, case):
        if one["kind"] == "StatefulSet":
            yield one["metadata"]["labels"]["app.kubernetes.io/component"], one["spec"]


def referred(variable: Mapping[str, Any], kind: str) -> str:
    """What a reference comes to in a pod."""
    if "fieldRef" in variable["valueFrom"]:
        return f"rag-sovereign-rag-{kind}-12"
    return "sqlite:////data/catalog.sqlite3"


def test_helm_finds_nothing_wrong_with_the_chart(told: dict[str, Any]) -> None:
    worst = [one for one in told["lint"]["messages"] if one["severity"] > 1]

    assert (worst, told["lint"]["errors"]) == ([], [])
    described = yaml.safe_load((CHART / "Chart.yaml").read_text("utf-8"))
    assert described["appVersion"] == VERSION


@pytest.mark.parametrize("case", MADE)
def test_what_is_made_is_what_kubernetes_knows(told: dict[str, Any], case: str) -> None:
    known = pytest.importorskip("kubernetes_validate")
    schemas = Path(known.__file__).parent / "kubernetes-json-schema" / "v1.30.0-local-strict"
    definitions = json.loads((schemas / "_definitions.json").read_text("utf-8"))["$defs"]

    for one in resources(told, case):
        version = re.sub(r"^([^./]*)(?:\.[^/]*)?/", r"\1-", one["apiVersion"])
        text = (schemas / f"{one['kind'].lower()}-{version}.json").read_text("utf-8")
        schema = json.loads(REFERENCE.sub('"#/$defs/', text))
        wrong = Draft202012Validator({**schema, "$defs": reached(schema, definitions)})
        assert [error.message for error in wrong.iter_errors(one)] == []


def reached(schema: object, definitions: Mapping[str, Any]) -> dict[str, Any]:
    """The definitions that a schema leads to: all of them would take a second each."""
    found: dict[str, Any] = {}
    waiting = [json.dumps(schema)]
    while waiting:
        for name in re.findall(r'#/\$defs/([^"]+)', waiting.pop()):
            if name not in found:
                text = REFERENCE.sub('"#/$defs/', json.dumps(definitions[name]))
                found[name] = json.loads(text)
                waiting.append(text)
    return found


@pytest.mark.parametrize("case", REFUSED)
def test_values_that_would_not_do_are_refused_with_their_name(
    told: dict[str, Any], case: str
) -> None:
    assert REFUSED[case] in told["rendered"][case].get("refused", "")


@pytest.mark.parametrize("case", MADE)
def test_pods_are_confined_and_have_their_probes(told: dict[str, Any], case: str) -> None:
    kinds = dict(pods(told, case))

    assert set(kinds) == {"service", "worker"}
    for spec in kinds.values():
        pod = spec["template"]["spec"]
        (container,) = pod["containers"]
        confined = container["securityContext"]
        assert pod["securityContext"]["runAsNonRoot"]
        assert confined["readOnlyRootFilesystem"]
        assert not confined["allowPrivilegeEscalation"]
        assert confined["capabilities"] == {"drop": ["ALL"]}
        assert not pod["automountServiceAccountToken"]
        assert {"startupProbe", "readinessProbe", "livenessProbe"} <= set(container)
        assert container["resources"]["limits"]["memory"]
    service = kinds["service"]["template"]["spec"]["containers"][0]
    paths = {name: service[name]["httpGet"]["path"] for name in service if name.endswith("Probe")}
    assert paths == {
        "startupProbe": "/healthz",
        "readinessProbe": "/readyz",
        "livenessProbe": "/healthz",
    }


@pytest.mark.parametrize("case", MADE)
def test_every_variable_is_a_setting_and_its_value_holds(
    told: dict[str, Any], case: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    known = {settings.variable(name) for name in settings.names()} | {"SOVEREIGN_RAG_CONFIG"}
    monkeypatch.chdir(tmp_path)
    for kind, spec in pods(told, case):
        given = {one["name"]: one for one in spec["template"]["spec"]["containers"][0]["env"]}
        assert set(given) <= known
        for name, one in given.items():
            if name != "SOVEREIGN_RAG_CONFIG":
                monkeypatch.setenv(name, one.get("value") or referred(one, kind))

        loaded = settings.load_settings()

        assert str(loaded.data_dir) == "/data"
        assert loaded.parse.sandbox == "required"
        if kind == "service":
            assert not loaded.ingest.worker_in_server
            assert not loaded.server.allow_anonymous


@pytest.mark.parametrize("case", MADE)
def test_secrets_come_by_reference_alone(told: dict[str, Any], case: str) -> None:
    for _, spec in pods(told, case):
        for one in spec["template"]["spec"]["containers"][0]["env"]:
            if re.search(r"API_KEY$|CATALOG__URL$|REDIS_URL$", one["name"]):
                assert "secretKeyRef" in one["valueFrom"]
    assert "Secret" not in {one["kind"] for one in resources(told, case)}


@pytest.mark.parametrize("case", MADE)
def test_pods_reach_names_and_what_is_listed_and_nothing_else(
    told: dict[str, Any], case: str
) -> None:
    policies = [one["spec"] for one in resources(told, case) if one["kind"] == "NetworkPolicy"]
    listed = CASES[case].get("networkPolicy", {}).get("egress", [])

    assert len(policies) == 2
    for policy in policies:
        assert policy["policyTypes"] == ["Ingress", "Egress"]
        assert {port["port"] for port in policy["egress"][0]["ports"]} == {53}
        assert policy["egress"][1:] == listed
        assert all(rule["to"] for rule in policy["egress"])
        assert all(rule["from"] for rule in policy["ingress"] or ())


def test_a_cluster_has_two_of_each_with_a_folder_each_and_gives_way_one_by_one(
    told: dict[str, Any],
) -> None:
    kinds = dict(pods(told, "cluster"))
    made = {one["kind"]: one for one in resources(told, "cluster")}

    assert [spec["replicas"] for spec in kinds.values()] == [2, 2]
    assert all(spec["volumeClaimTemplates"] for spec in kinds.values())
    assert made["PodDisruptionBudget"]["spec"]["minAvailable"] == 1
    assert "PersistentVolumeClaim" not in made
    assert made["Ingress"]["spec"]["tls"][0]["hosts"] == ["rag.example.org"]


def test_a_small_one_keeps_its_documents_when_it_is_uninstalled(told: dict[str, Any]) -> None:
    (claim,) = [o for o in resources(told, "small") if o["kind"] == "PersistentVolumeClaim"]

    assert claim["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"
    for _, spec in pods(told, "small"):
        volumes = {v["name"]: v for v in spec["template"]["spec"]["volumes"]}
        assert volumes["data"]["persistentVolumeClaim"]["claimName"] == claim["metadata"]["name"]


def test_workers_are_added_by_the_length_of_the_queue(told: dict[str, Any]) -> None:
    (scaler,) = [o for o in resources(told, "scaled") if o["kind"] == "HorizontalPodAutoscaler"]
    kinds = dict(pods(told, "scaled"))

    (metric,) = scaler["spec"]["metrics"]
    assert metric["external"]["metric"]["name"] == "sovereign_rag_documents_waiting"
    assert "replicas" not in kinds["worker"]
    assert kinds["service"]["replicas"] == 2


def test_an_image_is_pinned_by_its_bytes_where_they_are_named(told: dict[str, Any]) -> None:
    images = {
        spec["template"]["spec"]["containers"][0]["image"] for _, spec in pods(told, "mounted")
    }

    assert images == {f"sovereign-rag@sha256:{'a' * 64}"}
