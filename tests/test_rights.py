"""Nobody is shown what they may not read: every way out, against a rule written down once more.

Random principals, readers, levels and filters are asked of the stores and of the whole product,
and each answer is compared with brute force over all there is. RIGHTS_EXAMPLES sets how many.
"""

import os
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sovereign_rag.access import Principal, local_owner, read_scope, stored_readers
from sovereign_rag.answer import Done
from sovereign_rag.catalog.records import document_id
from sovereign_rag.domain import Chunk, PageSpan, SparseVector
from sovereign_rag.embedding.dense import DenseEmbedder
from sovereign_rag.errors import NotFound
from sovereign_rag.settings import Settings
from sovereign_rag.store.connect import open_store
from sovereign_rag.store.memory import MemoryStore
from sovereign_rag.store.protocol import (
    ChunkStore,
    DenseQuery,
    IndexedChunk,
    LexicalQuery,
    Narrowing,
    Origin,
    point_id,
)
from sovereign_rag.wiring import Application, open_service

EXAMPLES = int(os.environ.get("RIGHTS_EXAMPLES", "150"))
often = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

TENANTS = ("north", "south")
USERS = ("ana", "bob", "cleo")
GROUPS = ("hr", "finance", "board")
LEVELS = (0, 1, 2, 3)
LABELS = ("everyone", *(f"user:{user}" for user in USERS), *(f"group:{name}" for name in GROUPS))
TYPES = ("application/pdf", "text/plain")

readers = st.frozensets(st.sampled_from(LABELS), max_size=3)
levels = st.sampled_from(LEVELS)
principals = st.builds(
    Principal,
    user=st.sampled_from(USERS),
    groups=st.frozensets(st.sampled_from(GROUPS)),
    tenant=st.sampled_from(TENANTS),
    clearance=levels,
    is_admin=st.booleans(),
)
askers = st.one_of(principals, st.sampled_from(TENANTS).map(local_owner))


@dataclass(frozen=True)
class Paper:
    """A document as the oracle knows it."""

    id: str
    tenant: str
    readers: frozenset[str]
    level: int
    language: str
    media_type: str


def may_read(asker: Principal, paper: Paper) -> bool:
    """The rule, in words: same tenant, cleared for the level, and named among its readers.

    The owner of the data folder is a reader of everything in the tenant.
    """
    if asker.tenant != paper.tenant or asker.clearance < paper.level:
        return False
    if asker.is_owner or "everyone" in paper.readers or f"user:{asker.user}" in paper.readers:
        return True
    return any(f"group:{name}" in paper.readers for name in asker.groups)


# ---- the stores ---------------------------------------------------------------------------------

DIMENSION = 4
EAST = np.eye(DIMENSION, dtype=np.float32)[0]
WORD = SparseVector((7,), (1.0,))


class World:
    """Papers in a store, and the oracle's own list of them."""

    def __init__(self, store: ChunkStore) -> None:
        self.store = store
        self.papers = [
            Paper(
                id=str(uuid.uuid5(uuid.NAMESPACE_OID, f"paper {n}")),
                tenant=TENANTS[n % 2],
                readers=frozenset({LABELS[n % len(LABELS)]}),
                level=LEVELS[n % 3],
                language=("en", "fr")[n % 3 == 0],
                media_type=TYPES[n % 5 == 0],
            )
            for n in range(28)
        ]
        store.put([chunk for paper in self.papers for chunk in _chunks(paper)])

    def change(self, number: int, labels: frozenset[str], level: int) -> None:
        paper = replace(self.papers[number % len(self.papers)], readers=labels, level=level)
        self.papers[number % len(self.papers)] = paper
        self.store.set_access(
            paper.tenant, paper.id, readers=stored_readers(labels), level=paper.level
        )

    def seen_by(self, asker: Principal, narrowing: Narrowing) -> list[Paper]:
        return [p for p in self.papers if may_read(asker, p) and _is_left(p, asker, narrowing)]


