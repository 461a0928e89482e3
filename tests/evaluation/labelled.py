"""Labelled questions, and an index that finds by words, for the tests of evaluation."""

import gzip
import json
from collections.abc import Sequence
from pathlib import Path

from sovereign_rag.access import DEFAULT_TENANT
from sovereign_rag.domain import (
    Answer,
    AnswerKind,
    Chunk,
    Citation,
    PageSpan,
    Passage,
    QuoteVerdict,
    RequestedKind,
    SearchMode,
    Statement,
    Verdict,
)
from sovereign_rag.evaluation.datasets import (
    CorpusDocument,
)
from sovereign_rag.retrieval.conversation import Turn

DOCUMENTS = (
    CorpusDocument("leave", "Urlaub", "Der Urlaub beträgt dreißig Tage im Jahr.", "de"),
    CorpusDocument("notice", "", "La durée du préavis est de trois mois.", "fr"),
    CorpusDocument("budget", "Budget", "The budget of 2024 was 118 million euros.", "en"),
)


class WordIndex:
    """An index that finds documents by the words they share with a question."""

    model_id = "words"

    def __init__(self) -> None:
        self.tenants: dict[str, dict[str, CorpusDocument]] = {}
        self.batches: list[int] = []
        self.asked: list[int] = []
        self.histories: list[tuple[Turn, ...]] = []

    def present(self, tenant: str = DEFAULT_TENANT) -> frozenset[str]:
        return frozenset(self.tenants.get(tenant, {}))

    def add(self, documents: Sequence[CorpusDocument], tenant: str = DEFAULT_TENANT) -> None:
        self.batches.append(len(documents))
        self.tenants.setdefault(tenant, {}).update({d.id: d for d in documents})

    def search(
        self,
        query: str,
        *,
        mode: SearchMode | None,
        limit: int,
        tenant: str = DEFAULT_TENANT,
        history: Sequence[Turn] = (),
    ) -> list[Passage]:
        self.histories.append(tuple(history))
        self.asked.append(limit)
        wanted = set(query.lower().rstrip("?").split())
        scored = [
            (len(wanted & set(document.text.lower().rstrip(".").split())), document)
            for document in self.tenants.get(tenant, {}).values()
        ]
        best = sorted((s for s in scored if s[0]), key=lambda pair: -pair[0])
        return [_passage(document, float(score)) for score, document in best][:limit]

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
        found = self.search(question, mode=mode, limit=5, tenant=tenant, history=history)
        best = [p for p in found if p.chunk.document_id not in exclude][:1]
        statements = tuple(
            Statement(p.chunk.text, Verdict.QUOTED, (_citation(p.chunk.document_id, p.chunk.text),))
            for p in best
        )
        return Answer(
            question=question,
            text=best[0].chunk.text if best else "Nothing was found.",
            kind=AnswerKind.EXTRACTS if best else AnswerKind.NONE,
            notice="",
            statements=statements,
            passages=tuple(best),
            language="en",
            model=None,
            prompt_version=None,
            index_version="words",
            timings_ms={"total": 1.0},
            usage={},
        )

    def page_text(self, document_id: str, page: int, tenant: str = DEFAULT_TENANT) -> str | None:
        document = self.tenants.get(tenant, {}).get(document_id)
        return document.text if document and page == 1 else None


def _passage(document: CorpusDocument, score: float) -> Passage:
    chunk = Chunk(document.id, "v", 0, document.text, (PageSpan(1, 0, len(document.text)),))
    return Passage(chunk, document.title, f"labelled:{document.id}", False, score, {})


def _citation(document: str, quote: str, start: int = 0) -> Citation:
    end = start + len(quote)
    return Citation(quote, document, "", "", None, start, end, (), QuoteVerdict.VERIFIED)


def _write_set(folder: Path, qrels: str) -> Path:
    folder.mkdir()
    first, second = ({"id": d.id, "title": d.title, "text": d.text} for d in DOCUMENTS[:2])
    (folder / "corpus.part-00.jsonl").write_text(json.dumps(first) + "\n", encoding="utf-8")
    with gzip.open(folder / "corpus.part-01.jsonl.gz", "wt", encoding="utf-8") as file:
        file.write(json.dumps({**second, "lang": "fr"}) + "\n")
    queries = [
        {"id": "q1", "text": "wie viele tage urlaub", "lang": "de"},
        {"id": "q2", "text": "durée du préavis", "lang": "fr"},
        {"id": "q3", "text": "nobody judged this", "lang": "en"},
    ]
    lines = "\n".join(json.dumps(query) for query in queries)
    (folder / "queries.jsonl").write_text(lines, encoding="utf-8")
    (folder / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\n" + qrels, encoding="utf-8")
    return folder
