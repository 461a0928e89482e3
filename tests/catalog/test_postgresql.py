"""PostgreSQL as people run it: connections cut, statements without end, starts side by side."""

import time
import uuid
from collections.abc import Iterator

import pytest
from pydantic import SecretStr
from sqlalchemy import Connection, create_engine, make_url, text

from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.catalog.database import Database
from sovereign_rag.errors import CatalogError
from sovereign_rag.settings import CatalogSettings, Settings
from tests.catalog.conftest import TEST_URL, SetClock
from tests.catalog.jobs import submit

pytestmark = pytest.mark.skipif(TEST_URL is None, reason="no PostgreSQL: CATALOG_TEST_URL")


@pytest.fixture
def settings(settings: Settings) -> Settings:
    if settings.catalog.url is None:
        pytest.skip("of PostgreSQL alone")
    return settings


@pytest.fixture
def database(settings: Settings, clock: SetClock) -> Iterator[Database]:
    """With the catalog's tables."""
    Catalog.open(settings, clock=clock).close()
    database = Database.of(settings)
    yield database
    database.close()


def process_of(connection: Connection) -> int:
    return int(connection.execute(text("SELECT pg_backend_pid()")).scalar_one())


def cut(pid: int) -> None:
    """End a connection from outside, as a failover does."""
    assert TEST_URL is not None
    admin = create_engine(TEST_URL, isolation_level="AUTOCOMMIT")
    with admin.connect() as other:
        other.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": pid})
    admin.dispose()


def test_a_write_that_was_cut_is_not_there_and_the_next_one_is(
    database: Database, settings: Settings, clock: SetClock
) -> None:
    with Catalog.open(settings, clock=clock) as catalog:
        job = submit(catalog, "file:///a")

        def write() -> None:
            with database.writing() as connection:
                connection.execute(text("DELETE FROM jobs"))
                cut(process_of(connection))
                connection.execute(text("DELETE FROM tasks"))

        with pytest.raises(CatalogError, match="try again"):
            write()
        with database.writing() as connection:
            connection.execute(text("UPDATE tasks SET name = 'b'"))

        (task,) = catalog.jobs.tasks(job.id, "default")
        assert (task.uri, task.name) == ("file:///a", "b")


def test_a_connection_that_was_cut_while_nobody_used_it_is_not_noticed(database: Database) -> None:
    with database.reading() as connection:
        pid = process_of(connection)

    cut(pid)

    with database.reading() as connection:
        assert connection.execute(text("SELECT count(*) FROM jobs")).scalar_one() == 0


@pytest.mark.parametrize("patient", [False, True])
def test_a_statement_without_end_is_ended_but_for_a_migration(
    database: Database, settings: Settings, patient: bool
) -> None:
    hasty = settings.catalog.model_copy(update={"statement_timeout_s": 0.1})
    limited = Database(database.url, hasty)

    def sleep() -> None:
        with limited.writing(patient=patient) as connection:
            connection.execute(text("SELECT pg_sleep(0.3)"))

    if patient:
        sleep()
    else:
        with pytest.raises(CatalogError, match=r"catalog\.statement_timeout_s"):
            sleep()
    limited.close()


def test_nothing_is_prepared_on_a_connection_that_a_pooler_may_give_to_another(
    database: Database,
) -> None:
    for _ in range(10):  # the driver would prepare what comes again
        with database.writing() as connection:
            connection.execute(text("SELECT count(*) FROM jobs"))

    with database.reading() as connection:
        prepared = connection.execute(text("SELECT count(*) FROM pg_prepared_statements"))
        assert prepared.scalar_one() == 0


def test_what_was_erased_is_in_no_file_of_the_server_but_its_log(
    settings: Settings, clock: SetClock
) -> None:
    trace = uuid.uuid4().hex.encode()

    with Catalog.open(settings, clock=clock) as catalog:
        for number in range(3):
            submit(catalog, f"file:///srv/{trace.decode()}-{number}.txt")
        catalog.jobs._database.compact(["tasks"])  # its values are sampled for the planner
        catalog.raw_files.checkpoint()
        before = catalog.raw_files.search(lambda block: trace in block)
        with catalog.jobs._database.writing() as connection:
            connection.execute(text("DELETE FROM tasks"))
        catalog.raw_files.checkpoint()
        removed = catalog.raw_files.search(lambda block: trace in block)
        deadline = time.monotonic() + 60
        while True:  # what somebody else's transaction may still see stays until that has ended
            catalog.traces.compact()
            catalog.raw_files.checkpoint()
            after = catalog.raw_files.search(lambda block: trace in block)
            if after is None or not after.tables or time.monotonic() > deadline:
                break

    assert before is not None
    assert removed is not None
    assert after is not None
    assert before.tables
    assert removed.tables  # removed, and still there
    assert after.tables == ()
    assert after.files > 40


def test_a_role_that_may_not_read_the_servers_files_is_told_apart_from_a_clean_search(
    settings: Settings, clock: SetClock
) -> None:
    role = f"limited_{uuid.uuid4().hex[:12]}"
    assert settings.catalog.url is not None
    url = make_url(settings.catalog.url.get_secret_value())
    admin = create_engine(url, isolation_level="AUTOCOMMIT")
    Catalog.open(settings, clock=clock).close()
    with admin.connect() as connection:
        connection.execute(text(f"CREATE ROLE {role} LOGIN PASSWORD 'limited'"))
        connection.execute(text(f"GRANT ALL ON SCHEMA public TO {role}"))
        connection.execute(text(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}"))
    try:
        own = url.set(username=role, password="limited").render_as_string(hide_password=False)
        limited = CatalogSettings(url=SecretStr(own))
        with Catalog.open(settings.model_copy(update={"catalog": limited}), clock=clock) as catalog:
            assert catalog.raw_files.search(lambda block: True) is None
    finally:
        with admin.connect() as connection:
            connection.execute(text(f"DROP OWNED BY {role}"))
            connection.execute(text(f"DROP ROLE {role}"))
        admin.dispose()
