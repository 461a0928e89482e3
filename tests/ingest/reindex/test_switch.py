"""An index is built beside the live one, switched to in one moment, and gone back from."""

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from ingest.reindex.build import Reindexing
from sovereign_rag.access import read_scope
from sovereign_rag.answering.request import AnswerRequest
from sovereign_rag.catalog.database import Database
from sovereign_rag.catalog.index_rows import IndexState
from sovereign_rag.catalog.records import TaskState
from sovereign_rag.embedding.dense import DenseEmbedder
from sovereign_rag.embedding.lexical import Bm25Encoder
from sovereign_rag.errors import (
    BadInput,
    Busy,
    EnvironmentFault,
    IndexSwitched,
    ModelError,
    NotFound,
)
from sovereign_rag.settings import EmbeddingSettings, Settings
from sovereign_rag.wiring import Application, open_service
from tests.ingest.reindex.conftest import (
    ANA,
    EVERYONE,
    NEIGHBOUR,
    OWNER,
    QUESTION,
    Reopened,
    build,
    document,
    finds,
    switch,
    texts,
    wait_until,
    write,
)


def states(application: Application) -> dict[int, IndexState]:
    return {record.id: record.state for record in application.catalog.indexes.all()}


def test_an_index_is_built_beside_the_live_one_and_then_switched_to(
    application: Application,
) -> None:
    before = texts(application, QUESTION)

    index = build(application)
    meanwhile = texts(application, QUESTION)
    switched = switch(application.reindexing, index)

    assert meanwhile == before
    assert switched.is_whole
    assert states(application) == {1: IndexState.PREVIOUS, 2: IndexState.LIVE}
    wait_until(lambda: application.indexes.current().record.id == 2)
    assert max(map(len, texts(application, QUESTION))) < max(map(len, before))
    assert finds(application, "lentil", NEIGHBOUR)
    assert finds(application, "lentil", ANA)


def test_documents_are_as_whole_after_the_switch_as_before_and_need_not_be_taken_in_again(
    application: Application, folder: Path
) -> None:
    switch(application.reindexing, build(application))

    report = application.ingestion.ingest([folder], OWNER, readers=EVERYONE)

    assert {task.state for task in report.tasks} == {TaskState.UNCHANGED}
    answer = application.answers.answer(AnswerRequest(QUESTION, ANA))
    assert answer.citations
    assert all(citation.verified for citation in answer.citations)


def test_going_back_gives_the_answers_of_before_and_what_came_since(
    application: Application, folder: Path
) -> None:
    before = texts(application, QUESTION)
    switch(application.reindexing, build(application))
    (folder / "late.txt").write_text("The porter's telephone number is seventeen.")
    application.ingestion.ingest([folder], OWNER, readers=EVERYONE)

    back = switch(application.reindexing, application.reindexing.previous())

    assert back.written == 1
    assert states(application) == {1: IndexState.LIVE, 2: IndexState.PREVIOUS}
    wait_until(lambda: application.indexes.current().record.id == 1)
    assert [t for t in texts(application, QUESTION) if "seventeen" not in t] == before
    assert finds(application, "seventeen", ANA)


def test_a_second_switch_keeps_the_last_index_and_removes_the_one_before_it(
    application: Application, reopened: Reopened
) -> None:
    switch(application.reindexing, build(application))
    with reopened() as again:
        switch(again.reindexing, build(again))

    collections = application.indexes.collections
    names = {r.id: r.collection for r in application.catalog.indexes.all()}
    assert states(application) == {2: IndexState.PREVIOUS, 3: IndexState.LIVE}
    assert collections.exists(names[2])
    assert not collections.exists(names[3].removesuffix("-3"))


def test_an_index_that_is_dropped_leaves_nothing_and_the_live_one_cannot_be(
    application: Application,
) -> None:
    index = build(application)
    folder = application.settings.data_dir / "vectors" / "collections" / index.collection
    was_there = folder.is_dir()

    application.reindexing.drop(index)

    assert was_there
    assert not folder.exists()
    assert states(application) == {1: IndexState.LIVE}
    with pytest.raises(NotFound, match="nothing to go back to"):
        application.reindexing.previous()
    with pytest.raises(BadInput, match="live index"):
        application.reindexing.drop(application.catalog.indexes.live())


def test_settings_that_want_other_chunks_change_nothing_until_they_are_switched_to(
    application: Application, folder: Path
) -> None:
    report = application.ingestion.ingest([folder], OWNER, readers=EVERYONE)

    assert {task.state for task in report.tasks} == {TaskState.UNCHANGED}
    assert application.indexes.differences() == {
        "chunk.max_tokens": (320, 64),
        "chunk.min_tokens": (60, 0),
    }


