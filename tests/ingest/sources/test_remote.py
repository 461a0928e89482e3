"""Object storage, mailboxes and readers as sources, against servers that speak their protocols."""

import imaplib
import re
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest

from ingest.sources.build import NamedSource, open_source, policy_of
from ingest.sources.imap import decode_name
from ingest.sync.plan import Change
from ingest.sync.sync import SyncReport
from sovereign_rag.access import Principal, local_owner
from sovereign_rag.embedding.dense import DenseEmbedder
from sovereign_rag.errors import EnvironmentFault, SettingsError
from sovereign_rag.settings import Settings, load_settings
from sovereign_rag.wiring import Application, open_service
from tests.buckets import new_bucket
from tests.ingest.sources.mail_server import message, serving_mail

OWNER = local_owner()
ANA = Principal("ana", frozenset({"staff"}))
HUGO = Principal("hugo", frozenset({"hr"}))
BUCKET = "archive"

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def bucket(storage: str) -> Iterator[Any]:
    with new_bucket(storage, BUCKET) as client:
        yield client


@pytest.fixture
def with_source(
    product_settings: Callable[..., Settings], embedder: DenseEmbedder
) -> Iterator[Callable[..., Application]]:
    """The product with one source, named as its kind."""
    opened: list[Any] = []

    def make(**section: object) -> Application:
        settings = product_settings(sources={str(section["kind"]).replace("_", "-"): section})
        manager = open_service(settings, embedder=embedder)
        opened.append(manager)
        return manager.__enter__()

    yield make
    for manager in opened:
        manager.__exit__(None, None, None)


def put(client: Any, name: str, text: str, **metadata: str) -> None:
    data = text.encode()
    client.put_object(
        bucket_name=BUCKET,
        object_name=name,
        data=BytesIO(data),
        length=len(data),
        metadata=dict(metadata) or None,
    )


def synced(application: Application) -> SyncReport:
    (name,) = application.settings.sources
    return application.sync.sync(application.sync.find(name), OWNER)


def changes(report: SyncReport) -> dict[str, Change]:
    return {step.uri: step.change for step in report.plan.steps}


def finds(application: Application, word: str, principal: Principal = OWNER) -> bool:
    found = application.searching.search(word, principal)
    return any(word in passage.chunk.text for passage in found)


def test_a_bucket_is_followed_with_its_readers_by_folder_and_by_metadata(
    bucket: Any, storage: str, with_source: Callable[..., Application]
) -> None:
    put(bucket, "docs/menu.txt", "On Mondays there is lentil soup.\n", groups="staff")
    put(bucket, "docs/pay/bands.txt", "Grade seven earns what the gannet earns.\n")
    put(bucket, "docs/pay/.access.yaml", "readers: group:hr\n")
    put(bucket, "docs/orphan.txt", "Of the osprey nobody said who reads it.\n")
    put(bucket, "elsewhere/x.txt", "Not below the prefix: the xylophone.\n")
    application = with_source(
        kind="s3",
        endpoint=storage,
        bucket=BUCKET,
        prefix="docs",
        access_key="admin",
        secret_key="secret-key",
        metadata={"key": "groups"},
        max_delete="100%",
    )

    first, second = synced(application), synced(application)

    assert first.counts["new"] == 3
    assert first.counts["nobody"] == 1
    assert set(changes(second).values()) == {Change.UNCHANGED}
    assert finds(application, "lentil", ANA)
    assert finds(application, "gannet", HUGO)
    assert not finds(application, "gannet", ANA)
    assert not finds(application, "osprey", ANA)
    assert not finds(application, "xylophone")

    put(bucket, "docs/menu.txt", "On Mondays there is tomato soup.\n", groups="hr")
    bucket.remove_object(bucket_name=BUCKET, object_name="docs/orphan.txt")
    put(bucket, "docs/pay/.access.yaml", "readers: group:staff\n")
    third = synced(application)

    assert changes(third) == {
        "s3:/menu.txt": Change.CHANGED,
        "s3:/pay/bands.txt": Change.RIGHTS,
        "s3:/orphan.txt": Change.DELETED,
    }
    assert finds(application, "tomato", HUGO)
    assert not finds(application, "tomato", ANA)
    assert finds(application, "gannet", ANA)
    assert not finds(application, "osprey")
    put(bucket, "docs/pay/bands.txt.meta.json", '{"title": "What everybody earns"}')
    assert changes(synced(application))["s3:/pay/bands.txt"] is Change.METADATA
    assert "What everybody earns" in {d.title for d in application.documents.list(OWNER)}


