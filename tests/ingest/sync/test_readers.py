"""Who may read follows the source at once, and where nobody says nobody reads."""

from pathlib import Path

from ingest.sync.plan import Change
from sovereign_rag.wiring import Application
from tests.ingest.sync.syncing import ANA, HUGO, OWNER, changes, finds, synced, write


def test_where_nobody_says_who_may_read_nobody_does_and_the_report_counts_it(
    application: Application, folder: Path
) -> None:
    write(folder / "board" / ".access.yaml", "readers: group:hr\n")

    report = synced(application, folder)

    assert report.counts["nobody"] == 2
    assert not finds(application, "lentil", ANA)
    assert finds(application, "harbour", HUGO)
    assert finds(application, "lentil", OWNER)


def test_a_nearer_sidecar_overrides_a_farther_one_and_patterns_speak_of_files(
    application: Application, folder: Path
) -> None:
    write(
        folder / ".access.yaml",
        'readers: [group:staff]\nfiles:\n  "rules*": [user:ana]\n  "board/**": group:hr\n',
    )
    synced(application, folder)
    by_pattern = {d.name: d.readers for d in application.documents.list(OWNER)}
    write(folder / "board" / ".access.yaml", "readers: everyone\nlevel: 3\n")

    report = synced(application, folder)

    assert by_pattern == {
        "rules.md": {"user:ana"},
        "menu.txt": {"group:staff"},
        "minutes.txt": {"group:hr"},
    }
    assert changes(report)["minutes.txt"] is Change.RIGHTS
    minutes = next(d for d in application.documents.list(OWNER) if d.name == "minutes.txt")
    assert (minutes.readers, minutes.level) == (frozenset({"everyone"}), 3)


def test_an_explanation_names_the_file_that_gives_a_right(
    application: Application, folder: Path
) -> None:
    write(folder / "board" / ".access.yaml", "readers: group:hr\n")
    synced(application, folder, readers="group:staff")
    given = _given(application, "minutes.txt", "menu.txt")
    write(folder / ".access.yaml", "readers: user:ana\n")

    synced(application, folder)

    changed = _given(application, "menu.txt")
    assert given == {"group:hr": "sidecar board/.access.yaml", "group:staff": "readers"}
    assert changed == {"user:ana": "sidecar .access.yaml"}


def _given(application: Application, *names: str) -> dict[str, str | None]:
    """What says that each label may read, of the documents with these names."""
    people = application.explainer.people("ana", "default")
    found = [d.id for d in application.documents.list(OWNER) if d.name in names]
    told = [application.explainer.explain(id_, people, OWNER) for id_ in found]
    assert all(one.sources for one in told)
    return {o.label: o.given.said_by for one in told for o in one.labels if o.given is not None}


def test_an_invalid_sidecar_hides_what_it_speaks_of_until_it_is_mended(
    application: Application, folder: Path
) -> None:
    synced(application, folder, readers="group:staff")
    assert finds(application, "harbour", ANA)
    write(folder / "board" / ".access.yaml", "readers: [group:staff]\nraeders: [group:hr]\n")

    report = synced(application, folder)

    (wrong,) = report.plan.invalid
    assert wrong.key == "board/.access.yaml"
    assert "line 2" in wrong.problem
    assert not finds(application, "harbour", ANA)
    assert finds(application, "lentil", ANA)

    write(folder / "board" / ".access.yaml", "readers: [group:staff]\n")
    synced(application, folder)
    assert finds(application, "harbour", ANA)


def test_a_folders_readers_are_remembered_for_its_next_sync(
    application: Application, folder: Path
) -> None:
    synced(application, folder, readers="group:staff")
    write(folder / "late.txt", "A late note about the glacier.\n")

    synced(application, folder)

    assert finds(application, "glacier", ANA)


def test_rights_that_change_while_a_document_waits_are_those_it_comes_in_with(
    application: Application, folder: Path
) -> None:
    synced(application, folder, readers="group:staff", work=False)
    write(folder / ".access.yaml", "readers: [group:hr]\n")

    synced(application, folder, work=False)
    application.ingestion.take_in([], OWNER, origin=["test"])
    synced(application, folder)

    assert not finds(application, "lentil", ANA)
    assert finds(application, "lentil", HUGO)