def test_an_index_of_before_values_were_terms_is_used_as_it_is_and_made_anew_by_reindex(
    application: Application, folder: Path
) -> None:
    wanted = application.indexes.wanted()
    of_before = Bm25Encoder.open(application.settings).without_values()
    before = application.reindexing.begin(replace(wanted, lexical=of_before.key))
    assert write(application.reindexing, before).is_whole
    switch(application.reindexing, before)
    wait_until(lambda: application.indexes.current().record.id == before.id)

    (folder / "invoice.txt").write_text("The invoice of the porter is dated 2018-10-03.")
    application.ingestion.ingest([folder], OWNER, readers=EVERYONE)
    again = application.ingestion.ingest([folder], OWNER, readers=EVERYONE)
    (question,) = application.lexical_of(application.indexes.current()).encode_passages(
        ["3 October 2018"], ["en"]
    )

    assert {task.state for task in again.tasks} == {TaskState.UNCHANGED}
    assert question == of_before.encode_passages(["3 October 2018"], ["en"])[0]
    assert finds(application, "porter")
    assert application.indexes.differences() == {
        "encoding of words": (of_before.key, wanted.lexical)
    }

    index = build(application)
    switch(application.reindexing, index)
    wait_until(lambda: application.indexes.current().record.id == index.id)

    assert application.indexes.differences() == {}
    assert "2018-10-03" in texts(application, "dated 3 October 2018")[0]


@pytest.mark.model
def test_vectors_of_two_models_are_never_mixed(
    application: Application, settings: Settings, folder: Path, embedder: DenseEmbedder
) -> None:
    """Another prefix makes other vectors of the same weights: another model."""
    other = EmbeddingSettings(passage_prefix="text: ")
    with open_service(settings.model_copy(update={"embedding": other})) as changed:
        (folder / "late.txt").write_text("The porter's telephone number is seventeen.")
        changed.ingestion.ingest([folder], OWNER, readers=EVERYONE)
        made_by = changed.embedder.model_id
        wanted = changed.indexes.wanted()
        in_old = finds(changed, "seventeen", ANA)
        switch(changed.reindexing, build(changed))
        wait_until(lambda: changed.indexes.current().record.id == 2)

        assert made_by == embedder.model_id != wanted.model_id
        assert in_old
        assert changed.embedder.model_id == wanted.model_id
        assert finds(changed, "seventeen", ANA)

    # Another process, whose settings still name the first model, follows all the same.
    wait_until(lambda: application.indexes.current().record.id == 2)
    assert application.embedder.model_id == wanted.model_id
    assert finds(application, "seventeen", ANA)


@pytest.fixture
def of_before(settings: Settings) -> Settings:
    """A data folder from before it was recorded what an index was made with."""
    database = Database.of(settings)
    with closing(database), database.writing() as connection:
        connection.execute(text("UPDATE indexes SET collection = '', recipe = '{}'"))
    return settings


def test_an_older_installation_goes_on_with_the_vectors_that_it_has(
    of_before: Settings, folder: Path, reopened: Reopened
) -> None:
    with reopened() as application:
        found = finds(application, "lentil", ANA)
        report = application.ingestion.ingest([folder], OWNER, readers=EVERYONE)
        (index,) = application.catalog.indexes.all()

        assert found
        assert {task.state for task in report.tasks} == {TaskState.UNCHANGED}
        assert index.spec == application.indexes.wanted()


def test_an_older_installation_is_not_mixed_with_a_model_that_did_not_make_it(
    of_before: Settings,
) -> None:
    other = EmbeddingSettings(passage_prefix="text: ")

    with open_service(of_before.model_copy(update={"embedding": other})) as changed:
        with pytest.raises(ModelError, match=r"Set embedding\.model back"):
            changed.searching.search(QUESTION, OWNER)
        assert changed.catalog.indexes.live().spec is None


def test_a_service_that_cannot_open_the_new_index_answers_from_the_old_one_and_says_so(
    application: Application,
) -> None:
    before = texts(application, QUESTION)
    index = build(application)
    elsewhere = application.indexes.wanted()
    assert index.spec == elsewhere
    broken = application.catalog.indexes.begin(
        type(elsewhere)(**{**elsewhere.plain, "model_id": "of-another-machine", "model": "/no"}),
        lambda number: f"chunks-{number}",
    )
    for tenant in ("default", "neighbour"):
        for found in application.catalog.indexes.outdated(broken.id, limit=10):
            if found.record.tenant == tenant:
                application.catalog.indexes.end_writing(
                    broken.id, tenant, found.record.id, version="v", chunks=1, stamp=found.stamp
                )
    assert application.readiness()["index"].startswith("limited: the settings want another one")

    assert application.catalog.indexes.switch_to(broken.id)

    assert texts(application, QUESTION) == before
    wait_until(lambda: "/no is not there" in application.readiness()["index"])
    assert texts(application, QUESTION) == before


