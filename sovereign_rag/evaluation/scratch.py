"""An index for one evaluation: a data folder of its own, made and searched by the product's parts.

It lies in the user's cache, named after the corpus and the settings that decide what is in it,
so it is built once and continued where a build was interrupted. A document that another model,
chunker or parser made is not taken for present: it is made again.
"""

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

from sovereign_rag.access import DEFAULT_TENANT, local_owner, read_scope
from sovereign_rag.answer import AnswerService
from sovereign_rag.answering.request import AnswerRequest
from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.domain import (
    Answer,
    Element,
    ElementKind,
    PageText,
    ParsedDocument,
    Passage,
    RequestedKind,
    SearchMode,
)
from sovereign_rag.embedding.protocol import Embedder
from sovereign_rag.errors import EnvironmentFault
from sovereign_rag.evaluation.datasets import CorpusDocument
from sovereign_rag.retrieval.conversation import Turn
from sovereign_rag.services.documents import DocumentService
from sovereign_rag.services.search import SearchService
from sovereign_rag.settings import CatalogSettings, Settings, StoreSettings
from sovereign_rag.storage.content import ContentStore
from sovereign_rag.store.protocol import SearchFilter

Progress = Callable[[int, int], None]
"""Called with how many are done and how many there are."""

READING = 1
"""Which `as_parsed` made an index; raised with it, so that older indexes aren't reused."""
_SCHEME = "labelled:"
_BATCH = 64  # documents handed over at once: enough to fill the embedder's batches
_LISTED = 1_000


class Searchable(Protocol):
    """What the measures of retrieval ask of an index; documents are named by their corpus ids."""

    @property
    def model_id(self) -> str:
        """The embedding model's name and hash."""
        ...

    def present(self, tenant: str = DEFAULT_TENANT) -> frozenset[str]:
        """The documents that are searchable."""
        ...

    def search(
        self,
        query: str,
        *,
        mode: SearchMode | None,
        limit: int,
        tenant: str = DEFAULT_TENANT,
        history: Sequence[Turn] = (),
    ) -> list[Passage]:
        """The best chunks, as `Searching.search` finds them."""
        ...


class Index(Searchable, Protocol):
    """What the measures of answers ask beside."""

    def add(self, documents: Sequence[CorpusDocument], tenant: str = DEFAULT_TENANT) -> None:
        """Chunk, embed and store documents; durable when it returns."""
        ...

    def answer(
        self,
        question: str,
        *,
        kind: RequestedKind | None,
        mode: SearchMode | None,
        exclude: frozenset[str] = frozenset(),
        tenant: str = DEFAULT_TENANT,
        history: Sequence[Turn] = (),
    ) -> Answer:
        """The product's own answer, as if the documents `exclude` were not there."""
        ...

    def page_text(self, document_id: str, page: int, tenant: str = DEFAULT_TENANT) -> str | None:
        """The stored text of a page, read from the content store; None: there is none."""
        ...


class Fillable(Protocol):
    """What takes documents in."""

    def add_parsed(
        self, documents: Sequence[tuple[str, str, ParsedDocument]], *, tenant: str
    ) -> None:
        """Index documents given as (uri, name, parsed), readable by the owner alone."""
        ...


class Versioned(Protocol):
    """What knows the version that a document would have if it were taken in now."""

    def version_of(self, content_hash: str) -> str: ...


class Product(Protocol):
    """The product over one data folder, put together by whoever evaluates it."""

    @property
    def embedder(self) -> Embedder: ...

    @property
    def content(self) -> ContentStore: ...

    @property
    def catalog(self) -> Catalog: ...

    @property
    def searching(self) -> SearchService: ...

    @property
    def answers(self) -> AnswerService: ...

    @property
    def documents(self) -> DocumentService: ...

    @property
    def ingestion(self) -> Fillable: ...

    @property
    def pipeline(self) -> Versioned: ...


