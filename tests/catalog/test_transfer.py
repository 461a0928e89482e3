"""The catalog as a whole: out of one database and into another, of either kind."""

import json
from pathlib import Path

import pytest

from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.catalog.database import Database
from sovereign_rag.catalog.transfer import take_in
from sovereign_rag.errors import BadInput, CatalogError
from sovereign_rag.settings import Settings
from tests.catalog.conftest import SetClock, new_task, stored


def lines_of(catalog: Catalog) -> list[bytes]:
    with catalog.transfer.moment(lambda: None) as moment:
        return list(moment.lines())


@pytest.fixture
def filled(tmp_path: Path, clock: SetClock) -> list[bytes]:
    """A catalog with a bit of everything, as lines."""
    with Catalog.open(Settings(data_dir=tmp_path / "filled"), clock=clock) as catalog:
        catalog.documents.publish(stored(title="Straße, 50 %"))
        catalog.jobs.create("default", "user:ana", [new_task("file:///b.pdf", path="/b\udcff.pdf")])
        catalog.keys.create("for ana", "ana", groups=["hr"])
        catalog.audit_heads.note(7, "b" * 64)
        return lines_of(catalog)


def test_a_catalog_is_the_same_in_another_database(
    filled: list[bytes], settings: Settings, clock: SetClock
) -> None:
    database = Database.of(settings)
    take_in(database, filled)
    database.close()

    with Catalog.open(settings, clock=clock) as catalog:
        assert lines_of(catalog) == filled
        assert catalog.documents.known("default", stored().id) == stored(title="Straße, 50 %")
        job = catalog.jobs.create("default", "user:bo", [new_task("file:///c.pdf")])
        assert [task.id for task in catalog.jobs.tasks(job.id, "default")] == [
            2
        ]  # never one that was given


def test_a_database_that_holds_a_catalog_is_not_written_over(
    filled: list[bytes], catalog: Catalog, settings: Settings
) -> None:
    before, database = lines_of(catalog), Database.of(settings)

    with pytest.raises(BadInput, match="holds a catalog already"):
        take_in(database, filled)
    database.close()

    assert lines_of(catalog) == before


@pytest.mark.parametrize(
    ("line", "error"),
    [
        (b"no catalog\n", BadInput),
        (b'{"something": "else"}\n', BadInput),
        (json.dumps({"revision": "9999", "sequences": {}}).encode(), CatalogError),
    ],
)
def test_what_is_no_catalog_of_ours_is_refused_and_leaves_nothing(
    line: bytes, error: type[Exception], filled: list[bytes], settings: Settings
) -> None:
    database = Database.of(settings)

    with pytest.raises(error):
        take_in(database, [line, *filled[1:]])
    take_in(database, filled)
    database.close()
