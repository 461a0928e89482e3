"""What is taken from somebody is gone at once, also while the vector store is away.

A catalog and a store in memory, with a door between them that can be shut; the oracle is the rule
itself, held against who may read which document by what was said last of it.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from sovereign_rag.access import Principal, ReadScope, local_owner, read_scope, stored_readers
from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.catalog.records import Lease, NewTask, TaskState, document_id
from sovereign_rag.domain import Chunk, PageSpan, SparseVector
from sovereign_rag.embedding.lexical import Bm25Encoder
from sovereign_rag.errors import AuditError, NotFound, StoreError
from sovereign_rag.indexes.languages import respeak
from sovereign_rag.services.editing import DocumentEditor, Edit
from sovereign_rag.services.erasure import Erasure
from sovereign_rag.services.operations import OperationRecorder
from sovereign_rag.services.submission import Submission
from sovereign_rag.settings import Settings
from sovereign_rag.storage.audit import AuditLog
from sovereign_rag.storage.content import ContentStore
from sovereign_rag.store.memory import MemoryStore
from sovereign_rag.store.protocol import DenseQuery, IndexedChunk, Spoken
from tests.catalog.conftest import stored

OWNER = local_owner()
URI = "file:///gate.txt"
DOCUMENT = document_id("default", URI)
Rights = tuple[frozenset[str], int]
EAST = np.array([1.0, 0.0], np.float32)
PEOPLE = {
    "ana": Principal("ana", frozenset({"hr"})),
    "bo": Principal("bo", frozenset({"it"}), clearance=1),
    "cy": Principal("cy", frozenset({"hr", "it"}), clearance=2),
    "eve": Principal("eve"),
}


class DistantStore(MemoryStore):
    """The chunks of all indexes, behind a line that can be cut."""

    def __init__(self) -> None:
        super().__init__(dimension=2)
        self.is_away = False

    def prune(self, tenant: str, document_id: str, *, keep: str | None) -> None:
        self._reach()
        super().prune(tenant, document_id, keep=keep)

    def set_access(
        self, tenant: str, document_id: str, *, readers: frozenset[str], level: int
    ) -> None:
        self._reach()
        super().set_access(tenant, document_id, readers=readers, level=level)

    def set_language(self, tenant: str, document_id: str, spoken: Spoken) -> None:
        self._reach()
        respeak(self, Bm25Encoder(), tenant, document_id, "v1", spoken)

    def tidy(self, tenant: str, document_id: str) -> None:
        self._reach()  # there is one version of the document in these tests

    def _reach(self) -> None:
        if self.is_away:
            raise StoreError("The store does not answer; it is tried again.")


class House:
    """The parts that rights pass through, as the product puts them together."""

    def __init__(self, folder: Path) -> None:
        self.catalog = Catalog.open(Settings(data_dir=folder))
        self.store = DistantStore()
        self.audit = AuditLog(folder)
        content = ContentStore(folder)
        self.erasure = Erasure(
            documents=self.catalog.documents,
            follow_ups=self.catalog.follow_ups,
            content=content,
            all_indexes=self.store,
        )
        operations = OperationRecorder(catalog=self.catalog, audit=self.audit, resume={})
        self.editor = DocumentEditor(
            catalog=self.catalog, erasure=self.erasure, operations=operations
        )
        self.submission = Submission(catalog=self.catalog, audit=self.audit, operations=operations)

    @contextmanager
    def away(self) -> Iterator[None]:
        self.store.is_away = True
        yield
        self.store.is_away = False

    def publish(self, readers: frozenset[str], level: int = 0, lease: Lease | None = None) -> None:
        """Take the document in, as a worker does: chunks first, then the catalog."""
        chunk = Chunk(DOCUMENT, "v1", 0, "The gate opens at seven.", (PageSpan(1, 0, 24),))
        indexed = IndexedChunk(
            chunk, "default", stored_readers(readers), level, EAST, SparseVector((), ())
        )
        self.store.put([indexed])
        record = replace(stored(URI, readers=readers, level=level), chunks=1)
        self.catalog.documents.publish(record, lease)

    def work_off(self) -> None:
        """What workers do of what was handed in."""
        while (task := self.catalog.leases.acquire("w", lease_s=60)) is not None:
            self.publish(task.readers, task.level, Lease(task.id, "w"))
            self.catalog.leases.finish(task.id, "w", TaskState.INDEXED)

    def readers(self) -> set[str]:
        """Who finds the document, by search as by name."""
        return {name for name, one in PEOPLE.items() if self.finds(read_scope(one))}

    def finds(self, scope: ReadScope) -> bool:
        (hits,) = self.store.search([DenseQuery(EAST, 10)], scope)
        live = self.catalog.documents.live_versions([DOCUMENT], scope)
        return any(hit.chunk.document_id in live for hit in hits)

    def opens(self, who: str) -> bool:
        try:
            return bool(self.catalog.documents.get(DOCUMENT, read_scope(PEOPLE[who])))
        except NotFound:
            return False

    def agreed(self) -> bool:
        """Whether the store says what the catalog says."""
        known = self.catalog.documents.known("default", DOCUMENT)
        held = [c for c in self.store._chunks.values() if c.chunk.document_id == DOCUMENT]
        if known is None:
            return not held
        said = (stored_readers(known.readers), known.level)
        return all((c.readers, c.level) == said for c in held)

    def close(self) -> None:
        self.audit.close()
        self.catalog.close()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    house = House(tmp_path)
    yield house
    house.close()


@pytest.fixture(scope="module")
def old_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    house = House(tmp_path_factory.mktemp("house"))
    yield house
    house.close()


def may(readers: frozenset[str], level: int) -> set[str]:
    """Who reads it, by the rule alone."""
    return {
        name
        for name, one in PEOPLE.items()
        if read_scope(one).allows(tenant="default", readers=readers, level=level)
    }


def labels(text: str) -> frozenset[str]:
    return frozenset(text.split())


def test_a_right_that_is_taken_away_is_gone_while_the_store_is_away(house: House) -> None:
    house.publish(labels("group:hr group:it"), level=0)

    with house.away():
        edited = house.editor.edit(DOCUMENT, Edit(readers=labels("group:it")), OWNER)
        meanwhile, opens = house.readers(), house.opens("ana")
    told = house.erasure.follow_up_all()

    assert not edited.is_settled
    assert (meanwhile, opens) == ({"bo", "cy"}, False)
    assert told
    assert house.agreed()
    assert house.readers() == {"bo", "cy"}


def test_a_right_that_is_given_takes_effect_once_the_store_has_been_told(house: House) -> None:
    house.publish(labels("group:hr"))

    with house.away():
        house.editor.edit(DOCUMENT, Edit(readers=labels("everyone")), OWNER)
        meanwhile, opens = house.readers(), house.opens("eve")
    house.erasure.follow_up_all()

    assert (meanwhile, opens) == ({"ana", "cy"}, False)
    assert house.readers() == set(PEOPLE)
    assert house.agreed()


def test_with_the_store_there_both_are_in_effect_when_the_edit_returns(house: House) -> None:
    house.publish(labels("group:hr"))

    edited = house.editor.edit(DOCUMENT, Edit(readers=labels("group:it"), level=2), OWNER)

    assert edited.is_settled
    assert (edited.document.readers, edited.document.level) == (labels("group:it"), 2)
    assert house.readers() == {"cy"}
    assert house.agreed()


def test_a_deleted_document_is_found_by_nobody_while_the_store_is_away(house: House) -> None:
    house.publish(labels("everyone"))

    with house.away():
        is_told = house.erasure.erase("default", DOCUMENT, "a" * 64)
        meanwhile, opens, kept = house.readers(), house.opens("eve"), len(house.store._chunks)
    house.erasure.follow_up_all()

    assert not is_told
    assert (meanwhile, opens, kept) == (set(), False, 1)
    assert house.store._chunks == {}


def test_an_upload_for_fewer_takes_the_document_from_the_others_at_once(house: House) -> None:
    house.publish(labels("everyone"))

    with house.away():
        task = NewTask(URI, "gate.txt", labels("group:hr"), 0, content_hash="b" * 64)
        house.submission.submit([task], OWNER)
        meanwhile = house.readers()

    assert meanwhile == {"ana", "cy"}


def test_an_upload_that_waits_gives_nobody_a_right_that_was_taken_since(house: House) -> None:
    house.publish(labels("everyone"))
    task = NewTask(URI, "gate.txt", labels("everyone"), 0, content_hash="b" * 64)
    house.submission.submit([task], OWNER)
    taken = house.catalog.leases.acquire("w1", lease_s=60)
    assert taken is not None
    house.editor.edit(DOCUMENT, Edit(readers=labels("group:hr")), OWNER)

    house.publish(labels("everyone"), lease=Lease(taken.id, "w1"))  # as it was read at the start
    published = house.readers()
    house.catalog.leases.finish(taken.id, "w1", TaskState.INDEXED)
    house.erasure.follow_up_all()

    assert published == house.readers() == {"ana", "cy"}
    assert house.agreed()


def test_no_worker_begins_with_a_document_whose_removal_goes_on(house: House) -> None:
    house.publish(labels("everyone"))
    with house.away():
        house.erasure.erase("default", DOCUMENT, "a" * 64)
    held = house.catalog.follow_ups.claim("teller")
    task = NewTask(URI, "gate.txt", labels("everyone"), 0, content_hash="b" * 64)
    house.submission.submit([task], OWNER)

    during = house.catalog.leases.acquire("w1", lease_s=60)
    assert held is not None
    house.catalog.follow_ups.release(held)
    taken = house.catalog.leases.acquire("w1", lease_s=60)

    assert during is None
    assert taken is not None
    assert house.catalog.follow_ups.claim("teller") is None  # and the removal waits for it


def test_who_told_the_store_late_tells_it_once_more(house: House) -> None:
    house.publish(labels("everyone"))
    with house.away():
        house.editor.edit(DOCUMENT, Edit(readers=labels("group:hr")), OWNER)
    slow = house.catalog.follow_ups.claim("slow")
    assert slow is not None
    house.editor.edit(DOCUMENT, Edit(readers=labels("group:it")), OWNER)

    house.store.set_access("default", DOCUMENT, readers=labels("group:hr owner"), level=0)
    house.catalog.follow_ups.end(slow)
    house.erasure.follow_up_all()

    assert house.agreed()
    assert house.readers() == {"bo", "cy"}


def test_what_is_not_on_the_record_changes_nothing(house: House, tmp_path: Path) -> None:
    class FullDisk(AuditLog):
        def append(self, entry: object) -> None:
            raise AuditError("The disk is full; free some space.")

    house.publish(labels("everyone"))
    full = OperationRecorder(catalog=house.catalog, audit=FullDisk(tmp_path / "full"), resume={})
    editor = DocumentEditor(catalog=house.catalog, erasure=house.erasure, operations=full)

    with pytest.raises(AuditError):
        editor.edit(DOCUMENT, Edit(readers=labels("group:hr")), OWNER)

    assert house.readers() == set(PEOPLE)


RIGHTS = st.tuples(
    st.frozensets(st.sampled_from(["everyone", "group:hr", "group:it", "user:eve", "user:ana"])),
    st.integers(0, 2),
)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("edit"), RIGHTS),
        st.tuples(st.just("upload"), RIGHTS),
        st.tuples(st.just("delete"), RIGHTS),
        st.tuples(st.just("cut"), st.booleans()),
        st.tuples(st.just("work"), st.just(())),
    ),
    max_size=6,
)


@hypothesis_settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(first=RIGHTS, steps=STEPS)
def test_nobody_sees_more_than_was_said_last_and_in_the_end_both_agree(
    old_house: House, first: Rights, steps: list[tuple[str, Any]]
) -> None:
    house, said = old_house, first
    house.store.is_away = False
    house.publish(*first)
    house.erasure.follow_up_all()
    for what, given_ in steps:
        if what == "cut":
            house.store.is_away = given_
        elif what == "work":
            house.erasure.follow_up_all()
        else:
            said = _say(house, what, given_) or said
        assert house.readers() <= may(*said)
        assert {name for name in PEOPLE if house.opens(name)} <= may(*said)

    house.store.is_away = False
    house.work_off()
    house.erasure.follow_up_all()

    assert house.agreed()
    assert house.readers() == may(*said)
    house.erasure.erase("default", DOCUMENT, "a" * 64)


def _say(house: House, what: str, rights: Rights) -> Rights | None:
    """Do it; returns what was said of rights by it, None for nothing."""
    readers, level = rights
    if what == "upload":
        task = NewTask(URI, "gate.txt", readers, level, content_hash="b" * 64)
        house.submission.submit([task], OWNER)
        if not house.store.is_away:
            house.work_off()
        return rights
    if what == "edit":
        try:
            house.editor.edit(DOCUMENT, Edit(readers=readers, level=level), OWNER)
        except NotFound:  # it is deleted
            return None
        return rights
    house.erasure.erase("default", DOCUMENT, "a" * 64)
    return frozenset(), 0


def test_a_worker_that_finds_nothing_new_goes_by_what_was_said_since(house: House) -> None:
    house.publish(labels("group:hr"))
    for readers in (labels("everyone"), labels("group:it")):
        task = NewTask(URI, "gate.txt", readers, 0, content_hash="b" * 64)
        house.submission.submit([task], OWNER)
    first = house.catalog.leases.acquire("w1", lease_s=60)
    assert first is not None
    house.editor.edit(DOCUMENT, Edit(readers=labels("user:eve")), OWNER)
    later = NewTask(URI, "gate.txt", labels("group:hr"), 0, content_hash="b" * 64)
    house.submission.submit([later], OWNER)

    house.erasure.change_readers("default", DOCUMENT, labels("everyone"), 0, Lease(first.id, "w1"))
    by_the_first = house.readers()
    house.catalog.leases.finish(first.id, "w1", TaskState.UNCHANGED)
    house.work_off()
    house.erasure.follow_up_all()

    assert by_the_first == set()  # eve by the edit, hr by what is on its way: nobody by both
    assert house.readers() == {"ana", "cy"}
    assert house.agreed()