class ScratchIndex:
    """The one `Index`: the product over a scratch folder, from `scratch_settings`.

    Over a data folder of somebody's it serves to ask; nothing is ever added there.
    """

    def __init__(self, product: Product) -> None:
        self._product = product
        self._ids: dict[str, dict[str, str]] = {}

    @property
    def model_id(self) -> str:
        return self._product.embedder.model_id

    def present(self, tenant: str = DEFAULT_TENANT) -> frozenset[str]:
        return frozenset(self._document_ids(tenant))

    def add(self, documents: Sequence[CorpusDocument], tenant: str = DEFAULT_TENANT) -> None:
        self._product.ingestion.add_parsed(
            [(_SCHEME + document.id, document.id, as_parsed(document)) for document in documents],
            tenant=tenant,
        )
        self._ids.pop(tenant, None)

    def search(
        self,
        query: str,
        *,
        mode: SearchMode | None,
        limit: int,
        tenant: str = DEFAULT_TENANT,
        history: Sequence[Turn] = (),
    ) -> list[Passage]:
        return self._product.searching.search(
            query, local_owner(tenant), limit=limit, mode=mode, history=history
        )

    def answer(
        self,
        question: str,
        *,
        kind: RequestedKind | None,
        mode: SearchMode | None,
        exclude: frozenset[str] = frozenset(),
        tenant: str = DEFAULT_TENANT,
        history: Sequence[Turn] = (),
    ) -> Answer:
        ids = self._document_ids(tenant) if exclude else {}
        search_filter = SearchFilter(
            exclude_documents=frozenset(ids[name] for name in exclude if name in ids)
        )
        return self._product.answers.answer(
            AnswerRequest(
                question,
                local_owner(tenant),
                kind=kind,
                mode=mode,
                search_filter=search_filter,
                history=history,
            )
        )

    def page_text(self, document_id: str, page: int, tenant: str = DEFAULT_TENANT) -> str | None:
        scope = read_scope(local_owner(tenant))
        live = self._product.catalog.documents.live_versions([document_id], scope).get(document_id)
        if live is None:
            return None
        parsed = self._product.content.parsed(live.content_hash, live.parse_key)
        texts = {stored.number: stored.text for stored in parsed.pages} if parsed else {}
        return texts.get(page)

    def _document_ids(self, tenant: str) -> dict[str, str]:
        """Document id by corpus id, of what is searchable and up to date."""
        if tenant not in self._ids:
            ids: dict[str, str] = {}
            pipeline = self._product.pipeline
            after: str | None = None
            while listed := self._product.documents.list(
                local_owner(tenant), limit=_LISTED, after=after
            ):
                ids |= {
                    corpus_id(record.uri): record.id
                    for record in listed
                    if record.version == pipeline.version_of(record.content_hash)
                }
                after = listed[-1].id
            self._ids[tenant] = ids
        return self._ids[tenant]


def corpus_id(uri: str) -> str:
    """The name that the labels have for a document of the scratch index."""
    return uri.removeprefix(_SCHEME)


def as_parsed(document: CorpusDocument) -> ParsedDocument:
    """A labelled text as if a parser had read it: one page, a paragraph for every line."""
    text = ""
    elements: list[Element] = []
    for line in document.text.splitlines():
        if line.strip():
            text += "\n\n" if text else ""
            elements.append(Element(ElementKind.PARAGRAPH, 1, len(text), len(text) + len(line)))
            text += line
    return ParsedDocument(
        media_type="text/plain",
        pages=(PageText(1, text),),
        elements=tuple(elements),
        paged=False,
        title=document.title.strip() or None,
        language=document.language,
    )


def fill(
    index: Index,
    documents: Iterable[CorpusDocument],
    *,
    total: int,
    on_progress: Progress,
    tenant: str = DEFAULT_TENANT,
) -> None:
    """Add what is not in the index yet; an interrupted call is simply made again.

    Args:
        index: To be filled.
        documents: The corpus, `total` documents.
        total: Their number, exactly: the last one closes the last batch.
        on_progress: Called after each document.
        tenant: Whose they are to be.

    Documents without text are left out: there is nothing of them to be found.
    """
    present = index.present(tenant)
    batch: list[CorpusDocument] = []
    for done, document in enumerate(documents, start=1):
        if document.id not in present and document.text.strip():
            batch.append(document)
        if batch and (len(batch) == _BATCH or done == total):
            index.add(batch, tenant)
            batch = []
        on_progress(done, total)


@contextmanager
def open_scratch(
    settings: Settings,
    cache: Path,
    corpus: str,
    *,
    fresh: bool,
    open_service: Callable[[Settings], AbstractContextManager[Product]],
) -> Iterator[ScratchIndex]:
    """The scratch index for a corpus, one process at a time: it is built once.

    Args:
        settings: Whose chunks and vectors are to be evaluated.
        cache: Where evaluations keep their indexes.
        corpus: A hash of the documents.
        fresh: Whether an index that is there is deleted first.
        open_service: Opens the product over settings.

    Raises:
        EnvironmentFault: Another process has it open.
    """
    from filelock import FileLock, Timeout

    cache.mkdir(parents=True, exist_ok=True)
    settings = scratch_settings(settings, cache, corpus)
    try:
        with FileLock(settings.data_dir.with_suffix(".lock"), timeout=0):
            if fresh:
                shutil.rmtree(settings.data_dir, ignore_errors=True)  # there may be none
            with open_service(settings) as product:
                yield ScratchIndex(product)
    except Timeout as error:
        raise EnvironmentFault(
            "Another evaluation is using this index. Wait until it is done."
        ) from error


def cache_folder() -> Path:
    """Where evaluations keep their indexes, in the user's cache."""
    import platformdirs

    return Path(platformdirs.user_cache_dir("sovereign-rag")) / "eval"


def scratch_settings(settings: Settings, cache: Path, corpus: str) -> Settings:
    """The settings of the scratch index for a corpus: as given, in a folder of its own.

    Args:
        settings: Whose chunks and vectors are to be evaluated.
        cache: Where evaluations keep their indexes.
        corpus: A hash of the documents.
    """
    decisive = {
        "reading": READING,
        "corpus": corpus,
        "chunk": settings.chunk.model_dump(mode="json"),
        "embedding": settings.embedding.model_dump(mode="json", exclude={"threads"}),
    }
    name = hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()[:24]
    # A server's collections are for its users' documents: always the embedded engine here.
    return settings.model_copy(
        update={"data_dir": cache / name, "store": StoreSettings(), "catalog": CatalogSettings()}
    )