def _chunks(paper: Paper) -> Iterator[IndexedChunk]:
    for index in range(2):
        text = f"chunk {index} of {paper.id}"
        yield IndexedChunk(
            chunk=Chunk(
                paper.id, "v1", index, text, (PageSpan(1, 0, len(text)),), language=paper.language
            ),
            tenant=paper.tenant,
            readers=stored_readers(paper.readers),
            level=paper.level,
            dense=EAST,
            lexical=WORD,
            origin=Origin(media_type=paper.media_type),
        )


def _is_left(paper: Paper, asker: Principal, narrowing: Narrowing) -> bool:
    own = {f"user:{asker.user}", "everyone", *(f"group:{name}" for name in asker.groups)}
    labels = narrowing.labels
    return (
        (narrowing.documents is None or paper.id in narrowing.documents)
        and paper.id not in narrowing.exclude_documents
        and (narrowing.languages is None or paper.language in narrowing.languages)
        and (narrowing.media_types is None or paper.media_type in narrowing.media_types)
        and (labels is None or bool(labels & own & paper.readers))
    )


def _optional(values: st.SearchStrategy[str]) -> st.SearchStrategy[frozenset[str] | None]:
    return st.one_of(st.none(), st.none(), st.frozensets(values, max_size=4))


PAPER_IDS = [str(uuid.uuid5(uuid.NAMESPACE_OID, f"paper {n}")) for n in range(28)]
narrowings = st.builds(
    Narrowing,
    documents=st.one_of(
        st.none(), st.none(), st.frozensets(st.sampled_from(PAPER_IDS), max_size=20)
    ),
    exclude_documents=st.frozensets(st.sampled_from(PAPER_IDS), max_size=3),
    languages=_optional(st.sampled_from(("en", "fr", "de"))),
    media_types=_optional(st.sampled_from(TYPES)),
    labels=_optional(st.sampled_from(LABELS)),
)
changes = st.lists(st.tuples(st.integers(0, 27), readers, levels), max_size=2)


