"""Sources that are added, looked at, run and paused on the console."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sovereign_rag.access import Principal, local_owner
from sovereign_rag.errors import BadInput, Forbidden, NotFound, SovereignError
from sovereign_rag.roles import Role
from sovereign_rag.services.source_desk import SourceDesk
from sovereign_rag.settings import Settings
from sovereign_rag.wiring import Application, open_service
from tests.hashed import HashEmbedder
from tests.ingest.sync.syncing import write

ADMIN = frozenset({Role.ADMIN})
ADAM = Principal("adam", frozenset({"staff"}), roles=ADMIN)
OLGA = Principal("olga", tenant="north", roles=ADMIN)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder below which sources may be added; and one for each tenant."""
    write(tmp_path / "open" / "rules" / "door.md", "# Door\n\nThe door is closed at nine.\n")
    write(tmp_path / "open" / "pay" / "pay.md", "# Pay\n\nGrade seven earns well.\n")
    write(tmp_path / "open" / "pay" / ".access.yaml", "readers: [group:board]\n")
    write(tmp_path / "of" / "north" / "shed" / "shed.md", "# Shed\n\nThe shed is green.\n")
    return tmp_path


@pytest.fixture
def application(root: Path, product_settings: Callable[..., Settings]) -> Iterator[Application]:
    console = {"source_folders": [str(root / "open"), str(root / "of" / "{tenant}")]}
    with open_service(product_settings(console=console), embedder=HashEmbedder()) as application:
        yield application


@pytest.fixture
def desk(application: Application) -> SourceDesk:
    return application.console.sources


def actions(application: Application) -> list[str]:
    return [record.entry.action for record in application.audit.read()]


def test_a_folder_is_added_seen_through_beforehand_and_synced_when_asked(
    application: Application, desk: SourceDesk, root: Path
) -> None:
    desk.add("papers", str(root / "open"), ADAM, readers="group:staff")

    preview = desk.preview("papers", ADAM)
    untouched = application.catalog.jobs.recent("default", limit=5)
    desk.run("papers", ADAM)
    asked, _ = desk.one("papers", ADAM)
    application.watcher.sync_due(threading.Event(), {})
    after, runs = desk.one("papers", ADAM)

    # The board's paper counts, and is not named to who will not read it.
    assert preview.counts["new"] == 2
    assert [Path(change.uri).name for change in preview.changes] == ["door.md"]
    assert untouched == []
    assert (asked.is_wanted, after.is_wanted) == (True, False)
    assert [job.total for job in application.catalog.jobs.recent("default", limit=5)] == [2]
    assert [(run.counts or {})["new"] for run in runs] == [2]
    told = actions(application)
    assert {"source.add.done", "source.preview", "source.run", "sync.done"} <= set(told)


def test_a_preview_names_no_document_that_only_a_sync_would_show_to_the_asker(
    application: Application, desk: SourceDesk, root: Path
) -> None:
    desk.add("papers", str(root / "open"), ADAM, readers="group:staff")
    desk.run("papers", ADAM)
    application.watcher.sync_due(threading.Event(), {})
    application.ingestion.take_in([], local_owner(), origin=["test"])
    (root / "open" / "pay" / ".access.yaml").unlink()  # the board's paper will be the staff's

    preview = desk.preview("papers", ADAM)

    assert preview.counts["rights"] == 1
    assert preview.changes == ()


@pytest.mark.parametrize(
    ("asker", "name", "folder", "refusal"),
    [
        (ADAM, "papers", "outside", Forbidden),
        (ADAM, "papers", "open/../outside", Forbidden),
        (ADAM, "papers", "open/link", Forbidden),
        (ADAM, "papers", "open/missing", BadInput),
        (ADAM, "Papers!", "open/rules", BadInput),
        (ADAM, "upload", "open/rules", BadInput),
        (OLGA, "papers", "open/rules", Forbidden),  # another tenant's
        (OLGA, "papers", "of/south", Forbidden),
    ],
)
def test_no_folder_is_reached_that_the_settings_do_not_allow(
    desk: SourceDesk,
    root: Path,
    asker: Principal,
    name: str,
    folder: str,
    refusal: type[SovereignError],
) -> None:
    (root / "outside").mkdir()
    (root / "open" / "link").symlink_to(root / "outside")

    with pytest.raises(refusal):
        desk.add(name, str(root / folder), asker)

    assert desk.all(asker) == ()
    desk.add("shed", str(root / "of" / "north" / "shed"), OLGA)
    assert [view.name for view in desk.all(OLGA)] == ["shed"]


def test_two_sources_do_not_hold_the_same_files_nor_have_one_name(
    desk: SourceDesk, root: Path
) -> None:
    desk.add("rules", str(root / "open" / "rules"), ADAM)

    for name, folder in (("again", "open/rules"), ("all", "open"), ("rules", "open/pay")):
        with pytest.raises(BadInput):
            desk.add(name, str(root / folder), ADAM)

    desk.add("pay", str(root / "open" / "pay"), ADAM)
    assert [view.name for view in desk.all(ADAM)] == ["pay", "rules"]


def test_a_paused_source_is_synced_when_somebody_asks_alone(
    application: Application, desk: SourceDesk, root: Path
) -> None:
    desk.add("rules", str(root / "open" / "rules"), ADAM, schedule="1d")
    desk.pause("rules", ADAM, is_paused=True)

    application.watcher.sync_due(threading.Event(), {})
    paused = desk.one("rules", ADAM)[1]
    desk.run("rules", ADAM)
    application.watcher.sync_due(threading.Event(), {})
    asked = desk.one("rules", ADAM)[1]
    desk.pause("rules", ADAM, is_paused=False)

    assert (len(paused), len(asked)) == (0, 1)
    assert not desk.one("rules", ADAM)[0].is_paused


def test_a_source_is_its_tenant_s_and_goes_without_its_documents(
    application: Application, desk: SourceDesk, root: Path
) -> None:
    desk.add("rules", str(root / "open" / "rules"), ADAM)
    for act in (desk.run, desk.preview, desk.remove, desk.one):
        with pytest.raises(NotFound):
            act("rules", OLGA)
    desk.run("rules", ADAM)
    application.watcher.sync_due(threading.Event(), {})

    desk.remove("rules", ADAM)

    assert desk.all(ADAM) == ()
    assert [job.total for job in application.catalog.jobs.recent("default", limit=5)] == [1]