def test_an_object_under_another_key_has_moved(
    bucket: Any, storage: str, with_source: Callable[..., Application]
) -> None:
    put(bucket, "menu.txt", "On Mondays there is lentil soup.\n")
    application = with_source(
        kind="s3",
        endpoint=storage,
        bucket=BUCKET,
        access_key="admin",
        secret_key="secret-key",
        readers="group:staff",
        max_delete="100%",
    )
    synced(application)
    bucket.remove_object(bucket_name=BUCKET, object_name="menu.txt")
    put(bucket, "old/menu.txt", "On Mondays there is lentil soup.\n")

    report = synced(application)

    assert report.counts["moved"] == 1
    assert report.counts["deleted"] == 0
    assert report.job is None
    assert {d.uri for d in application.documents.list(OWNER)} == {"s3:/old/menu.txt"}
    assert finds(application, "lentil", ANA)


def test_a_storage_that_does_not_answer_changes_nothing(
    with_source: Callable[..., Application],
) -> None:
    application = with_source(
        kind="s3", endpoint="http://127.0.0.1:9", bucket=BUCKET, readers="everyone", timeout_s=2
    )

    with pytest.raises(EnvironmentFault, match="endpoint"):
        synced(application)


@pytest.fixture(scope="module")
def mail_server() -> Iterator[int]:
    """An IMAP server on loopback, without TLS; gives its port."""
    with serving_mail("--no-tls") as port:
        yield port


def test_a_mailbox_is_followed_folder_by_folder(
    mail_server: int, with_source: Callable[..., Application], tmp_path: Path
) -> None:
    client = imaplib.IMAP4("127.0.0.1", mail_server, timeout=30)
    client.login("ana", "demo")
    client.create("Personnel")
    client.append("INBOX", "", None, message("Lunch", "On Mondays there is lentil soup."))
    client.append("INBOX", "", None, message("Trip", "The ferry leaves from the old quay."))
    client.append("Personnel", "", None, message("Pay", "Grade seven earns like the gannet."))
    client.create('"Entw&APw-rfe 2"')
    client.append('"Entw&APw-rfe 2"', "", None, message("Draft", "The otter keeps the ledger."))
    password = tmp_path / "password"
    password.write_text("demo\n")
    application = with_source(
        kind="imap",
        host="127.0.0.1",
        port=mail_server,
        security="none",
        user="ana",
        password_file=str(password),
        readers="group:staff",
        paths={"Personnel/*": "group:hr"},
        max_delete="50%",
    )

    first = synced(application)
    client.select("INBOX")
    client.store("1", "+FLAGS", "\\Deleted")
    client.expunge()
    second = synced(application)
    client.logout()

    assert first.counts["new"] == 4
    assert finds(application, "otter", ANA)
    assert finds(application, "gannet", HUGO)
    assert not finds(application, "gannet", ANA)
    assert sorted(c.value for c in changes(second).values()) == [
        "deleted",
        "unchanged",
        "unchanged",
        "unchanged",
    ]
    assert not finds(application, "lentil")
    assert finds(application, "ferry", ANA)
    uris = {document.uri for document in application.documents.list(OWNER)}
    assert all(
        re.fullmatch(r"imap:/(INBOX|Personnel|Entwürfe 2)/\d+-\d+\.eml", uri) for uri in uris
    )


