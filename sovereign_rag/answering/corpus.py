"""Answers to questions about the documents themselves, from the catalog and the search.

Every list is read within the asker's scope: a document that they may not read is neither named
nor counted. What is shown of a document is quoted from it, like everything else.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from sovereign_rag.access import ReadScope
from sovereign_rag.answering.citations import StoredPages, cite
from sovereign_rag.answering.corpus_question import CorpusQuestion, corpus_question
from sovereign_rag.answering.draft import Draft
from sovereign_rag.answering.messages import message
from sovereign_rag.catalog.records import DocumentRecord
from sovereign_rag.domain import LANGUAGES, AnswerKind, Passage, Statement, Verdict
from sovereign_rag.embedding.protocol import LexicalEncoder
from sovereign_rag.retrieval.query import Query
from sovereign_rag.retrieval.retriever import Retriever
from sovereign_rag.store.protocol import SearchFilter
from sovereign_rag.text.blocks import paragraphs
from sovereign_rag.text.lexicon import words
from sovereign_rag.text.sentences import sentences

_BATCH: Final = 500
_MOST_RECORDS: Final = 20_000  # looked through by name; a larger corpus is searched alone
_MOST_LISTED: Final = 20
_CHUNKS: Final = 200  # of a search for the documents about a topic
_OF_DOCUMENT: Final = 400  # chunks of a document that is summarised
_MENTIONS: Final = 0.55  # least coverage of the topic by a chunk, relative to the best one's
_NAMED: Final = 0.75  # least share of a topic's terms in a document's name and title
_FEWEST_CALLED: Final = 2
_SECTIONS: Final = 6
_LONGEST: Final = 260  # characters of a quote in a list
_PAGE_CHARS: Final = 1500
_YEAR: Final = re.compile(r"(?<!\d)(?:19|20)\d\d(?!\d)")


class DocumentList(Protocol):
    """What is asked of the catalog here."""

    def readable(
        self, scope: ReadScope, *, limit: int, after: str | None = None
    ) -> list[DocumentRecord]: ...

    def count(self, scope: ReadScope) -> int: ...


@dataclass(frozen=True, slots=True)
class AboutDocuments:
    """An answer about documents, and the passages that its quotes are from."""

    draft: Draft
    passages: tuple[Passage, ...]


@dataclass(frozen=True, slots=True)
class _Found:
    title: str
    name: str
    best: Passage | None
    modified: datetime | None = None  # where a year is asked for


class CorpusDesk:
    """Knows which documents there are, for one asker at a time."""

    def __init__(
        self, *, catalog: DocumentList, retriever: Retriever, lexical: LexicalEncoder
    ) -> None:
        self._catalog, self._retriever, self._lexical = catalog, retriever, lexical

    def understand(self, question: str, language: str) -> CorpusQuestion | None:
        """What a question asks about documents; None: it is about something else."""
        for spoken in dict.fromkeys((language, *LANGUAGES)):
            asked = corpus_question(question, spoken) if spoken in LANGUAGES else None
            if asked is not None:
                return asked
        return None

    def answer(
        self,
        asked: CorpusQuestion,
        language: str,
        scope: ReadScope,
        pages: Callable[[Sequence[Passage]], StoredPages],
        search_filter: SearchFilter,
    ) -> AboutDocuments | None:
        """An answer; None: there is no such document.

        Args:
            pages: Gives the stored text behind passages.
        """
        if asked.kind in ("summary", "page"):
            document = self._named(asked.topic, language, scope, search_filter)
            if document is None:
                return None
            return self._contents(asked, document, language, scope, pages)
        if not asked.topic:
            return self._all(asked, language, scope)
        if asked.kind == "named":
            found = self._called(asked, language, scope)
        else:
            found = self._about(asked, language, scope, search_filter)
        found = [one for one in found if _is_of(asked, one.title, one.name, one.modified)]
        if not found:
            return None
        passages = tuple(d.best for d in found[:_MOST_LISTED] if d.best is not None)
        stored = pages(passages)
        statements = tuple(_listed(document, stored) for document in found[:_MOST_LISTED])
        notice = message("corpus_found", language, count=str(len(found)), topic=asked.topic)
        return AboutDocuments(Draft(AnswerKind.CATALOG, notice, statements=statements), passages)

    def _all(self, asked: CorpusQuestion, language: str, scope: ReadScope) -> AboutDocuments | None:
        records = [
            record
            for record in self._records(scope)
            if _is_of(asked, record.title, record.name, record.modified)
        ]
        records.sort(key=lambda record: record.modified or record.created, reverse=True)
        if not records:
            return None
        statements = tuple(
            Statement(_titled(record.title, record.name, record.modified), Verdict.SUPPORTED, ())
            for record in records[:_MOST_LISTED]
        )
        year = asked.year or asked.since
        total = len(records) if year else self._catalog.count(scope)
        shown = str(min(len(records), _MOST_LISTED))
        kind = "corpus_year" if asked.year else "corpus_since" if asked.since else "corpus_all"
        notice = message(kind, language, count=str(total), shown=shown, year=str(year))
        return AboutDocuments(Draft(AnswerKind.CATALOG, notice, statements=statements), ())

    def _about(
        self,
        asked: CorpusQuestion,
        language: str,
        scope: ReadScope,
        search_filter: SearchFilter,
    ) -> list[_Found]:
        """The documents whose text or name speaks of a topic, the likeliest first."""
        query = self._retriever.query(asked.topic, language, scope)
        passages = self._retriever.retrieve(
            query, scope, limit=_CHUNKS, search_filter=search_filter
        )
        best: dict[str, Passage] = {}
        for passage in passages:
            best.setdefault(passage.chunk.document_id, passage)
        most = max((p.score_parts.get("coverage", 0.0) for p in passages), default=0.0)
        dated = asked.year is not None or asked.since is not None
        dates = {r.id: r.modified for r in self._records(scope)} if dated else {}
        return [
            _Found(passage.title, _name(passage.uri), passage, dates.get(passage.chunk.document_id))
            for passage in best.values()
            if passage.score_parts.get("coverage", 0.0) >= max(_MENTIONS * most, 1e-6)
            or self._share(query, f"{passage.title} {_name(passage.uri)}", passage) >= _NAMED
        ]

    def _called(self, asked: CorpusQuestion, language: str, scope: ReadScope) -> list[_Found]:
        """The documents whose name or title holds all of what a kind of them is called; several,
        or none: "the invoices of May" may as well ask for what they say.
        """
        own = set(self._lexical.encode_query(asked.topic, language).indices)
        called: list[DocumentRecord] = []
        for record in self._records(scope):
            spoken = record.language or language
            text = re.sub(r"[-_./\d]+", " ", f"{record.title} {record.name}")
            if own and own <= set(self._lexical.encode_query(text, spoken).indices):
                called.append(record)
        if len(called) < _FEWEST_CALLED:
            return []
        called.sort(key=lambda record: record.name)
        query = self._retriever.query(asked.topic, language, scope)
        within = SearchFilter(documents=frozenset(record.id for record in called))
        best: dict[str, Passage] = {}
        for passage in self._retriever.retrieve(query, scope, limit=_CHUNKS, search_filter=within):
            best.setdefault(passage.chunk.document_id, passage)
        return [
            _Found(record.title, record.name, best[record.id], record.modified)
            for record in called
            if record.id in best
        ]

    def _share(self, query: Query, text: str, passage: Passage) -> float:
        """Which share of a query's terms stands in a text."""
        spoken = passage.chunk.language
        there = set(self._lexical.encode_query(re.sub(r"[-_./]", " ", text), spoken).indices)
        own = set(query.terms.indices)
        return len(own & there) / len(own) if own else 0.0

    def _named(
        self, topic: str, language: str, scope: ReadScope, search_filter: SearchFilter
    ) -> Passage | None:
        """A passage of the document that is called so, or else is most about it."""
        bare = " ".join(
            word
            for word in topic.split()
            if word.casefold() not in words(language, "corpus", "nouns")
        )
        query = self._retriever.query(bare or topic, language, scope)
        wanted = topic.casefold().rsplit("/", 1)[-1]
        own = set(self._lexical.encode_query(bare or topic, language).indices)
        ranked: list[tuple[float, DocumentRecord]] = []
        for record in self._records(scope):
            if record.name.casefold() == wanted:
                ranked.append((2.0, record))
                break
            text = re.sub(r"[-_./\d]+", " ", f"{record.title} {record.name}")
            there = self._lexical.encode_query(text, record.language or language).indices
            share = len(own & set(there)) / len(own) if own else 0.0
            if share >= _NAMED:
                ranked.append((share - 0.001 * len(there), record))
        named = None
        if ranked:
            named = frozenset({max(ranked, key=lambda pair: pair[0])[1].id})
        elif re.fullmatch(r"\S+\.\w{2,5}", topic):
            return None  # a file that isn't there, or isn't the asker's to read
        within = SearchFilter(documents=named) if named else search_filter
        found = self._retriever.retrieve(query, scope, limit=1, search_filter=within)
        return found[0] if found else None

    def _contents(
        self,
        asked: CorpusQuestion,
        document: Passage,
        language: str,
        scope: ReadScope,
        pages: Callable[[Sequence[Passage]], StoredPages],
    ) -> AboutDocuments | None:
        """A page of a document, or the beginnings of its sections."""
        query = self._retriever.query(asked.topic, language, scope)
        found = self._retriever.retrieve(
            query,
            scope,
            limit=_OF_DOCUMENT,
            search_filter=SearchFilter(documents=frozenset({document.chunk.document_id})),
        )
        found.sort(key=lambda passage: passage.chunk.index)
        if asked.page is not None:
            found = [p for p in found if any(s.page == asked.page for s in p.chunk.spans)]
            spans = list(_whole(found))
        else:
            spans = list(_beginnings(found))
        if not spans:
            return None
        stored = pages([passage for passage, _, _ in spans])
        statements = tuple(_quote(passage, start, end, stored) for passage, start, end in spans)
        key = "corpus_page" if asked.page is not None else "corpus_summary"
        notice = message(key, language, title=document.title, page=str(asked.page or ""))
        passages = tuple({p.id: p for p, _, _ in spans}.values())
        return AboutDocuments(Draft(AnswerKind.CATALOG, notice, statements=statements), passages)

    def _records(self, scope: ReadScope) -> Iterator[DocumentRecord]:
        after, seen = None, 0
        while seen < _MOST_RECORDS:
            batch = self._catalog.readable(scope, limit=_BATCH, after=after)
            yield from batch
            if len(batch) < _BATCH:
                return
            after, seen = batch[-1].id, seen + len(batch)


