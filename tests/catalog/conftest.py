"""A catalog on each database that is supported.

PostgreSQL is the one that CATALOG_TEST_URL names, as who may make databases, or a server on
this machine that lets the user `root` into the database `root` without a password; without either
its tests say so.
"""

import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import URL, NullPool, create_engine, make_url, text
from sqlalchemy.exc import OperationalError

from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.catalog.records import DocumentRecord, DocumentStatus, NewTask, document_id
from sovereign_rag.settings import CatalogSettings, Settings

LOCAL_URL = "postgresql+psycopg://root@127.0.0.1:5432/root"


def _find_postgresql() -> str | None:
    if "CATALOG_TEST_URL" in os.environ:
        return os.environ["CATALOG_TEST_URL"] or None
    engine = create_engine(LOCAL_URL, connect_args={"connect_timeout": 2}, poolclass=NullPool)
    try:
        engine.connect().close()
    except OperationalError:
        return None
    return LOCAL_URL


TEST_URL = _find_postgresql()


class SetClock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def move(self, **duration: float) -> None:
        self.now += timedelta(**duration)


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture(scope="session")
def catalog_to_copy() -> Iterator[str]:
    """The name of a database of the server with the catalog's tables, made by the product."""
    assert TEST_URL is not None
    with new_database(TEST_URL) as (name, url):
        Catalog.open(_on_server(url)).close()
        yield name


@pytest.fixture(params=["sqlite", *(["postgresql"] if TEST_URL else [])])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Settings]:
    """Names a database, which is gone after the test: an empty one; on PostgreSQL, one with the
    catalog's tables where the test begins with `catalog`.
    """
    if request.param == "sqlite":
        yield Settings(data_dir=tmp_path)
        return
    assert TEST_URL is not None
    has_tables = "catalog" in request.fixturenames
    copied = request.getfixturevalue("catalog_to_copy") if has_tables else "template1"
    with new_database(TEST_URL, copied) as (_, url):
        yield _on_server(url, data_dir=tmp_path)


@contextmanager
def new_database(server: str, copied: str = "template1") -> Iterator[tuple[str, URL]]:
    """A database of its own on the server: its name and its URL."""
    name = f"test_{uuid.uuid4().hex}"
    admin = create_engine(server, isolation_level="AUTOCOMMIT", poolclass=NullPool)
    with admin.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE {copied}"))
    try:
        yield name, make_url(server).set(database=name)
    finally:
        with admin.connect() as connection:
            connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))


def _on_server(url: URL, **more: Any) -> Settings:
    address = {"url": url.render_as_string(hide_password=False)}
    return Settings(catalog=CatalogSettings.model_validate(address), **more)


@pytest.fixture
def catalog(settings: Settings, clock: SetClock) -> Iterator[Catalog]:
    with Catalog.open(settings, clock=clock) as opened:
        yield opened


def stored(
    uri: str = "file:///a.pdf",
    *,
    tenant: str = "default",
    readers: frozenset[str] = frozenset({"everyone"}),
    level: int = 0,
    version: str = "v1",
    content_hash: str = "a" * 64,
    status: DocumentStatus = DocumentStatus.INDEXED,
    title: str = "A title",
) -> DocumentRecord:
    """A document's record with what the test does not care about filled in."""
    moment = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
    return DocumentRecord(
        id=document_id(tenant, uri),
        tenant=tenant,
        uri=uri,
        name=uri.rpartition("/")[2],
        title=title,
        status=status,
        reason=None,
        content_hash=content_hash,
        parse_key="p1",
        version=version,
        media_type="application/pdf",
        language="fr",
        found_language="fr",
        paged=True,
        pages=3,
        chunks=7,
        size=5_000_000_000,
        modified=datetime(2026, 2, 1, 8, 30, 15, 123456, tzinfo=UTC),
        readers=readers,
        level=level,
        properties={"author": "Ana"},
        created=moment,
        updated=moment,
    )


def new_task(uri: str, **changes: object) -> NewTask:
    values: dict[str, object] = {
        "uri": uri,
        "name": uri.rpartition("/")[2],
        "readers": frozenset({"group:finance"}),
        "level": 0,
        **changes,
    }
    return NewTask(**values)  # type: ignore[arg-type]  # a table of defaults


def set_readers(
    catalog: Catalog, document_id: str, readers: frozenset[str], level: int = 0
) -> None:
    """Change who may read a document, and have the store told at once."""
    catalog.follow_ups.change("default", document_id, readers, level)
    claimed = catalog.follow_ups.claim("teller", document_id=document_id)
    assert claimed is not None
    catalog.follow_ups.end(claimed)