def test_what_was_begun_for_the_old_index_is_not_published_after_the_switch(
    application: Application,
) -> None:
    begun = application.catalog.at(1)
    record = begun.documents.find("default", next(d.uri for d in application.documents.list(OWNER)))
    assert record is not None
    begun.documents.publish(record)  # as long as it is live

    switch(application.reindexing, build(application))

    with pytest.raises(IndexSwitched):
        begun.documents.publish(record)


def test_a_search_that_began_before_the_switch_ends_with_what_it_found(
    application: Application,
) -> None:
    scope = read_scope(OWNER)
    begun, id_ = application.catalog.at(1), document(application, "rules.md")
    version = begun.documents.live_versions([id_], scope)[id_].version

    switch(application.reindexing, build(application))

    assert begun.documents.live_versions([id_], scope)[id_].version == version
    assert application.catalog.documents.live_versions([id_], scope)[id_].version != version


def test_vectors_that_were_lost_are_made_anew_from_what_is_stored(
    application: Application, reopened: Reopened
) -> None:
    before = texts(application, QUESTION)
    application.indexes.collections.drop(application.catalog.indexes.live().collection)

    with reopened() as admin:
        index = admin.reindexing.begin(admin.indexes.wanted())  # as --force does
        switch(admin.reindexing, index)

    wait_until(lambda: application.indexes.current().record.id == index.id)
    assert texts(application, QUESTION) == before


def test_a_second_admin_is_told_and_the_first_goes_on(application: Application) -> None:
    other = Reindexing(
        catalog=application.catalog,
        content=application.content,
        audit=application.audit,
        indexes=application.indexes,
        pipeline=application.pipeline_of,
        free=lambda: 1 << 40,
        settings=application.settings,
    )
    index = build(application)
    with application.reindexing.lease() as lease:
        with pytest.raises(Busy, match="Another process"), other.lease():
            pass
        application.reindexing.switch(index, OWNER, lease)

    with other.lease():
        assert application.catalog.indexes.live().id == 2


@pytest.mark.parametrize(("later_s", "is_switched"), [(59.0, True), (61.0, False)])
def test_a_build_that_stood_still_is_not_switched_to(
    application: Application, later_s: float, is_switched: bool
) -> None:
    seconds = [0.0]

    def free() -> int:  # asked before each group of documents
        seconds.append(later_s)
        return 1 << 40

    reindexing = Reindexing(
        catalog=application.catalog,
        content=application.content,
        audit=application.audit,
        indexes=application.indexes,
        pipeline=application.pipeline_of,
        free=free,
        settings=application.settings,
        clock=lambda: seconds[-1],
    )
    index = reindexing.begin(application.indexes.wanted())

    if is_switched:
        assert switch(reindexing, index).is_whole
    else:
        with pytest.raises(EnvironmentFault, match="lease on the indexes has ended"):
            switch(reindexing, index)

    assert (application.catalog.indexes.live().id == index.id) is is_switched
    assert application.catalog.locks.holder("reindex") is None


def test_a_full_disk_stops_a_build_and_leaves_the_live_index_as_it_was(
    application: Application,
) -> None:
    before = texts(application, QUESTION)
    room: list[int] = [1 << 20]
    reindexing = Reindexing(
        catalog=application.catalog,
        content=application.content,
        audit=application.audit,
        indexes=application.indexes,
        pipeline=application.pipeline_of,
        free=lambda: room[0],
        settings=application.settings,
    )
    index = reindexing.begin(application.indexes.wanted())

    with pytest.raises(EnvironmentFault, match="goes on from here"):
        write(reindexing, index)

    assert texts(application, QUESTION) == before
    assert states(application) == {1: IndexState.LIVE, 2: IndexState.BUILDING}
    room[0] = 1 << 40
    assert switch(reindexing, index).is_whole


def test_a_text_that_is_lost_is_named_and_nothing_is_switched(
    application: Application, folder: Path
) -> None:
    record = application.documents.get(document(application, "rules.md"), OWNER)
    parsed = application.content.parsed(record.content_hash, record.parse_key)
    assert parsed is not None
    next(
        (application.settings.data_dir / "content").glob(f"??/{record.content_hash}/*.zst")
    ).unlink()
    index = application.reindexing.begin(application.indexes.wanted())

    built = switch(application.reindexing, index)

    assert built.lacking.keys() == {record.uri}
    assert application.catalog.indexes.live().id == 1
    application.content.put_parsed(record.content_hash, record.parse_key, parsed)
    assert switch(application.reindexing, index).is_whole
