"""An answer as one text, for clients that show nothing else: marks in it, sources below it.

Such clients draw Markdown, so what came from a document is made plain first: an image in a quote
would be fetched by the reader's browser. The quotes character for character stand in the answer's
own fields.
"""

import re
from dataclasses import dataclass
from typing import Final

from sovereign_rag.answering.fence import label
from sovereign_rag.answering.sanitize import plain
from sovereign_rag.domain import LANGUAGES, Answer, AnswerKind, Verdict
from sovereign_rag.http.sources import CitedStatement, QuoteSource, numbered
from sovereign_rag.text.locale import DEFAULT, Locale, locale, speaks

_LOOKS_LIKE_A_MARK: Final = re.compile(r"\[(\d{1,4})\]")
_BETWEEN: Final = {AnswerKind.GENERATED: " "}  # sentences of a text; all else stands by itself
_PARAGRAPH: Final = "\n\n"


@dataclass(frozen=True, slots=True)
class Mark:
    """A mark of a text: `text[start:end]` is "[1]" or the like."""

    start: int
    end: int
    source: QuoteSource


@dataclass(frozen=True, slots=True)
class CitedText:
    """What to show, where its marks stand, and what they lead to."""

    text: str
    marks: tuple[Mark, ...]
    sources: tuple[QuoteSource, ...]


def cited_text(answer: Answer, base: str) -> CitedText:
    """The answer with its marks, what the reader has to know of it, and the list of its sources.

    A statement without support is marked in the text itself.

    Args:
        base: What links begin with, see `sources.public_url`; "": sources are named by their own
            addresses.
    """
    words = locale(answer.language if speaks(answer.language) else DEFAULT)
    cited, sources = numbered(answer.statements)
    text = _Text()
    if answer.certainty == "near" and answer.notice:
        text.add(plain(answer.notice) + _PARAGRAPH)
    if cited:
        _add_statements(text, cited, _BETWEEN.get(answer.kind, _PARAGRAPH), words)
    else:
        text.add(plain(answer.text))
    if answer.certainty != "near" and answer.notice:
        text.add(_PARAGRAPH + plain(answer.notice))
    if sources:
        sections = {passage.id: passage.section for passage in answer.passages}
        lines = [
            f"- {source_line(source, sections.get(source.citation.passage_id, ''), base, words)}"
            for source in sources
        ]
        text.add(_PARAGRAPH + words("sources.heading") + ":\n\n" + "\n".join(lines))
    return CitedText(text.whole, tuple(text.marks), sources)


def source_line(source: QuoteSource, section: str, base: str, words: Locale) -> str:
    """A source as a line: its mark, title, page, section and link."""
    where = source_title(source, words)
    if section:
        where = f"{where} › {_unmarked(plain(label(section)))}"
    return f"[{source.number}] {where} — {source_link(source, base)}"


def source_title(source: QuoteSource, words: Locale) -> str:
    """The document's title, and the page where it has pages."""
    citation = source.citation
    title = _unmarked(plain(label(citation.title)))
    if citation.page is None:
        return title
    return f"{title}, {words('page.number', page=citation.page)}"


def source_link(source: QuoteSource, base: str) -> str:
    """The page of ours that shows the quote; without a base, where the document comes from."""
    return f"{base}{source.url}" if base else source.citation.uri


class _Text:
    """A text that grows, and knows where its marks stand."""

    def __init__(self) -> None:
        self.whole = ""
        self.marks: list[Mark] = []

    def add(self, text: str) -> None:
        self.whole += text

    def add_mark(self, source: QuoteSource) -> None:
        start = len(self.whole)
        self.whole += f"[{source.number}]"
        self.marks.append(Mark(start, len(self.whole), source))


def _add_statements(
    text: _Text, cited: tuple[CitedStatement, ...], between: str, words: Locale
) -> None:
    for index, one in enumerate(cited):
        if index:
            text.add(between)
        text.add(_unmarked(plain(one.statement.text)))
        if one.sources:
            text.add(" ")
        for source in one.sources:
            text.add_mark(source)
        if one.statement.verdict is Verdict.PARTLY:
            text.add(f" ({words('answer.partly')})")
        elif not one.statement.supported:
            text.add(f" ({words('answer.unsupported')})")


def _unmarked(text: str) -> str:
    """A document's own "[3]" is none of our marks."""
    return _LOOKS_LIKE_A_MARK.sub(r"(\1)", text)


def answer_alone(shown: str) -> str:
    """What `cited_text` made, without marks and sources: as a client sends an earlier answer."""
    return _A_MARK.sub("", _SOURCES.split(shown, maxsplit=1)[0]).strip()


_A_MARK: Final = re.compile(r" ?\[\d{1,4}\]")
_HEADINGS: Final = "|".join(
    re.escape(locale(language)("sources.heading")) for language in LANGUAGES
)
_SOURCES: Final = re.compile(rf"{_PARAGRAPH}(?:{_HEADINGS}):\n\n- \[1\] ")
