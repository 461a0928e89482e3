"""What an installation may speak to is told by it, whole; and a test of it is signed."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from sovereign_rag.compliance.egress import destinations
from sovereign_rag.compliance.self_test import leaves
from sovereign_rag.settings import Settings, names
from tests.cli.running import CommandLine
from tests.compliance.page import TOOL, shown

ADDRESSES = re.compile(r"(?:^|[._])(?:url|urls|host|endpoint|anchor|issuer)$")
TOLD = {
    "store.url",
    "catalog.url",
    "audit.anchor",
    "content.endpoint",
    "generation.endpoint.urls",
    "embedding.endpoint.urls",
    "retrieval.reranker_endpoint.urls",
    "identity.ldap.url",
    "identity.oidc.jwks_url",
    "identity.oidc.token_url",
    "client.url",
    "limits.redis_url",
    "sight.traces.url",
    "audit.timestamp.url",
}
NOT_CONTACTED = {
    "content.url": "a bucket's name",
    "identity.oidc.issuer": "compared with what a token says",
    "identity.oidc.authorize_url": "the browser goes there",
    "server.host": "where we listen",
    "sight.metrics_host": "likewise",
    "server.public_url": "our own address",
}


def settings(tmp_path: Path, **sections: Any) -> Settings:
    return Settings(data_dir=tmp_path, **sections)


def test_by_default_nothing_may_be_contacted(tmp_path: Path) -> None:
    assert destinations(settings(tmp_path)) == ()


def test_each_address_is_told_with_what_is_sent_and_without_its_password(tmp_path: Path) -> None:
    made = settings(
        tmp_path,
        store={"url": "http://qdrant.house:6333,http://qdrant-2.house:6333"},
        limits={"redis_url": "redis://:s3cret@redis.house:6379/0"},
        catalog={"url": "postgresql+psycopg://rag:s3cret@db.house/rag"},
        audit={"anchor": "syslog+tcp://log.house:601"},
        content={"url": "s3://docs/rag", "endpoint": "https://minio.house:9000"},
        sources={
            "mail": {"kind": "imap", "host": "mail.house", "user": "rag", "password": "s3cret"},
            "files": {"kind": "s3", "endpoint": "https://s3.house", "bucket": "docs"},
        },
        client={"url": "http://127.0.0.1:8080"},
    )

    found = destinations(made)

    assert {d.address for d in found} == {
        "http://qdrant.house:6333",
        "http://qdrant-2.house:6333",
        "redis://redis.house:6379",
        "postgresql+psycopg://db.house",
        "syslog+tcp://log.house:601",
        "https://minio.house:9000",
        "imap://mail.house",
        "https://s3.house",
        "http://127.0.0.1:8080",
    }
    assert "s3cret" not in repr(found)
    assert [d.setting for d in found if d.is_local] == ["client.url"]
    assert all(d.sent and d.when for d in found)


def test_no_setting_with_an_address_is_left_out() -> None:
    with_address = {name for name in names() if ADDRESSES.search(name)}

    assert with_address <= TOLD | NOT_CONTACTED.keys(), "tell of it in compliance/egress.py"


@pytest.mark.parametrize(
    ("call", "is_departure"),
    [
        ('7 connect(3, {sa_family=AF_UNIX, sun_path="/x"}, 110) = 0', False),
        ('7 connect(3, {sa_family=AF_INET, sin_addr=inet_addr("127.0.0.1")}, 16) = 0', False),
        ('7 connect(3, {sa_family=AF_INET, sin_addr=inet_addr("192.0.2.7")}, 16) = -1', True),
        ('7 sendto(3, "", 0, 0, {sa_family=AF_INET6, inet_pton(AF_INET6, "2001:db8::1")}', True),
        ("7 connect(3, {sa_family=AF_INET, unreadable}, 16) = 0", True),
    ],
)
def test_a_call_that_leaves_the_machine_is_told_from_one_that_does_not(
    call: str, is_departure: bool
) -> None:
    assert leaves(call) == is_departure


@pytest.mark.model
@pytest.mark.namespace
def test_the_self_test_works_without_a_network_sees_nothing_leave_and_prints_what_the_page_shows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cli = CommandLine(tmp_path / "data", capsys)
    key, report = tmp_path / "dpo.pem", tmp_path / "egress.json"
    cli("audit", "key", str(key))

    done = cli("egress", "report", "--self-test", "--key", str(key), "--to", str(report))

    told = json.loads(report.read_text("utf-8"))["statement"]["self_test"]
    if not told["confined"]:
        pytest.skip("this machine gives no network namespace")
    assert (told["answered"], told["deleted"], told["departures"]) == (True, True, [])
    assert (done.code, told["passed"]) == (0, True)
    assert not told["traced"] or told["calls"] > 0
    printed = TOOL["same"](done.out).splitlines()
    traced = "calls seen"  # the one row that strace has a part in
    assert [line for line in printed if not line.startswith(traced)] == [
        line for line in shown("sovereign-rag egress report --self-test") if traced not in line
    ]


def test_a_report_is_signed_and_one_that_was_changed_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cli = CommandLine(tmp_path / "data", capsys)
    key, public, report = (tmp_path / name for name in ("dpo.pem", "dpo.pub", "egress.json"))
    public.write_text(cli("audit", "key", str(key)).out, encoding="ascii")

    made = cli("egress", "report", "--key", str(key), "--to", str(report))
    verified = cli("egress", "verify", str(report), "--public-key", str(public))
    report.write_text(
        report.read_text("utf-8").replace('"destinations": []', '"destinations": [1]')
    )
    changed = cli("egress", "verify", str(report), "--public-key", str(public))

    assert (made.code, "no address at all" in made.out) == (0, True)
    assert (verified.code, verified.json["destinations"]) == (0, [])
    assert (changed.code, "changed since" in changed.err) == (2, True)
