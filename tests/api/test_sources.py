"""A change of rights at the source, as callers of the running service meet it."""

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from ingest.sync.sync import SyncRequest
from sovereign_rag.access import local_owner
from tests.api.conftest import Product

OWNER = local_owner()
TEXT = "The wage of the lighthouse keeper is forty barrels of herring.\n"
QUESTION = {"query": "wage of the lighthouse keeper"}


@pytest.fixture
def folder(product: Product, tmp_path: Path) -> Iterator[Path]:
    """A synced folder that ana reads."""
    folder = tmp_path / "shared"
    folder.mkdir()
    (folder / "wages.txt").write_text(TEXT)
    say(folder, "group:finance")
    sync(product, folder)
    yield folder
    (folder / "wages.txt").unlink()
    sync(product, folder)


def say(folder: Path, readers: str) -> None:
    beside = folder / ".new"
    beside.write_text(f"readers: {readers}\n")
    os.replace(beside, folder / ".access.yaml")


def sync(product: Product, folder: Path) -> None:
    application = product.application
    application.sync.sync(application.sync.find(str(folder)), OWNER, SyncRequest(max_delete="100%"))


def found(client: httpx.Client) -> bool:
    answer = client.post("/v1/search", json=QUESTION).raise_for_status().json()
    return any("herring" in passage["text"] for passage in answer["passages"])


def listed(client: httpx.Client) -> bool:
    documents = client.get("/v1/documents").raise_for_status().json()["documents"]
    return any(document["name"] == "wages.txt" for document in documents)


def test_a_change_of_rights_is_invisible_as_soon_as_it_is_synced(
    product: Product, folder: Path
) -> None:
    with product.client("ana") as ana, product.client("hugo") as hugo:
        assert found(ana)
        assert listed(ana)
        assert not found(hugo)
        say(folder, "group:hr")

        sync(product, folder)

        assert not found(ana)
        assert not listed(ana)
        assert found(hugo)


def test_who_watches_a_folder_need_not_ask_for_the_sync(product: Product, folder: Path) -> None:
    application, stop, ready = product.application, threading.Event(), threading.Event()
    seen = threading.Event()

    def watch() -> None:
        application.watcher.watch(
            [application.sync.find(str(folder))],
            stop,
            on_ready=ready.set,
            on_report=lambda report: seen.set() if report.counts["rights"] else None,
        )

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        with product.client("ana") as ana:
            assert ready.wait(60)
            assert found(ana)
            say(folder, "group:hr")

            assert seen.wait(60), "the change was not noticed"

            assert not found(ana)
    finally:
        stop.set()
        watching.join(60)
    assert not watching.is_alive()