@pytest.fixture(scope="module", params=["memory", "embedded"])
def world(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    if request.param == "memory":
        store: ChunkStore = MemoryStore(dimension=DIMENSION)
    else:
        data = Settings(data_dir=tmp_path_factory.mktemp("rights"))
        store = open_store(data, model_id="model", dimension=DIMENSION)
    yield World(store)
    store.close()


@often
@given(asker=askers, narrowing=narrowings, changes=changes)
def test_a_store_returns_and_counts_what_the_asker_may_read_and_all_of_it(
    world: World,
    asker: Principal,
    narrowing: Narrowing,
    changes: list[tuple[int, frozenset[str], int]],
) -> None:
    for number, labels, level in changes:
        world.change(number, labels, level)
    scope = read_scope(asker)

    dense, lexical = world.store.search(
        [DenseQuery(EAST, 1_000, narrowing), LexicalQuery(WORD, 1_000, narrowing)], scope
    )

    allowed = world.seen_by(asker, narrowing)
    expected = sorted(point_id(paper.id, "v1", index) for paper in allowed for index in range(2))
    assert sorted(hit.id for hit in dense) == expected
    assert sorted(hit.id for hit in lexical) == expected
    assert world.store.count(scope, narrowing) == len(expected)
    assert world.store.facet("language", scope, narrowing) == dict(
        Counter(paper.language for paper in allowed for _ in range(2))
    )


@often
@given(asker=askers, chunks=st.frozensets(st.sampled_from(PAPER_IDS), min_size=1, max_size=20))
def test_naming_chunks_outright_does_not_open_them(
    world: World, asker: Principal, chunks: frozenset[str]
) -> None:
    named = frozenset(point_id(paper_id, "v1", 0) for paper_id in chunks)

    (hits,) = world.store.search(
        [DenseQuery(EAST, 1_000, Narrowing(chunks=named))], read_scope(asker)
    )

    allowed = {paper.id for paper in world.papers if may_read(asker, paper)} & chunks
    assert {hit.chunk.document_id for hit in hits} == allowed


# ---- the product --------------------------------------------------------------------------------

TEXT = "The common notice number {n} says that the gate opens at {n} o'clock."


@pytest.fixture(scope="module")
def product(
    product_settings: Callable[..., Settings],
    embedder: DenseEmbedder,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[Application, list[Paper]]]:
    folder, papers = tmp_path_factory.mktemp("papers"), []
    with open_service(product_settings(), embedder=embedder) as application:
        for n in range(14):
            tenant, level = TENANTS[n % 2], LEVELS[n % 3]
            labels = frozenset({LABELS[n // 2 % len(LABELS)]})
            path = folder / f"notice-{n}.txt"
            path.write_text(TEXT.format(n=n), encoding="utf-8")
            report = application.ingestion.ingest(
                [path], local_owner(tenant), readers=labels, level=level
            )
            id_ = document_id(tenant, report.tasks[0].uri)
            papers.append(Paper(id_, tenant, labels, level, "en", "text/plain"))
        yield application, papers


@often
@given(asker=askers)
def test_whatever_the_product_lists_counts_finds_or_shows_the_asker_may_read(
    product: tuple[Application, list[Paper]], asker: Principal
) -> None:
    application, papers = product
    allowed = {paper.id for paper in papers if may_read(asker, paper)}

    found = application.searching.search("common notice gate", asker, limit=50, mode="lexical")
    listed = application.documents.list(asker, limit=100)
    facets = application.searching.facets(asker)

    assert {passage.chunk.document_id for passage in found} == allowed
    assert {record.id for record in listed} == allowed
    assert application.documents.count(asker) == len(allowed)
    assert sum(facets["media_type"].values()) == len(allowed)
    for paper in papers:
        if paper.id in allowed:
            assert "gate opens" in application.documents.page(paper.id, 1, asker).text
        else:
            assert_hidden(application, paper.id, asker)


def assert_hidden(application: Application, id_: str, asker: Principal) -> None:
    """A document that may not be read and one that is not there: the same answer, word for word."""
    nowhere = "00000000-0000-4000-8000-000000000000"
    ways = (
        lambda name: application.documents.get(name, asker),
        lambda name: application.documents.page(name, 1, asker),
        lambda name: application.documents.pages(name, asker),
        lambda name: application.documents.page_image(name, 1, asker),
    )
    for way in ways:
        with pytest.raises(NotFound) as hidden:
            way(id_)
        with pytest.raises(NotFound) as missing:
            way(nowhere)
        assert str(hidden.value).replace(id_, nowhere) == str(missing.value)


@settings(often, max_examples=max(10, EXAMPLES // 15))
@given(asker=principals)
def test_an_answer_quotes_and_streams_nothing_else(
    product: tuple[Application, list[Paper]], asker: Principal
) -> None:
    application, papers = product
    allowed = {paper.id for paper in papers if may_read(asker, paper)}

    events = list(application.answering.stream("When does the gate open?", asker, kind="extracts"))

    shown = {p.chunk.document_id for event in events for p in getattr(event, "passages", ())}
    shown |= {
        citation.document_id
        for event in events
        for citation in getattr(getattr(event, "statement", None), "citations", ())
    }
    shown |= {
        citation.document_id
        for event in events
        if isinstance(event, Done)
        for citation in event.answer.citations
    }
    assert shown <= allowed


@often
@given(asker=principals)
def test_jobs_are_listed_to_who_submitted_them_and_to_admins_of_the_tenant(
    product: tuple[Application, list[Paper]], asker: Principal
) -> None:
    application, papers = product

    listed = application.jobs.list(asker, limit=100)

    submitted_by_owner = sum(paper.tenant == asker.tenant for paper in papers)
    assert len(listed) == (submitted_by_owner if asker.is_admin else 0)
    assert {job.tenant for job in listed} <= {asker.tenant}
