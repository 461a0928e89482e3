"""Our nouns as the templates show them: numbered sources, links to pages, marked text."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import quote, urlencode

from sovereign_rag.catalog.records import DocumentRecord
from sovereign_rag.domain import Answer, Citation, PageText, Passage, Statement, Verdict
from sovereign_rag.retrieval.conversation import Turn
from sovereign_rag.web.conversation import written_turns


@dataclass(frozen=True, slots=True)
class QuoteSource:
    """A citation with the number of its chip."""

    number: int
    citation: Citation

    @property
    def url(self) -> str:
        c = self.citation
        return page_url(c.document_id, c.page or 1, c.start, c.end)


@dataclass(frozen=True, slots=True)
class CitedStatement:
    statement: Statement
    sources: tuple[QuoteSource, ...]


@dataclass(frozen=True, slots=True)
class AnswerView:
    """An answer whose citations are numbered from 1, the same place once."""

    answer: Answer
    statements: tuple[CitedStatement, ...]
    sources: tuple[QuoteSource, ...]
    earlier: tuple[Turn, ...] = ()  # of the conversation, oldest first

    @property
    def conversation(self) -> str:
        """The conversation with this answer, as the form sends it along with the next question."""
        return written_turns((*self.earlier, Turn.of(self.answer)))

    @property
    def unsupported(self) -> int:
        return sum(s.verdict is Verdict.UNSUPPORTED for s in self.answer.statements)

    @property
    def seconds(self) -> float:
        timings = self.answer.timings_ms
        return timings.get("total", sum(timings.values())) / 1000


@dataclass(frozen=True, slots=True)
class MarkedText:
    """A page's text cut at the quote; `mark` is empty where there is none."""

    before: str
    mark: str
    after: str


def answer_view(answer: Answer, earlier: tuple[Turn, ...] = ()) -> AnswerView:
    statements, sources = numbered(answer.statements)
    return AnswerView(answer, statements, sources, earlier)


def numbered(
    statements: Sequence[Statement], first: int = 1
) -> tuple[tuple[CitedStatement, ...], tuple[QuoteSource, ...]]:
    """Number the citations of `statements` in order of appearance, from `first`."""
    sources: dict[tuple[str, int | None, int, int], QuoteSource] = {}
    cited: list[CitedStatement] = []
    for statement in statements:
        own: list[QuoteSource] = []
        for c in statement.citations:
            place = (c.document_id, c.page, c.start, c.end)
            own.append(sources.setdefault(place, QuoteSource(first + len(sources), c)))
        cited.append(CitedStatement(statement, tuple(dict.fromkeys(own))))
    return tuple(cited), tuple(sources.values())


def page_url(document_id: str, page: int, start: int | None = None, end: int | None = None) -> str:
    """The viewer's address for a page, with a span to mark."""
    url = f"/documents/{quote(document_id, safe='')}/pages/{page}"
    if start is None or end is None:
        return url
    return f"{url}?{urlencode({'start': start, 'end': end})}#quote"


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


def type_name(document: DocumentRecord) -> str:
    """A short word for the format: the name's extension, which a person knows it by."""
    return PurePosixPath(document.name).suffix.removeprefix(".").upper() or document.media_type