def _is_of(asked: CorpusQuestion, title: str, name: str, modified: datetime | None) -> bool:
    """Whether a document is of the year that is asked for, by its name, its title or its date.

    A name tells more than the date of the file, which is often that of a copy.
    """
    if asked.year is None and asked.since is None:
        return True
    years = {int(year) for year in _YEAR.findall(f"{title} {name}")}
    if not years and modified is not None:
        years = {modified.year}
    if asked.year is not None:
        return asked.year in years
    return any(year >= (asked.since or 0) for year in years)


def _listed(document: _Found, pages: StoredPages) -> Statement:
    """A document of a list, with the place that speaks of what was asked."""
    assert document.best is not None
    text = document.best.chunk.text
    start, end = _first(text, document.best.chunk.language)
    citation = cite(document.best, start, end, pages)
    return Statement(_titled(document.title, document.name), Verdict.SUPPORTED, (citation,))


def _quote(passage: Passage, start: int, end: int, pages: StoredPages) -> Statement:
    citation = cite(passage, start, end, pages)
    verdict = Verdict.QUOTED if citation.stands else Verdict.UNSUPPORTED
    return Statement(citation.quote, verdict, (citation,))


def _beginnings(found: Sequence[Passage]) -> Iterator[tuple[Passage, int, int]]:
    """The first sentence below each heading, of the first sections."""
    seen: set[tuple[str, ...]] = set()
    for passage in found:
        path = passage.chunk.heading_path
        if path in seen or passage.chunk.kind == "table" or len(seen) == _SECTIONS:
            continue
        seen.add(path)
        yield (passage, *_first(passage.chunk.text, passage.chunk.language))


def _whole(found: Sequence[Passage]) -> Iterator[tuple[Passage, int, int]]:
    left = _PAGE_CHARS
    for passage in found:
        for start, end in paragraphs(passage.chunk.text):
            left -= end - start
            if left < 0:
                return
            yield passage, start, end


def _first(text: str, language: str | None) -> tuple[int, int]:
    """The first sentence of a text that says something, cut where it is over-long."""
    spans = sentences(text, language)
    start, end = next(
        ((a, b) for a, b in spans if b - a > 30), spans[0] if spans else (0, len(text))
    )
    if end - start > _LONGEST:
        end = text.rfind(" ", start, start + _LONGEST)
    return start, end if end > start else min(len(text), start + _LONGEST)


def _name(uri: str) -> str:
    from urllib.parse import unquote

    return unquote(uri).rstrip("/").rsplit("/", 1)[-1]


def _titled(title: str, name: str, modified: object = None) -> str:
    said = title if title == name else f"{title} ({name})"
    date = getattr(modified, "date", None)
    return f"{said}, {date().isoformat()}" if date else said
