"""An index as an organisation has it, made of random numbers: topics, tenants, groups, levels.

Passages lie in vector space as those of real collections do: topics, sub-topics within them, and
documents whose passages resemble each other. Their words are invented and as unevenly frequent as
those of a language, half of them the topic's own. Documents belong to tenants of very different
sizes, carry the labels of five groups of two hundred, three of them their department's, and a
level. The same seed gives the same index.
"""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sovereign_rag.access import Principal, stored_readers
from sovereign_rag.catalog.records import DocumentRecord, DocumentStatus
from sovereign_rag.domain import Chunk, PageSpan, SparseVector
from sovereign_rag.embedding.protocol import LexicalEncoder, Vectors
from sovereign_rag.store.protocol import ChunkOrigin, IndexedChunk

DIMENSION: Final = 384
SHARES: Final = (0.0001, 0.001, 0.01, 0.1, 1.0)
ASKED_TENANT: Final = "tenant-1"
VERSION: Final = "v1"

_TOPICS, _SUBTOPICS = 24, 100
_GROUPS, _DEPARTMENTS = 200, 20
_GROUPS_OF_A_CALLER = 20
_CALLERS = 4  # a share; two read here and there, two whole topics
_PASSAGES_OF_A_DOCUMENT = 20
_LONGEST_DOCUMENT = 80
_LEVELS = (0.6, 0.25, 0.1, 0.05)
_CLEARANCE = 1
_VOCABULARY, _TOPIC_VOCABULARY = 30_000, 2_000
_FREQUENT = 100  # words that a question leaves out, as it does stop words
_WORDS_OF_A_QUESTION = 6
_LANGUAGES = ("fr", "de", "en")
_BATCH = 1_024