def test_a_mailbox_with_a_wrong_password_says_so(
    mail_server: int, with_source: Callable[..., Application]
) -> None:
    application = with_source(
        kind="imap",
        host="127.0.0.1",
        port=mail_server,
        security="none",
        user="ana",
        password="wrong",
    )

    with pytest.raises(EnvironmentFault, match="password"):
        synced(application)


@pytest.mark.parametrize(
    ("written", "name"),
    [
        (b"INBOX", "INBOX"),
        (b"Entw&APw-rfe", "Entwürfe"),
        (b"A&-B", "A&B"),
        (b"&ZeVnLIqe-", "日本語"),
        (b"100% &x", "100% &x"),
    ],
)
def test_a_folders_name_is_read_from_the_variant_of_utf_7(written: bytes, name: str) -> None:
    assert decode_name(written) == name


def test_a_reader_of_llama_index_is_followed(
    with_source: Callable[..., Application], tmp_path: Path
) -> None:
    (tmp_path / "menu.txt").write_text("On Mondays there is lentil soup.\n")
    (tmp_path / "quay.txt").write_text("The ferry leaves from the old quay.\n")
    application = with_source(
        kind="llama_index",
        reader="llama_index.core.SimpleDirectoryReader",
        arguments={"input_dir": str(tmp_path)},
        metadata={"key": "file_name", "values": {"menu.txt": "group:staff"}},
        max_delete="50%",
    )

    first, second = synced(application), synced(application)
    (tmp_path / "quay.txt").unlink()
    third = synced(application)

    assert first.counts["new"] == 2
    assert first.counts["nobody"] == 1
    assert second.job is None
    assert third.counts["deleted"] == 1
    assert finds(application, "lentil", ANA)
    assert not finds(application, "ferry")


@pytest.mark.parametrize(
    ("reader", "problem"),
    [
        ("no_such_package.Reader", "not installed"),
        ("subprocess.Popen", "no reader"),
        ("os.system", "no reader"),
    ],
)
def test_only_installed_readers_are_used(
    reader: str, problem: str, product_settings: Callable[..., Settings]
) -> None:
    settings = product_settings(sources={"x": {"kind": "llama_index", "reader": reader}})
    source = NamedSource("x", settings.sources["x"], in_settings=True)

    with open_source(source, settings) as opened, pytest.raises(SettingsError, match=problem):
        opened.list()


@pytest.mark.parametrize(
    ("section", "problem"),
    [
        ({"kind": "folder"}, "path"),
        ({"kind": "folder", "path": "/x", "readers": "finance"}, "group:NAME"),
        ({"kind": "folder", "path": "/x", "schedule": "often"}, "schedule"),
        ({"kind": "folder", "path": "/x", "raeders": "everyone"}, "raeders"),
        ({"kind": "s3", "endpoint": "s3.example", "bucket": "abc"}, "endpoint"),
        ({"kind": "imap", "host": "h", "user": "u"}, "password"),
        ({"kind": "ftp"}, "kind"),
    ],
)
def test_a_section_that_is_wrong_is_refused(section: dict[str, object], problem: str) -> None:
    with pytest.raises(SettingsError, match=problem):
        load_settings(overrides={"sources": {"x": section}})


@pytest.mark.parametrize("name", ["file", "upload", "Wiki", "a b", "x.y"])
def test_a_name_that_another_source_has_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match="source"):
        load_settings(overrides={"sources": {name: {"kind": "folder", "path": "/x"}}})


def test_a_section_is_read_with_its_secret_hidden() -> None:
    settings = load_settings(
        overrides={
            "sources": {
                "mail": {"kind": "imap", "host": "h", "user": "u", "password": "hush"},
                "files": {"kind": "folder", "path": "/x", "schedule": "15m", "access": "posix"},
            }
        }
    )

    assert "hush" not in repr(settings)
    assert settings.sources["files"].interval is not None
    assert settings.sources["files"].interval.total_seconds() == 900
    assert policy_of(settings.sources["files"]).honours == "posix"
