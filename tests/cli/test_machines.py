"""`init` before the first process, and `workers`: who shares the catalog, with how much to do."""

from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.services.metrics import Metrics
from sovereign_rag.services.presence import this_process
from sovereign_rag.settings import Settings
from tests.catalog.conftest import new_task
from tests.cli.running import CommandLine


def test_workers_are_shown_with_what_they_hold_and_how_much_waits(cli: CommandLine) -> None:
    settings = Settings(data_dir=cli.data_dir)
    with Catalog.open(settings) as catalog:
        nobody = cli("workers", "--json").json
        process = this_process(settings, "worker")
        catalog.processes.tell(process)
        catalog.jobs.create("default", "owner", [new_task(f"file:///{n}.txt") for n in range(3)])
        catalog.leases.acquire(process.name, lease_s=60)

        told = cli("workers", "--json").json
        table = cli("workers").out
        metrics = Metrics(lambda: catalog.processes.queue().waiting).text().decode()
        catalog.processes.leave(process.name)
        gone = cli("workers", "--json").json

    assert (nobody["processes"], nobody["waiting"]) == ([], 0)
    assert [(p["kind"], p["in_hand"]) for p in told["processes"]] == [("worker", 1)]
    assert (told["waiting"], told["in_hand"]) == (2, 1)
    assert told["store_away_since"] is None
    assert "worker" in table
    assert "\nsovereign_rag_documents_waiting 2.0\n" in metrics
    assert gone["processes"] == []


def test_init_makes_catalog_and_collection_and_again_changes_nothing(
    cli: CommandLine,
) -> None:
    first = cli("init", "--json").json
    again = cli("init", "--json").json

    assert first == again
    assert first["store"] == "the data folder"
    collections = cli.data_dir / "vectors" / "collections"
    assert (collections / first["collection"]).is_dir()
