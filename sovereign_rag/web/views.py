"""Our nouns as the templates show them: numbered sources, links to pages, marked text."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Final
from urllib.parse import quote, urlencode

from sovereign_rag.catalog.records import DocumentRecord
from sovereign_rag.domain import Answer, Citation, OtherVersion, PageText, Passage, Verdict
from sovereign_rag.http.sources import CitedStatement, QuoteSource, numbered, page_url
from sovereign_rag.retrieval.conversation import Turn
from sovereign_rag.services.conversations import KeptTurn
from sovereign_rag.web.conversation import written_turns

_MOST_NEAR: Final = 3
_WORTH_SHOWING: Final = 0.15  # confidence that the passages hold an answer; below, chance
_AROUND: Final = 90  # characters
_WORD_CUT_BEFORE: Final = re.compile(r"^\S+(?=\s)")
_WORD_CUT_AFTER: Final = re.compile(r"(?<=\s)\S+$")
_SHORT_TITLE: Final = 4
_NEAR: Final = 0.6  # of the best one's score
_PAGES_NEAR: Final = 4  # on each side
THUMBNAIL_PX: Final = 160


@dataclass(frozen=True, slots=True)
class VersionView:
    """Another version of a quoted document: where it lies, from when it is, what it says."""

    version: OtherVersion

    @property
    def citation(self) -> Citation:
        return self.version.citation

    @property
    def place(self) -> str:
        return self.version.place

    @property
    def url(self) -> str:
        c = self.citation
        return page_url(c.document_id, c.page or 1, c.start, c.end)


@dataclass(frozen=True, slots=True)
class AnswerView:
    """An answer whose citations are numbered from 1, the same place once."""

    answer: Answer
    statements: tuple[CitedStatement, ...]
    sources: tuple[QuoteSource, ...]
    earlier: tuple[Turn, ...] = ()  # of the conversation, oldest first
    anchor: str = "turn-1"  # what ids within it begin with

    @property
    def conversation(self) -> str:
        """The conversation with this answer, as the form sends it along with the next question."""
        return written_turns((*self.earlier, Turn.of(self.answer)))

    @property
    def other_versions(self) -> tuple[VersionView, ...]:
        return tuple(map(VersionView, self.answer.other_versions))

    @property
    def considered(self) -> list[tuple[str, list[Passage]]]:
        """The passages that were looked at, by document, the best first."""
        found: dict[str, list[Passage]] = {}
        for passage in self.answer.passages:
            found.setdefault(passage.chunk.document_id, []).append(passage)
        return [(passages[0].title, passages) for passages in found.values()]

    @property
    def near(self) -> list[Passage]:
        """What comes nearest where nothing was found: a few, and none that is far off."""
        found = self.answer.passages if self.answer.confidence >= _WORTH_SHOWING else ()
        return [p for p in found if p.score >= _NEAR * found[0].score][:_MOST_NEAR]

    @property
    def documents(self) -> list[str]:
        """The documents that are quoted, by id."""
        return list(dict.fromkeys(source.citation.document_id for source in self.sources))

    def section_of(self, citation: Citation) -> str:
        """The headings that a quote stands under; "" where there are none, or none are known."""
        passages = (p for p in self.answer.passages if p.id == citation.passage_id)
        return next((p.section for p in passages), "")

    def language_of(self, citation: Citation) -> str | None:
        """The language of the passage that a quote is from, where that is known."""
        passages = (p for p in self.answer.passages if p.id == citation.passage_id)
        return next((p.chunk.language for p in passages), None)

    @property
    def unsupported(self) -> int:
        return sum(s.verdict is Verdict.UNSUPPORTED for s in self.answer.statements)

    @property
    def seconds(self) -> float:
        timings = self.answer.timings_ms
        return timings.get("total", sum(timings.values())) / 1000


@dataclass(frozen=True, slots=True)
class TurnView:
    """A question of a conversation with its answer, as the page shows it."""

    number: int  # from 1
    question: str
    view: AnswerView | None = None  # None: no answer came, or it is gone
    conversation: str | None = None  # None: it is not the reader's own, or not kept
    id: int | None = None
    withheld: int = 0
    changed: int = 0
    is_gone: bool = False
    share: str | None = None
    is_helpful: bool | None = None
    reason: str = ""

    @property
    def anchor(self) -> str:
        return f"turn-{self.number}"

    @property
    def url(self) -> str:
        """What its own actions are below."""
        return f"/c/{self.conversation}/turns/{self.id}"


@dataclass(frozen=True, slots=True)
class MarkedText:
    """A page's text cut at the quote; `mark` is empty where there is none."""

    before: str
    mark: str
    after: str


