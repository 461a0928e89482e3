"""What is done for a caller depends on what they may read, not on what is hidden from them.

How long something takes can tell that it is there. Clocks are too coarse for a test, so what is
counted is what is asked of the store, the catalog and the content store.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from sovereign_rag.access import Principal, local_owner, read_scope
from sovereign_rag.catalog.database import CatalogPart
from sovereign_rag.embedding.dense import DenseEmbedder
from sovereign_rag.errors import NotFound
from sovereign_rag.retrieval.conversation import Turn
from sovereign_rag.retrieval.retriever import Retriever
from sovereign_rag.services.documents import DocumentService
from sovereign_rag.services.erasure import Erasure
from sovereign_rag.services.search import SearchService
from sovereign_rag.settings import Settings
from sovereign_rag.store.protocol import SearchFilter
from sovereign_rag.wiring import Application, open_service
from tests.rights.conftest import TEXT

NOWHERE = "00000000-0000-4000-8000-000000000000"
OPEN, CROWDED = "open", "crowded"  # tenants: the same public documents, in one among hidden ones


class Counted:
    """Stands before a part and counts what is called of it."""

    def __init__(self, part: object, calls: Counter[str]) -> None:
        self._part, self._calls = part, calls

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._part, name)
        if isinstance(value, CatalogPart):  # of the catalog
            return Counted(value, self._calls)
        if not callable(value):
            return value

        def call(*arguments: Any, **named: Any) -> Any:
            self._calls[f"{type(self._part).__name__}.{name}"] += 1
            return value(*arguments, **named)

        return call


@dataclass
class Watched:
    """The product's parts for searching and reading, with everything beneath them counted."""

    application: Application
    calls: Counter[str] = field(default_factory=Counter)

    def _counted(self, part: object) -> Any:
        return cast(Any, Counted(part, self.calls))

    @property
    def retriever(self) -> Retriever:
        return Retriever(
            embedder=self.application.embedder,
            lexical=self.application.lexical,
            store=self._counted(self.application.store),
            live=self._counted(self.application.catalog.documents),
            settings=self.application.settings.retrieval,
        )

    @property
    def searching(self) -> SearchService:
        store = self._counted(self.application.store)
        return SearchService(
            retriever=self.retriever,
            store=store,
            pending=lambda tenant: frozenset(),
            audit=self.application.audit,
            admission=self.application.admission,
        )

    @property
    def documents(self) -> DocumentService:
        return DocumentService(
            catalog=self._counted(self.application.catalog),
            content=self._counted(self.application.content),
            erasure=Erasure(
                documents=self._counted(self.application.catalog.documents),
                follow_ups=self._counted(self.application.catalog.follow_ups),
                content=self._counted(self.application.content),
                all_indexes=self._counted(self.application.all_indexes),
            ),
            renderer=self.application.parser,
            audit=self.application.audit,
            operations=self.application.operations,
            submission=self.application.submission,
        )

    def of(self, work: Callable[[], object]) -> Counter[str]:
        """What the work asked of the parts beneath; a refusal is work too."""
        self.calls.clear()
        try:
            work()
        except NotFound:
            self.calls["refused"] += 1
        return self.calls.copy()


@pytest.fixture(scope="module")
def watched(
    product_settings: Callable[..., Settings],
    embedder: DenseEmbedder,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Watched]:
    with open_service(product_settings(), embedder=embedder) as application:
        for tenant in (OPEN, CROWDED):
            folder = tmp_path_factory.mktemp(tenant)
            for n in range(3):
                (folder / f"notice-{n}.txt").write_text(
                    TEXT.format(n=n, word="harbour"), encoding="utf-8"
                )
            everyone = frozenset({"everyone"})
            application.ingestion.ingest([folder], local_owner(tenant), readers=everyone)
        secrets = tmp_path_factory.mktemp("secrets")
        for n in range(3, 12):
            (secrets / f"notice-{n}.txt").write_text(
                TEXT.format(n=n, word="harbour"), encoding="utf-8"
            )
        board = frozenset({"group:board"})
        application.ingestion.ingest([secrets], local_owner(CROWDED), readers=board)
        yield Watched(application)


def _asker(tenant: str) -> Principal:
    return Principal("ana", tenant=tenant)


def _hidden(watched: Watched) -> str:
    (one, *_) = [
        record.id
        for record in watched.application.documents.list(local_owner(CROWDED))
        if record.name == "notice-7.txt"
    ]
    return one


@pytest.mark.parametrize(
    "work",
    [
        lambda w, who: w.searching.search("common notice gate", who, limit=2),
        lambda w, who: w.searching.search("common notice gate", who, mode="lexical"),
        lambda w, who: w.searching.search("nothing of the kind", who, mode="lexical"),
        lambda w, who: w.searching.search("And that?", who, history=[Turn("Which gate opens?")]),
        lambda w, who: w.searching.facets(who),
        lambda w, who: w.documents.list(who),
        lambda w, who: w.documents.count(who),
    ],
    ids=["search", "words", "nothing", "conversation", "facets", "listing", "count"],
)
def test_a_search_does_the_same_work_whether_or_not_there_is_more_that_is_hidden(
    watched: Watched, work: Callable[[Watched, Principal], object]
) -> None:
    alone = watched.of(lambda: work(watched, _asker(OPEN)))
    among = watched.of(lambda: work(watched, _asker(CROWDED)))

    assert alone == among
    assert alone.total() > 0


@pytest.mark.parametrize(
    "work",
    [
        lambda w, who, id_: w.documents.get(id_, who),
        lambda w, who, id_: w.documents.page(id_, 1, who),
        lambda w, who, id_: w.documents.pages(id_, who),
        lambda w, who, id_: w.documents.page_image(id_, 1, who),
        lambda w, who, id_: w.documents.boxes(id_, 1, 0, 5, who),
        lambda w, who, id_: w.documents.delete(id_, who),
        lambda w, who, id_: w.searching.facets(
            who, search_filter=SearchFilter(documents=frozenset({id_}))
        ),
        lambda w, who, id_: w.searching.search(
            "common notice gate", who, search_filter=SearchFilter(documents=frozenset({id_}))
        ),
    ],
    ids=["document", "page", "pages", "image", "boxes", "removal", "facets", "search"],
)
def test_a_hidden_document_costs_what_one_that_is_not_there_costs(
    watched: Watched, work: Callable[[Watched, Principal, str], object]
) -> None:
    asker = _asker(CROWDED)
    hidden = watched.of(lambda: work(watched, asker, _hidden(watched)))
    missing = watched.of(lambda: work(watched, asker, NOWHERE))

    assert hidden == missing
    assert hidden.total() > 0


def test_what_was_cited_and_is_hidden_costs_what_was_never_there_costs(watched: Watched) -> None:
    retriever, asker = watched.retriever, _asker(CROWDED)
    scope = read_scope(asker)
    query = retriever.query("And that?", "en", scope, history=[Turn("Which gate opens?")])

    def citing(id_: str) -> Counter[str]:
        return watched.of(lambda: retriever.context(query, scope, earlier=[f"{id_}:0"]))

    shown = next(iter(watched.application.documents.list(asker))).id
    assert citing(_hidden(watched)) == citing(NOWHERE)
    assert citing(shown).total() > citing(NOWHERE).total()  # the counting sees a difference
