"""An answer as headings, paragraphs and quotes, before it becomes a file of some format."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sovereign_rag.domain import AnswerKind
from sovereign_rag.http.sources import QuoteSource
from sovereign_rag.services.conversations import KeptTurn
from sovereign_rag.services.serialization.ai_mark import AiMarkOut
from sovereign_rag.text.locale import Locale
from sovereign_rag.text.readable import readable
from sovereign_rag.version import VERSION
from sovereign_rag.web.views import AnswerView, kept_turn

BlockKind = Literal["heading", "text", "quote", "note", "source"]


@dataclass(frozen=True, slots=True)
class Block:
    kind: BlockKind
    text: str
    url: str | None = None  # of a source: the page that shows the quote


@dataclass(frozen=True, slots=True)
class Paper:
    """What every format is made of; all of it is plain text."""

    title: str
    language: str
    author: str
    facts: tuple[tuple[str, str], ...]  # a label and its value
    blocks: tuple[Block, ...]
    mark: AiMarkOut | None = None  # for machines; None: there is no answer


def paper_of(turn: KeptTurn, *, asker: str, base: str, made: datetime, t: Locale) -> Paper:
    """A turn with its date, its asker, its model and its marks.

    Args:
        base: What links to the pages of documents begin with.
        made: When the file is made.
    """
    shown = kept_turn(turn, None)
    view = shown.view
    facts = [
        (t("export.asked"), t.time(turn.asked)),
        (t("export.asker"), asker),
        (t("answer.model_label"), (view.answer.model if view else None) or t("answer.no_model")),
        *(
            [(t("answer.level_label"), str(view.answer.level))]
            if view and view.answer.level
            else []
        ),
        (t("export.made"), f"{t.time(made)}, Sovereign RAG {VERSION}"),
    ]
    if view is not None and view.answer.level:
        facts.append((t("answer.level_label"), str(view.answer.level)))
    blocks: list[Block] = []
    if view is None:
        blocks.append(Block("note", t("turn.gone" if turn.is_gone else "turn.unanswered")))
    else:
        blocks += _answer(view, base, t)
    if shown.withheld:
        blocks.append(Block("note", t.count("turn.withheld", shown.withheld)))
    if shown.changed:
        blocks.append(Block("note", t.count("turn.changed", shown.changed)))
    mark = None if view is None else AiMarkOut.of(view.answer)
    return Paper(turn.question, t.language, asker, tuple(facts), tuple(blocks), mark)


def _answer(view: AnswerView, base: str, t: Locale) -> list[Block]:
    answer = view.answer
    is_written = answer.kind is AnswerKind.GENERATED
    blocks = [Block("note", t("export.by_ai" if is_written else f"kind.{answer.kind.value}"))]
    is_written = answer.kind.is_prose
    if answer.notice:
        blocks.append(Block("note", answer.notice))
    if not view.statements:
        blocks.append(Block("text", answer.text))
    for cited in view.statements:
        marks = "".join(f" [{source.number}]" for source in cited.sources)
        verdict = cited.statement.verdict.value
        doubt = "" if cited.statement.supported else f" ({t(f'answer.{verdict}')})"
        kind: BlockKind = "text" if is_written else "quote"
        blocks.append(Block(kind, readable(cited.statement.text) + marks + doubt))
    if view.sources:
        blocks.append(Block("heading", t("sources.heading")))
    for source in view.sources:
        blocks.append(Block("source", _source(source, view, t), f"{base}{source.url}"))
        if is_written:
            blocks.append(Block("quote", readable(source.citation.quote)))
    if view.other_versions:
        blocks.append(Block("heading", t("versions.heading")))
    for version in view.other_versions:
        blocks.append(Block("quote", readable(version.citation.quote)))
        place = f"{version.citation.title}, {version.place}"
        blocks.append(Block("source", place, f"{base}{version.url}"))
    return blocks


def _source(source: QuoteSource, view: AnswerView, t: Locale) -> str:
    citation = source.citation
    section = view.section_of(citation)
    place = f"{citation.title} › {section}" if section else citation.title
    page = "" if citation.page is None else f", {t('page.number', page=citation.page)}"
    verdict = t("source.verified") if citation.verified else t("source.unverified")
    if citation.verdict == "scan":
        verdict = t("source.scan", percent=t.percent(citation.ocr_confidence or 0.0))
    return f"[{source.number}] {place}{page} ({verdict})"