def answer_view(
    answer: Answer, earlier: tuple[Turn, ...] = (), *, anchor: str = "turn-1"
) -> AnswerView:
    statements, sources = numbered(answer.statements)
    return AnswerView(answer, statements, sources, earlier, anchor)


def kept_turn(turn: KeptTurn, conversation: str | None) -> TurnView:
    """A turn that was kept; `conversation` is None for whoever it was shared with."""
    shown = turn.shown
    return TurnView(
        number=turn.number,
        question=turn.question,
        view=answer_view(shown.answer, anchor=f"turn-{turn.number}") if shown else None,
        conversation=conversation,
        id=turn.id,
        withheld=shown.withheld if shown else 0,
        changed=shown.changed if shown else 0,
        is_gone=turn.is_gone,
        share=turn.share,
        is_helpful=turn.is_helpful,
        reason=turn.reason,
    )


def pages_around(number: int, pages: int) -> list[int | None]:
    """Pages that are offered as small pictures: those around, the first and the last; None stands
    for those left out. At most eleven, however long the document is.
    """
    near = range(max(1, number - _PAGES_NEAR), min(pages, number + _PAGES_NEAR) + 1)
    shown = sorted({1, *near, pages})
    offered: list[int | None] = []
    for page in shown:
        if offered and offered[-1] is not None and page - offered[-1] > 1:
            offered.append(None)
        offered.append(page)
    return offered


def thumbnail_url(document_id: str, page: int) -> str:
    """A page as a small picture, through the same rights as the page."""
    return f"{image_url(document_id, page, None, None)}?width={THUMBNAIL_PX}"


def image_url(document_id: str, page: int, start: int | None, end: int | None) -> str:
    url = f"/v1/documents/{quote(document_id, safe='')}/pages/{page}/image"
    if start is None or end is None:
        return url
    return f"{url}?{urlencode({'start': start, 'end': end})}"


def passage_url(passage: Passage) -> str:
    """Where a passage begins, marked up to the end of its first span."""
    span = passage.chunk.spans[0]
    return page_url(passage.chunk.document_id, span.page, span.start, span.end)


def marked_text(page: PageText, start: int | None, end: int | None) -> MarkedText:
    """The text with its quote; without a mark where the span is not inside the text."""
    if start is None or end is None or not 0 <= start < end <= len(page.text):
        return MarkedText(page.text, "", "")
    return MarkedText(page.text[:start], page.text[start:end], page.text[end:])


@dataclass(frozen=True, slots=True)
class Place:
    """Where words stand in a document, with what stands around them."""

    page: int
    start: int
    end: int
    text: MarkedText


def places_of(pages: Sequence[PageText], words: str, *, most: int) -> list[Place]:
    """The first places where `words` stand, capitals aside, in reading order."""
    found: list[Place] = []
    wanted = re.compile(re.escape(words), re.IGNORECASE)
    for page in pages if words else ():
        for hit in wanted.finditer(page.text):
            start, end = hit.span()
            found.append(Place(page.number, start, end, _surrounded(page.text, start, end)))
            if len(found) == most:
                return found
    return found


def _surrounded(text: str, start: int, end: int) -> MarkedText:
    """A span with what stands around it, cut between words and not within one."""
    before, after = text[max(0, start - _AROUND) : start], text[end : end + _AROUND]
    if start > _AROUND and not text[start - _AROUND - 1].isspace():
        before = _WORD_CUT_BEFORE.sub("", before)
    if end + _AROUND < len(text) and not text[end + _AROUND].isspace():
        after = _WORD_CUT_AFTER.sub("", after)
    return MarkedText(before, text[start:end], after)


def leads_with_name(title: str) -> bool:
    """Whether a title says so little that the file's name comes first."""
    return len(title.strip()) < _SHORT_TITLE


def type_name(document: DocumentRecord) -> str:
    """A short word for the format: the name's extension, which a person knows it by."""
    return PurePosixPath(document.name).suffix.removeprefix(".").upper() or document.media_type
