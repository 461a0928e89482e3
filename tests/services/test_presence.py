"""Processes tell that they live, and two machines do not use what one alone can have."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.errors import SettingsError
from sovereign_rag.services.presence import present, refuse_second_machine, this_host, this_process
from sovereign_rag.settings import CatalogSettings, Settings, StoreSettings

POSTGRESQL = CatalogSettings(url=SecretStr("postgresql+psycopg://u:p@h/d"))
SERVER = StoreSettings(url="http://qdrant:6333")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path)


@pytest.fixture
def catalog(settings: Settings) -> Iterator[Catalog]:
    with Catalog.open(settings) as catalog:
        yield catalog


def test_a_process_is_listed_for_as_long_as_it_lives(settings: Settings, catalog: Catalog) -> None:
    with present(settings, catalog, "serve"), present(settings, catalog, "worker"):
        during = [process.kind for process in catalog.processes.alive()]

    assert sorted(during) == ["serve", "worker"]
    assert catalog.processes.alive() == []


def test_one_that_was_killed_is_listed_for_a_minute(settings: Settings) -> None:
    now = datetime.now(UTC)
    with Catalog.open(settings, clock=lambda: now) as catalog:
        catalog.processes.tell(this_process(settings, "worker"))
        with Catalog.open(settings, clock=lambda: now + timedelta(seconds=50)) as later:
            assert len(later.processes.alive()) == 1
        with Catalog.open(settings, clock=lambda: now + timedelta(seconds=70)) as later:
            assert later.processes.alive() == []


def test_another_machine_over_one_sqlite_is_refused_and_another_process_here_is_not(
    settings: Settings, catalog: Catalog
) -> None:
    here = this_process(settings, "serve")
    catalog.processes.tell(replace(here, host="another", hostname="other-machine"))

    with (
        pytest.raises(SettingsError, match=r"other-machine .*SQLite.*catalog\.url"),
        present(settings, catalog, "worker"),
    ):
        pass
    catalog.processes.leave(here.name)
    catalog.processes.tell(here)
    with present(settings, catalog, "worker"):
        assert len(catalog.processes.alive()) == 2


@pytest.mark.parametrize(
    ("catalog_settings", "store_settings", "refused"),
    [
        (CatalogSettings(), SERVER, "SQLite"),
        (POSTGRESQL, StoreSettings(), "embedded engine"),
        (POSTGRESQL, SERVER, None),
    ],
)
def test_what_several_machines_need_is_named(
    settings: Settings,
    catalog_settings: CatalogSettings,
    store_settings: StoreSettings,
    refused: str | None,
) -> None:
    wanted = settings.model_copy(update={"catalog": catalog_settings, "store": store_settings})
    others = [replace(this_process(settings, "serve"), host="another", hostname="other-machine")]

    if refused is None:
        refuse_second_machine(wanted, this_host(), others)
    else:
        with pytest.raises(SettingsError, match=refused):
            refuse_second_machine(wanted, this_host(), others)
