"""An answer as it is kept, and as somebody may see it later.

Of quotes, only their places and a hash are kept. Whoever reads the answer later is shown what
stands there now, if it is the same and they may read its document in that moment; so what is erased
is gone from here too, and rights that narrow narrow what old answers show. Words that were drawn
from documents, a model's or a title, are shown to whoever may read all that they were drawn from.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import date
from typing import Any

import orjson

from sovereign_rag.access import ReadScope
from sovereign_rag.answering.messages import message
from sovereign_rag.catalog.records import LiveDocument
from sovereign_rag.domain import (
    Answer,
    AnswerKind,
    Chunk,
    Citation,
    Energy,
    FollowUp,
    HouseMark,
    OtherVersion,
    PageSpan,
    Passage,
    QuoteVerdict,
    Statement,
    Verdict,
)

LiveVersions = Callable[[list[str], ReadScope], Mapping[str, LiveDocument]]
PageTexts = Callable[[str, str], Mapping[int, str]]

_PLAIN = ("question", "language", "model", "prompt_version", "index_version", "certainty")
_NUMBERS = ("timings_ms", "usage", "turns_dropped", "confidence")


@dataclass(frozen=True, slots=True)
class Encoded:
    """What is to be kept of an answer."""

    body: bytes
    holds_words: bool  # drawn from documents, so they go with any of these
    documents: frozenset[str]  # ids


@dataclass(frozen=True, slots=True)
class Shown:
    """An answer as somebody may see it now, and what of it is not shown."""

    answer: Answer
    withheld: int = 0  # statements whose documents they may not read, or that are gone
    changed: int = 0  # statements whose quotes stand there no longer
    documents: frozenset[str] = frozenset()  # what is shown of, by id


def encode(answer: Answer) -> Encoded:
    """Keep an answer, its quotes as their places."""
    statements = [_statement(s) for s in answer.statements]
    words = any(s["text"] is not None for s in statements)
    is_reworded = answer.follow_up is not None and answer.follow_up.by == "model"
    body = {
        **{name: getattr(answer, name) for name in _PLAIN},
        **{name: _plain(getattr(answer, name)) for name in _NUMBERS},
        "kind": answer.kind.value,
        "notice": answer.notice,
        "text": "" if answer.statements else answer.text,
        "energy": asdict(answer.energy) if answer.energy else None,
        "follow_up": asdict(answer.follow_up) if answer.follow_up else None,
        "statements": statements,
        "house": _house(answer.house),
        "level": answer.level,
        "passages": [_passage(p) for p in answer.passages],
        "versions": [_citation(v.citation) for v in answer.other_versions],
    }
    return Encoded(
        orjson.dumps(body),
        words or is_reworded or answer.kind is AnswerKind.CATALOG,
        frozenset(_documents(body)),
    )


class KeptAnswers:
    """Shows kept answers, within what their reader may read in that moment."""

    def __init__(self, *, live: LiveVersions, texts: PageTexts) -> None:
        """
        Args:
            live: Documents that a scope may read right now, see `Documents.live_versions`.
            texts: The stored text of each page, see `ContentStore.page_texts`.
        """
        self._live, self._texts = live, texts

    def show(self, body: bytes, scope: ReadScope) -> Shown:
        """What `scope` may see of a kept answer."""
        kept = orjson.loads(body)
        drawn_from = sorted(_documents(kept))
        view = _View(self._live(drawn_from, scope), self._texts)
        # Words may say what any passage says, whichever they cite.
        may_read_all = set(drawn_from) <= view.live.keys()
        made = [view.statement(s, may_read_all) for s in kept["statements"]]
        statements = tuple(s for s in made if isinstance(s, Statement))
        nothing_left = bool(kept["statements"]) and not statements
        passages = tuple(p for p in map(view.passage, kept["passages"]) if p is not None)
        versions = (view.citation(c) for c in kept["versions"])
        answer = Answer(
            **{name: kept[name] for name in (*_PLAIN, *_NUMBERS)},
            kind=AnswerKind.NONE if nothing_left else AnswerKind(kept["kind"]),
            notice=kept["notice"] if may_read_all and not nothing_left else "",
            text=message("not_found", kept["language"])
            if nothing_left
            else kept["text"] or " ".join(s.text for s in statements),
            energy=Energy(**kept["energy"]) if kept["energy"] else None,
            follow_up=_follow_up(kept["follow_up"], may_read_all),
            statements=statements,
            house=_house_mark(kept.get("house")) if may_read_all and not nothing_left else None,
            # As it was made, or as documents were raised since; never lower.
            level=max([kept.get("level", 0), *(live.level for live in view.live.values())]),
            passages=passages,
            other_versions=tuple(
                OtherVersion(c, view.live[c.document_id].modified) for c in versions if c
            ),
        )
        return Shown(
            answer, made.count(_WITHHELD), made.count(_CHANGED), frozenset(view.live.keys())
        )


_WITHHELD, _CHANGED = "withheld", "changed"


class _View:
    """What one reader may see of the places that an answer names."""

    def __init__(self, live: Mapping[str, LiveDocument], texts: PageTexts) -> None:
        self.live, self._texts = live, texts

    def statement(self, kept: Mapping[str, Any], may_read_all: bool) -> Statement | str:
        if kept["text"] is not None and not may_read_all:
            return _WITHHELD
        if any(c["document"] not in self.live for c in kept["citations"]):
            return _WITHHELD
        citations = [self.citation(c) for c in kept["citations"]]
        there = tuple(c for c in citations if c is not None)
        if len(there) < len(citations):
            return _CHANGED
        text = kept["text"] if kept["text"] is not None else "\n".join(c.quote for c in there)
        return Statement(text, Verdict(kept["verdict"]), there)

    def citation(self, kept: Mapping[str, Any]) -> Citation | None:
        document = self.live.get(kept["document"])
        if document is None:
            return None
        quote = self._text(document, kept["number"])[kept["start"] : kept["end"]]
        if _digest(quote) != kept["digest"]:
            return None
        return Citation(
            quote=quote,
            document_id=document.id,
            title=document.title,
            uri=document.uri,
            page=kept["page"],
            start=kept["start"],
            end=kept["end"],
            boxes=(),
            verdict=QuoteVerdict(kept["verdict"]),
            ocr_confidence=kept["ocr"],
            passage_id=kept["passage"],
        )

    def passage(self, kept: Mapping[str, Any]) -> Passage | None:
        document = self.live.get(kept["document"])
        if document is None or document.version != kept["version"]:
            return None
        spans = tuple(PageSpan(*span) for span in kept["spans"])
        text = "\n\n".join(self._text(document, s.page)[s.start : s.end] for s in spans)
        chunk = Chunk(
            document.id, document.version, kept["index"], text, spans, language=kept["language"]
        )
        paged, modified = document.paged, document.modified
        return Passage(
            chunk,
            document.title,
            document.uri,
            paged,
            kept["score"],
            {},
            modified,
            level=document.level,
        )

    def _text(self, document: LiveDocument, page: int) -> str:
        return self._texts(document.content_hash, document.parse_key).get(page, "")


def without_passages(shown: Shown) -> Shown:
    """The same answer, and not what else was looked at for it."""
    return replace(shown, answer=replace(shown.answer, passages=()))


def _statement(statement: Statement) -> dict[str, Any]:
    quotes = "\n".join(c.quote for c in statement.citations)
    return {
        "text": None if statement.citations and statement.text == quotes else statement.text,
        "verdict": statement.verdict.value,
        "citations": [_citation(c) for c in statement.citations],
    }


def _citation(citation: Citation) -> dict[str, Any]:
    return {
        "document": citation.document_id,
        "page": citation.page,
        "number": citation.page or 1,  # a format without pages has one text
        "start": citation.start,
        "end": citation.end,
        "digest": _digest(citation.quote),
        "verdict": citation.verdict.value,
        "ocr": citation.ocr_confidence,
        "passage": citation.passage_id,
    }


def _passage(passage: Passage) -> dict[str, Any]:
    chunk = passage.chunk
    return {
        "document": chunk.document_id,
        "version": chunk.version,
        "index": chunk.index,
        "spans": [(s.page, s.start, s.end) for s in chunk.spans],
        "language": chunk.language,
        "score": passage.score,
    }


def _documents(body: Mapping[str, Any]) -> Iterable[str]:
    for statement in body["statements"]:
        yield from (c["document"] for c in statement["citations"])
    yield from (p["document"] for p in body["passages"])
    yield from (c["document"] for c in body["versions"])


def _follow_up(kept: Mapping[str, Any] | None, may_read_all: bool) -> FollowUp | None:
    if kept is None or (kept["by"] == "model" and not may_read_all):
        return None
    return FollowUp(**kept)


def _house(mark: HouseMark | None) -> dict[str, str] | None:
    if mark is None:
        return None
    return {
        **{"id": mark.id, "question": mark.question, "by": mark.by},
        **{"checked": mark.checked.isoformat(), "due": mark.due.isoformat()},
    }


def _house_mark(kept: Mapping[str, str] | None) -> HouseMark | None:
    if kept is None:
        return None
    days = {name: date.fromisoformat(kept[name]) for name in ("checked", "due")}
    return HouseMark(id=kept["id"], question=kept["question"], by=kept["by"], **days)


def _plain(value: object) -> object:
    return dict(value) if isinstance(value, Mapping) else value


def _digest(quote: str) -> str:
    return hashlib.sha256(quote.encode("utf-8", "surrogatepass")).hexdigest()
