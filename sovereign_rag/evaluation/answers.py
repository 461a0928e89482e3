"""How good answers are: right, refused where nothing answers, and their quotes true."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from sovereign_rag.access import DEFAULT_TENANT
from sovereign_rag.domain import Answer, Citation, Passage, RequestedKind, SearchMode
from sovereign_rag.evaluation.datasets import CorpusDocument, LabelledQuestion
from sovereign_rag.evaluation.measures import mean
from sovereign_rag.evaluation.scratch import Index, Progress, corpus_id, fill
from sovereign_rag.text.answer_match import contains_answer, token_f1


@dataclass(frozen=True, slots=True)
class QuoteResult:
    """A quote of an answer and where it is said to stand, for whoever looks it up again."""

    document: str  # what the labels call it, or its URI
    page: int  # from 1; a format without pages is one
    start: int  # in the stored text of that page
    end: int
    quote: str
    verified: bool  # as the product marked it


@dataclass(frozen=True, slots=True)
class AnswerResult:
    """What became of one question. Kept one by one: a comparison of two runs pairs them."""

    id: str
    language: str
    text: str  # of the question
    answerable: bool
    answer: str
    kind: str
    abstained: bool
    f1: float | None  # in [0, 1]; 0 where it abstained or nothing answers, None: none is labelled
    contains: bool | None  # a labelled answer; None: none is labelled
    quotes: int
    quotes_marked: int  # as verified, by the product
    quotes_true: int  # of those marked, that do stand verbatim in the stored text
    found: bool | None  # whether a labelled document was among the passages; None: none is labelled
    model: str | None
    ms: float
    confidence: float  # in [0, 1], that the passages answer; known of refused questions too
    signals: Mapping[str, float]  # what it was computed from
    citations: tuple[QuoteResult, ...]


@dataclass(frozen=True, slots=True)
class AnswerReport:
    name: str
    mode: str | None
    kind: str | None
    embedding_model: str
    results: tuple[AnswerResult, ...]
    left_aside: int = 0  # asked without their documents, but another one gives a labelled answer

    def table(self) -> dict[str, dict[str, float | None]]:
        """By language, then "all"; shares in [0, 1], None where there is nothing to share.

        `answered`, `containment` and `f1` are over the answerable questions (an abstention
        scores 0), `refused` over the others, `found` over the answerable ones
        with labelled documents, `verified` over the quotes marked as verified.
        """
        languages = dict.fromkeys(result.language for result in self.results)
        rows = {code: [r for r in self.results if r.language == code] for code in languages}
        rows["all"] = list(self.results)
        return {name: _row(row) for name, row in rows.items()}


def _row(results: Sequence[AnswerResult]) -> dict[str, float | None]:
    answerable = [result for result in results if result.answerable]
    marked = sum(result.quotes_marked for result in results)
    return {
        "questions": len(results),
        "answerable": len(answerable),
        "answered": mean(not result.abstained for result in answerable),
        "containment": mean(r.contains for r in answerable if r.contains is not None),
        "f1": mean(r.f1 for r in answerable if r.f1 is not None),
        "found": mean(result.found for result in results if result.found is not None),
        "refused": mean(result.abstained for result in results if not result.answerable),
        "quotes": sum(result.quotes for result in results),
        "verified": sum(r.quotes_true for r in results) / marked if marked else None,
    }


def evaluate_answers(
    name: str,
    questions: Sequence[LabelledQuestion],
    index: Index,
    *,
    kind: RequestedKind | None = None,
    mode: SearchMode | None = None,
    on_progress: Progress,
) -> AnswerReport:
    """Ask every question over its documents and judge the answers.

    A question with documents of its own is asked over those alone: they are a tenant of their
    own, so that word statistics are theirs too. One whose documents are left out is left aside
    where another passage that was found holds a labelled answer: it may be answerable still.
    """
    results: list[AnswerResult] = []
    left_aside = 0
    for done, question in enumerate(questions, start=1):
        tenant = own_tenant(question)
        if question.documents:
            documents = [
                CorpusDocument(f"{tenant}/{n}", "", text, question.language)
                for n, text in enumerate(question.documents)
            ]
            fill(index, documents, total=len(documents), on_progress=_silent, tenant=tenant)
        answer = index.answer(
            question.text,
            kind=kind,
            mode=mode,
            exclude=question.exclude_documents,
            tenant=tenant,
            history=question.history,
        )
        if question.exclude_documents and _holds_answer(answer.passages, question):
            left_aside += 1
        else:
            results.append(judge_answer(question, answer, index))
        on_progress(done, len(questions))
    return AnswerReport(name, mode, kind, index.model_id, tuple(results), left_aside)


def judge_answer(question: LabelledQuestion, answer: Answer, index: Index) -> AnswerResult:
    """Compare an answer with the labels, and its quotes with the stored text."""
    wrote = "" if answer.abstained else answer.text
    counts = question.answerable and not answer.abstained
    labelled = bool(question.answers) or not question.answerable
    marked = [citation for citation in answer.citations if citation.verified]
    return AnswerResult(
        id=question.id,
        language=question.language,
        text=question.text,
        answerable=question.answerable,
        answer=answer.text,
        kind=answer.kind.value,
        abstained=answer.abstained,
        f1=_f1(wrote, question) if labelled else None,
        contains=counts and contains_answer(wrote, question.answers, question.language)
        if labelled
        else None,
        quotes=len(answer.citations),
        quotes_marked=len(marked),
        quotes_true=sum(
            stands_verbatim(citation, index, own_tenant(question)) for citation in marked
        ),
        found=_found(question, answer.passages),
        model=answer.model,
        ms=answer.timings_ms.get("total", 0.0),
        confidence=answer.confidence,
        signals=answer.signals,
        citations=tuple(
            QuoteResult(
                document=corpus_id(citation.uri),
                page=citation.page or 1,
                start=citation.start,
                end=citation.end,
                quote=citation.quote,
                verified=citation.verified,
            )
            for citation in answer.citations
        ),
    )


def _f1(wrote: str, question: LabelledQuestion) -> float:
    counts = question.answerable and wrote
    return token_f1(wrote, question.answers, question.language) if counts else 0.0


def _holds_answer(passages: Sequence[Passage], question: LabelledQuestion) -> bool:
    return any(
        contains_answer(passage.chunk.text, question.answers, question.language)
        for passage in passages
    )


def _found(question: LabelledQuestion, passages: Sequence[Passage]) -> bool | None:
    if not (question.answerable and question.gold_documents):
        return None
    return any(names(passage) & question.gold_documents for passage in passages)


def names(passage: Passage) -> frozenset[str]:
    """What labels may call a passage's document: its corpus id or URI, its file's name, its title.

    People write down what they see, and that is rarely a URI.
    """
    name = corpus_id(passage.uri)
    return frozenset({name, unquote(name.rsplit("/", 1)[-1]), passage.title})


def stands_verbatim(citation: Citation, index: Index, tenant: str = DEFAULT_TENANT) -> bool:
    """Whether the quote is, character for character, at its span of the stored text.

    Recomputed here from the content store, without the product's own check.
    """
    text = index.page_text(citation.document_id, citation.page or 1, tenant)
    return text is not None and text[citation.start : citation.end] == citation.quote != ""


def own_tenant(question: LabelledQuestion) -> str:
    """Where a question's own documents are; the common tenant where it has none."""
    if not question.documents:
        return DEFAULT_TENANT
    content = "\0".join((question.id, *question.documents))
    return f"q-{hashlib.sha256(content.encode()).hexdigest()[:16]}"


def _silent(done: int, total: int) -> None:
    """A handful of documents needs no progress of its own."""
