"""How a catalog is made, upgraded, shared and refused."""

import multiprocessing
import re
import stat
from contextlib import closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from sovereign_rag.access import local_owner, read_scope
from sovereign_rag.catalog import migrate
from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.catalog.database import Database
from sovereign_rag.catalog.tables import metadata
from sovereign_rag.errors import CatalogError, SettingsError
from sovereign_rag.settings import CatalogSettings, Settings
from tests.catalog.conftest import stored

OWNER = read_scope(local_owner())


@pytest.fixture(autouse=True)
def made_by_the_product(monkeypatch: pytest.MonkeyPatch) -> None:
    """Revision by revision, not by `tests/made_catalogs.py`."""
    monkeypatch.setattr("sovereign_rag.catalog.catalog.upgrade", migrate.upgrade)


def test_what_was_written_is_there_when_the_catalog_is_opened_again(settings: Settings) -> None:
    with Catalog.open(settings) as first:
        first.documents.publish(stored())

    with Catalog.open(settings) as second:
        assert second.documents.count(OWNER) == 1


def test_the_migrations_build_the_tables_that_the_code_knows(settings: Settings) -> None:
    Catalog.open(settings).close()
    database = Database.of(settings)

    with closing(database), database.reading() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), metadata)

    assert differences == []


def test_the_newest_revision_is_the_one_that_the_code_names() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(migrate.__file__).parent / "migrations"))

    assert ScriptDirectory.from_config(config).get_current_head() == migrate.HEAD


def test_a_catalog_of_a_newer_version_is_refused_and_left_alone(settings: Settings) -> None:
    Catalog.open(settings).close()
    database = Database.of(settings)
    with closing(database), database.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    with pytest.raises(CatalogError, match="newer version"):
        Catalog.open(settings)


def open_and_publish(settings: Settings, number: int) -> None:
    with Catalog.open(settings) as catalog:
        catalog.documents.publish(stored(f"file:///{number}"))


def test_processes_that_start_together_make_one_catalog(settings: Settings) -> None:
    spawn = multiprocessing.get_context("spawn")
    processes = [
        spawn.Process(target=open_and_publish, args=(settings, number)) for number in range(4)
    ]

    for process in processes:
        process.start()
    for process in processes:
        process.join(60)

    assert [process.exitcode for process in processes] == [0, 0, 0, 0]
    with Catalog.open(settings) as catalog:
        assert catalog.documents.count(OWNER) == 4


def test_a_failed_transaction_leaves_nothing(settings: Settings) -> None:
    Catalog.open(settings).close()
    database = Database.of(settings)

    def fail_half_way() -> None:
        with database.writing() as connection:
            connection.execute(text("DELETE FROM alembic_version"))
            raise RuntimeError

    with closing(database):
        with pytest.raises(RuntimeError):
            fail_half_way()
        with database.reading() as connection:
            left = connection.execute(text("SELECT count(*) FROM alembic_version")).scalar_one()

    assert left == 1


def test_the_file_is_for_nobody_elses_eyes(tmp_path: Path) -> None:
    Catalog.open(Settings(data_dir=tmp_path / "new")).close()

    file = tmp_path / "new" / "catalog.sqlite3"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_a_file_that_is_no_database_is_named_with_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "catalog.sqlite3").write_bytes(b"no database at all, but long enough" * 100)

    with pytest.raises(CatalogError, match="restore it from the last backup"):
        Catalog.open(Settings(data_dir=tmp_path))


def test_a_folder_that_cannot_be_is_named_with_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(CatalogError, match="Point data_dir at a folder"):
        Catalog.open(Settings(data_dir=tmp_path / "file"))


def test_a_full_disk_is_named_with_the_way_out(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    Catalog.open(settings).close()
    database = Database.of(settings)

    def outgrow_the_disk() -> None:
        with database.writing() as connection:
            connection.execute(text("PRAGMA max_page_count = 1"))
            connection.execute(text("CREATE TABLE big AS SELECT zeroblob(1000000) AS x"))

    with closing(database), pytest.raises(CatalogError, match="free some space"):
        outgrow_the_disk()


def test_an_unreachable_server_is_named_without_the_password() -> None:
    url = "postgresql+psycopg://rag:hunter2@127.0.0.1:1/rag"
    settings = Settings(catalog=CatalogSettings.model_validate({"url": url}))

    with pytest.raises(CatalogError, match="Check that the database server runs") as refused:
        Catalog.open(settings)

    assert "hunter2" not in str(refused.value)
    assert "127.0.0.1:1" in str(refused.value)


@pytest.mark.parametrize("url", ["mysql://rag:hunter2@db/rag", "hunter2", "nodb://rag:hunter2@x"])
def test_a_url_of_another_kind_is_refused_without_the_password(url: str) -> None:
    settings = Settings(catalog=CatalogSettings.model_validate({"url": url}))

    with pytest.raises(SettingsError, match=re.escape("postgresql+psycopg://")) as refused:
        Catalog.open(settings)

    assert "hunter2" not in str(refused.value)


def test_an_error_does_not_repeat_what_was_to_be_stored(settings: Settings) -> None:
    database = Database.of(settings)

    def ask_for_nothing_there_is() -> None:
        with database.reading() as connection:
            connection.execute(text("SELECT :x FROM nowhere"), {"x": "personal"})

    with closing(database), pytest.raises(CatalogError) as refused:
        ask_for_nothing_there_is()

    assert "personal" not in str(refused.value)


def test_sqlite_commits_are_durable(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path)
    Catalog.open(settings).close()
    database = Database.of(settings)

    with closing(database), database.reading() as connection:
        pragmas = [
            connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
        ]

    assert pragmas == ["wal", 2, 1, 30_000]