@dataclass(slots=True)
class Document:
    """A document: chunks `first` to `first + length` of the index."""

    id: str
    tenant: str
    topic: int
    language: str
    level: int
    first: int
    length: int
    readers: set[str]


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and how many chunks they may read, by the plan."""

    share: float
    readable: int
    principal: Principal


@dataclass(frozen=True, slots=True)
class Question:
    text: str
    language: str
    vector: NDArray[np.float32]  # shape (DIMENSION,), unit length


class SyntheticIndex:
    """`chunks` passages in about a twentieth as many documents.

    For each of `SHARES` there are callers of `ASKED_TENANT` who read that share of its passages
    (at least one), through twenty groups of theirs. Documents of a higher level and of other
    tenants carry the same groups, so that a search needs all three conditions to be right.
    """

    def __init__(self, chunks: int, *, tenants: int, seed: int = 7) -> None:
        self._random = np.random.default_rng(seed)
        self._words = _words(self._random)
        # Frequencies as in a language: the n-th word about 1/n as often as the first.
        self._common = np.cumsum(1 / np.arange(3, _VOCABULARY + 3))
        self._topical = np.cumsum(1 / np.arange(3, _TOPIC_VOCABULARY + 3))
        self._topic_words = self._random.integers(
            _FREQUENT, _VOCABULARY, (_TOPICS, _TOPIC_VOCABULARY)
        )
        self.documents: list[Document] = []
        self._document_of = np.empty(chunks, dtype=np.int32)
        self.vectors: Vectors = np.empty((chunks, DIMENSION), dtype=np.float32)
        self._plan(chunks, tenants)
        self.callers = [
            caller
            for place, share in enumerate(SHARES)
            for caller in self._grant(place, share, 1 if share == 1 else _CALLERS)
        ]
        self._text_seed = int(self._random.integers(2**32))

    def of_asked_tenant(self) -> list[Document]:
        return [d for d in self.documents if d.tenant == ASKED_TENANT]

    def batches(self, lexical: LexicalEncoder) -> Iterator[list[IndexedChunk]]:
        """All chunks in order; the same whenever asked."""
        for first in range(0, len(self.vectors), _BATCH):
            rows = range(first, min(first + _BATCH, len(self.vectors)))
            owners = [self.documents[self._document_of[row]] for row in rows]
            texts = [" ".join(self._words[self._text(row)]) for row in rows]
            terms = lexical.encode_passages(texts, [d.language for d in owners])
            yield [
                self._indexed(row, document, text, vector)
                for row, document, text, vector in zip(rows, owners, texts, terms, strict=True)
            ]

    def questions(self, count: int) -> list[Question]:
        """Questions to which one passage of the asked tenant, drawn at random, is the answer."""
        rows = np.concatenate(
            [np.arange(d.first, d.first + d.length) for d in self.of_asked_tenant()]
        )
        made: list[Question] = []
        for row in self._random.choice(rows, count):
            rare = np.unique(self._text(row)[self._text(row) >= _FREQUENT])
            chosen = self._random.choice(rare, min(_WORDS_OF_A_QUESTION, len(rare)), replace=False)
            vector = _unit(self.vectors[row] + 0.6 * _unit(self._random.normal(size=DIMENSION)))
            language = self.documents[self._document_of[row]].language
            made.append(Question(" ".join(self._words[chosen]), language, vector))
        return made

    def records(self) -> Iterator[DocumentRecord]:
        """The asked tenant's documents as the catalog has them."""
        now = datetime.now(UTC)
        for document in self.of_asked_tenant():
            yield DocumentRecord(
                id=document.id,
                tenant=document.tenant,
                uri=uri_of(document),
                name=f"{document.id}.pdf",
                title=f"Document {document.first}",
                status=DocumentStatus.INDEXED,
                reason=None,
                content_hash=f"{document.first:064x}",
                parse_key="synthetic",
                version=VERSION,
                media_type="application/pdf",
                language=document.language,
                paged=True,
                pages=1 + document.length // 3,
                chunks=document.length,
                size=1_000 * document.length,
                modified=None,
                readers=frozenset(document.readers),
                level=document.level,
                properties={},
                created=now,
                updated=now,
            )

    def _plan(self, chunks: int, tenants: int) -> None:
        random = self._random
        topics = _unit(random.normal(size=(_TOPICS, DIMENSION)))
        subtopics = _unit(random.normal(size=(_TOPICS, _SUBTOPICS, DIMENSION)))
        sizes = 1 / np.arange(1, tenants + 1)
        first = 0
        while first < chunks:
            length = int(min(random.geometric(1 / _PASSAGES_OF_A_DOCUMENT), _LONGEST_DOCUMENT))
            length = min(length, chunks - first)
            topic = int(random.integers(_TOPICS))
            department = topic % _DEPARTMENTS
            per_department = _GROUPS // _DEPARTMENTS
            own = department * per_department + random.choice(per_department, 3, replace=False)
            groups = {*own.tolist(), *random.integers(_GROUPS, size=2).tolist()}
            tenant = f"tenant-{1 + random.choice(tenants, p=sizes / sizes.sum())}"
            self.documents.append(
                Document(
                    id=str(uuid.uuid5(uuid.NAMESPACE_OID, f"{tenant}/{len(self.documents)}")),
                    tenant=tenant,
                    topic=topic,
                    language=_LANGUAGES[int(random.integers(len(_LANGUAGES)))],
                    level=int(random.choice(len(_LEVELS), p=_LEVELS)),
                    first=first,
                    length=length,
                    readers={f"group:g{group}" for group in groups},
                )
            )
            place = topics[topic] + subtopics[topic, random.integers(_SUBTOPICS)]
            place = place + 0.8 * _unit(random.normal(size=DIMENSION))
            self.vectors[first : first + length] = _unit(
                place + 1.2 * _unit(random.normal(size=(length, DIMENSION)))
            )
            self._document_of[first : first + length] = len(self.documents) - 1
            first += length

    def _grant(self, place: int, share: float, callers: int) -> Iterator[Caller]:
        """Give documents to callers, and for each one more to whom level or tenant forbids it."""
        own = self.of_asked_tenant()
        target = max(1, round(share * sum(d.length for d in own)))
        clearance = len(_LEVELS) - 1 if share == 1 else _CLEARANCE
        for number in range(callers):
            order = [own[i] for i in self._random.permutation(len(own))]
            if number % 2:
                start = int(self._random.integers(_TOPICS))
                order.sort(key=lambda d, start=start: (d.topic - start) % _TOPICS)  # type: ignore[misc]  # mypy can't infer a default's type
            groups = [f"share{place}-{number}-{group}" for group in range(_GROUPS_OF_A_CALLER)]
            readable, withheld = 0, 0
            for document in order:
                if document.level > clearance:
                    if withheld >= target:
                        continue
                    withheld += document.length
                elif readable + document.length <= target:
                    readable += document.length
                else:
                    continue
                document.readers.add(f"group:{self._random.choice(groups)}")
            elsewhere = [d for d in self.documents if d.tenant != ASKED_TENANT]
            for document in elsewhere:
                if self._random.random() < share:
                    document.readers.add(f"group:{self._random.choice(groups)}")
            principal = Principal(
                user=f"user{place}-{number}",
                groups=frozenset(groups),
                tenant=ASKED_TENANT,
                clearance=clearance,
            )
            yield Caller(share, readable, principal)

    def _text(self, row: int) -> NDArray[np.int64]:
        """The words of a passage, by number; the same whenever asked."""
        random = np.random.default_rng((self._text_seed, row))
        topic = self.documents[self._document_of[row]].topic
        count = int(random.integers(80, 140))
        common = np.searchsorted(self._common, random.random(count) * self._common[-1])
        topical = np.searchsorted(self._topical, random.random(count) * self._topical[-1])
        return np.where(random.random(count) < 0.5, self._topic_words[topic, topical], common)

    def _indexed(
        self, row: int, document: Document, text: str, lexical: SparseVector
    ) -> IndexedChunk:
        index = row - document.first
        chunk = Chunk(
            document_id=document.id,
            version=VERSION,
            index=index,
            text=text,
            spans=(PageSpan(1 + index // 3, 1_000 * (index % 3), 1_000 * (index % 3) + len(text)),),
            heading_path=(f"Topic {document.topic}", f"Section {1 + index // 5}"),
            language=document.language,
        )
        return IndexedChunk(
            chunk,
            document.tenant,
            stored_readers(document.readers),
            document.level,
            self.vectors[row],
            lexical,
            ChunkOrigin(uri_of(document), "application/pdf"),
        )


def uri_of(document: Document) -> str:
    return f"file:///srv/documents/topic-{document.topic}/{document.id}.pdf"


def _unit(vectors: NDArray[np.floating]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / lengths, dtype=np.float32)


def _words(random: np.random.Generator) -> NDArray[np.str_]:
    """Invented words of two to four syllables; a few occur twice."""
    syllables = np.array([a + b for a in "bdfgklmnprstvz" for b in ("a", "e", "i", "o", "u", "an")])
    return np.array(
        [
            "".join(syllables[random.integers(len(syllables), size=random.integers(2, 5))])
            for _ in range(_VOCABULARY)
        ]
    )
