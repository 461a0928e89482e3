"""Documents are read again by a newer parser, and nothing else about them changes."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sovereign_rag.access import Principal
from sovereign_rag.catalog.records import JobRecord, TaskState
from sovereign_rag.embedding.dense import DenseEmbedder
from sovereign_rag.errors import CannotReread, Forbidden, NotFound
from sovereign_rag.roles import Role
from sovereign_rag.settings import ParseSettings, Settings
from sovereign_rag.wiring import Application, open_service
from tests.ingest.jobs.reports import OWNER, texts
from tests.ingest.parse.pages import shown, write_pdf

HR = frozenset({"group:hr"})
BO = Principal("bo", frozenset({"hr"}))
OLDER = {"ocr_dpi": 150}  # stands in the version of a parser, as its own code's does


@pytest.fixture(scope="module")
def older(
    product_settings: Callable[..., Settings],
    embedder: DenseEmbedder,
    tmp_path_factory: pytest.TempPathFactory,
) -> Path:
    """A data folder with documents of one and of two pages, read by a parser of other settings."""
    folder, settings = tmp_path_factory.mktemp("files"), product_settings(parse=OLDER)
    (folder / "menu.txt").write_text("Menu\n\nOn Mondays there is lentil soup for everybody.\n")
    two_pages = [shown("The gate is closed in winter."), shown("The pool is closed in March.")]
    write_pdf(folder / "gate.pdf", two_pages)
    with open_service(settings, embedder=embedder) as application:
        application.ingestion.ingest([folder], OWNER, readers=HR, level=0)
        assert application.rereading.count_outdated() == 0
    return settings.data_dir


@pytest.fixture
def taken_in(product_settings: Callable[..., Settings], older: Path) -> Settings:
    """A copy of it, for a parser of today's settings."""
    settings = product_settings()
    shutil.copytree(
        older, settings.data_dir, dirs_exist_ok=True, ignore=shutil.ignore_patterns("run")
    )
    return settings


@pytest.fixture
def application(taken_in: Settings, embedder: DenseEmbedder) -> Iterator[Application]:
    with open_service(taken_in, embedder=embedder) as application:
        yield application


def id_of(application: Application, name: str) -> str:
    return next(d.id for d in application.documents.list(OWNER) if d.name == name)


def read_again(application: Application, job: JobRecord) -> dict[str, TaskState]:
    report = application.ingestion.work_off(job)
    return {task.name: task.state for task in report.tasks}


def test_what_another_parser_has_read_is_read_again_and_stays_what_it_was(
    application: Application,
) -> None:
    before = application.documents.list(OWNER)
    plan = application.rereading.plan(OWNER, outdated=True)

    states = read_again(application, application.rereading.submit_all(OWNER, outdated=True))

    after = application.documents.list(OWNER)
    assert (plan.documents, plan.pages) == (2, 3)
    assert set(states.values()) == {TaskState.INDEXED}
    assert application.rereading.count_outdated() == 0
    assert not any(application.rereading.is_outdated(record) for record in after)
    for old, new in zip(before, after, strict=True):
        assert (new.name, new.uri, new.readers, new.level) == (old.name, old.uri, HR, 0)
        assert (new.created, new.modified) == (old.created, old.modified)
        assert new.version != old.version
    assert any("soup" in text for text in texts(application, "lentil soup", BO))
    assert texts(application, "lentil soup", Principal("ana")) == []
    again = read_again(application, application.rereading.submit_all(OWNER, outdated=False))
    assert set(again.values()) == {TaskState.UNCHANGED}


def test_only_the_documents_that_are_named_are_read_again_and_it_is_on_the_record(
    application: Application,
) -> None:
    menu = id_of(application, "menu.txt")

    job = application.rereading.submit([menu], OWNER)

    records = (record.entry for record in application.audit.read())
    (only,) = (one for one in records if one.detail.get("job") == job.id)
    assert (only.principal, only.action) == ("owner", "ingest")
    assert only.detail["origin"] == [f"read again by {application.parser.key}"]
    assert [one["document"] for one in only.detail["documents"]] == [menu]
    assert read_again(application, job) == {"menu.txt": TaskState.INDEXED}
    assert application.rereading.count_outdated() == 1


def test_a_document_that_can_not_be_read_again_stays_searchable_as_it_was(
    taken_in: Settings, embedder: DenseEmbedder
) -> None:
    one_page = taken_in.model_copy(update={"parse": ParseSettings(max_pages=1)})
    with open_service(one_page, embedder=embedder) as application:
        states = read_again(application, application.rereading.submit_all(OWNER, outdated=True))

        gate = application.documents.get(id_of(application, "gate.pdf"), OWNER)
        assert states["gate.pdf"] is TaskState.FAILED
        assert states["menu.txt"] is TaskState.INDEXED
        assert any("pool is closed" in text for text in texts(application, "pool", BO))
        assert gate.reason is not None
        assert gate.reason.startswith("It could not be read again; what was read before is used.")
        assert gate.status.value == "indexed"
        assert application.rereading.is_outdated(gate)


def test_readers_that_change_while_a_document_waits_are_not_brought_back(
    application: Application,
) -> None:
    menu = id_of(application, "menu.txt")
    job = application.rereading.submit([menu], OWNER)
    application.erasure.change_readers("default", menu, frozenset({"user:ana"}), 0)

    read_again(application, job)

    assert application.documents.get(menu, OWNER).readers == {"user:ana"}
    assert not any("soup" in text for text in texts(application, "lentil soup", BO))
    assert any("soup" in text for text in texts(application, "lentil soup", Principal("ana")))


def test_a_document_that_is_deleted_while_it_waits_does_not_come_back(
    application: Application,
) -> None:
    menu = id_of(application, "menu.txt")
    job = application.rereading.submit([menu], OWNER)
    application.documents.delete(menu, OWNER)

    assert read_again(application, job) == {"menu.txt": TaskState.CANCELLED}
    with pytest.raises(NotFound):
        application.documents.get(menu, OWNER)


def test_without_its_original_a_document_is_named_and_left_as_it_is(
    application: Application,
) -> None:
    menu = application.documents.get(id_of(application, "menu.txt"), OWNER)
    application.content.original(menu.content_hash).unlink()

    with pytest.raises(CannotReread, match=r"original of 'menu\.txt' is not kept any more"):
        application.rereading.submit([menu.id], OWNER)
    plan = application.rereading.plan(OWNER, outdated=True)
    states = read_again(application, application.rereading.submit_all(OWNER, outdated=True))

    assert (plan.documents, plan.without_original) == (1, 1)
    assert "menu.txt" not in states
    assert any("soup" in text for text in texts(application, "lentil soup", BO))


def test_only_an_admin_who_may_read_a_document_may_have_it_read_again(
    application: Application,
) -> None:
    menu = id_of(application, "menu.txt")

    with pytest.raises(Forbidden):
        application.rereading.submit([menu], BO)
    with pytest.raises(NotFound):
        application.rereading.submit([menu], Principal("root", roles=frozenset({Role.ADMIN})))
    allowed = Principal("root", frozenset({"hr"}), roles=frozenset({Role.ADMIN}))
    job = application.rereading.submit([menu], allowed)

    assert job.submitted_by == "user:root"
    assert application.jobs.job(job.id, allowed).total == 1
