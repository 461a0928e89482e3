"""What the catalog holds of a person goes; what they made for all stays, without their name."""

from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.catalog.tables import metadata
from sovereign_rag.catalog.traces import _STAYS, _about
from tests.catalog.conftest import new_task


def test_every_table_that_names_a_person_is_known() -> None:
    about = set(_about("default", "ana"))

    assert {"api_keys", "sessions", "jobs", "operations"} <= about
    stay = {name for name in about if _STAYS & set(metadata.tables[name].columns.keys())}
    assert {"jobs", "source_plans"} <= stay


def test_a_job_stays_under_the_pseudonym_and_keys_go(catalog: Catalog) -> None:
    job = catalog.jobs.create("default", "user:ana", [new_task("file:///a.pdf")])
    catalog.keys.create("ana's", "ana")
    catalog.keys.create("bo's", "bo")

    counts = catalog.traces.forget_person("default", "ana", "erased:1")

    assert (counts["jobs"], counts["api_keys"]) == (1, 1)
    assert catalog.jobs.get(job.id, "default").submitted_by == "erased:1"
    assert {held["user"] for held in catalog.traces.held_of("default", "bo")["api_keys"]} == {"bo"}
    assert catalog.traces.held_of("default", "ana")["api_keys"] == []
