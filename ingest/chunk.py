"""A parsed document -> chunks, cut where its structure has joints.

Headings open sections and travel with each chunk as its path; paragraphs stay whole where they
fit and are cut between sentences where they do not; tables are cut between rows, and each piece
carries the header row. A chunk's text is nothing but its spans of the stored page text, so every
quote from it can be found again.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from ingest.detect import PDF
from sovereign_rag.domain import Chunk, Element, ElementKind, PageSpan, PageText, ParsedDocument
from sovereign_rag.settings import ChunkSettings
from sovereign_rag.text.language import of_passage
from sovereign_rag.text.sentences import sentences

CHUNKER_VERSION = "2"
_CELLS = " | "
NOT_SEARCHED = frozenset({ElementKind.FURNITURE, ElementKind.HIDDEN})
_HEADING_CHARS = 160  # of a heading in the path; a "heading" that is a paragraph is cut
_PATH_TOKENS = 96  # most of a chunk's tokens that its path may take

CountTokens = Callable[[Sequence[str]], list[int]]


@dataclass(frozen=True, slots=True)
class _Segment:
    """A run of text that is not cut further."""

    span: PageSpan
    tokens: int


@dataclass(slots=True)
class _Draft:
    """A chunk being filled."""

    path: tuple[str, ...]
    pieces: list[_Segment] = field(default_factory=list)
    header: str = ""
    kind: str = "text"
    tokens: int = 0

    def add(self, piece: _Segment) -> None:
        self.pieces.append(piece)
        self.tokens += piece.tokens


def chunk(
    document_id: str,
    version: str,
    parsed: ParsedDocument,
    *,
    count_tokens: CountTokens,
    settings: ChunkSettings,
    language: str | None = None,
) -> list[Chunk]:
    """Cut `parsed` into chunks of at most `settings.max_tokens`, headings and header included.

    Args:
        count_tokens: The embedding model's tokenizer.
        language: That all are in; None: as each text tells. Where they are cut does not hang on it.

    Returns:
        Chunks in reading order. `chunk.text` is the text of its spans joined by blank lines;
        text that is searched lies in exactly one chunk, but for headings, which stand in paths,
        and a table's header, which is repeated. A document of headings alone keeps them as text.
    """
    return list(_Cutter(parsed, count_tokens, settings).chunks(document_id, version, language))


class _Cutter:
    def __init__(
        self, parsed: ParsedDocument, count_tokens: CountTokens, settings: ChunkSettings
    ) -> None:
        self._parsed, self._count, self._settings = parsed, count_tokens, settings
        self._pages = {page.number: page for page in parsed.pages}

    def chunks(self, document_id: str, version: str, language: str | None) -> Iterator[Chunk]:
        drafts = _merge_small(list(self._drafts()), self._settings)
        for index, draft in enumerate(drafts):
            spans = _joined([piece.span for piece in draft.pieces], self._pages)
            text = "\n\n".join(self._text(span) for span in spans)
            yield Chunk(
                document_id=document_id,
                version=version,
                index=index,
                text=text,
                spans=spans,
                heading_path=draft.path,
                table_header=draft.header,
                language=language or of_passage(text, self._parsed.language),
                kind=draft.kind,
            )

    def _drafts(self) -> Iterator[_Draft]:
        title = (self._parsed.title or "").strip()
        headings: list[tuple[int, str]] = []
        draft = _Draft(self._path(title, headings))
        waiting: list[Element] = []  # headings that no text has followed yet
        before: tuple[Element, str] | None = None  # the table that came last, and its header
        for element in self._parsed.elements:
            if element.kind in NOT_SEARCHED:
                continue
            upper, before = before, None
            if element.kind is ElementKind.TITLE:
                if draft.pieces:
                    yield draft
                while headings and headings[-1][0] >= element.level:
                    headings.pop()
                lost = [heading for heading in waiting if heading.level >= element.level]
                if lost:  # closed with nothing below them: found as text, or by nobody
                    yield self._of_headings(lost, self._path(title, headings))
                    waiting = [heading for heading in waiting if heading.level < element.level]
                headings.append((element.level, self._heading(element)))
                draft = _Draft(self._path(title, headings))
                waiting.append(element)
                continue
            waiting.clear()
            if element.kind is ElementKind.TABLE:
                if draft.pieces:
                    yield draft
                header = self._carried(upper, element)
                before = element, header or self._first_row(element)
                yield from self._table(element, draft.path, header)
                draft = _Draft(draft.path)
                continue
            room = self._room(draft.path)
            for piece in self._pieces(element, room):
                if draft.pieces and draft.tokens + piece.tokens > room:
                    yield draft
                    draft = _Draft(draft.path)
                draft.add(piece)
        if draft.pieces:
            yield draft
        elif waiting:
            yield self._of_headings(waiting, self._path(title, headings[: -len(waiting)]))

    def _of_headings(self, elements: Sequence[Element], path: tuple[str, ...]) -> _Draft:
        draft = _Draft(path)
        for element in elements:
            for piece in self._pieces(element, self._room(path)):
                draft.add(piece)
        return draft

    def _text(self, span: PageSpan) -> str:
        return self._pages[span.page].text[span.start : span.end]

    def _heading(self, element: Element) -> str:
        text = self._pages[element.page].text[element.start : element.end]
        return " ".join(text.split())[:_HEADING_CHARS]

    def _path(self, title: str, headings: Sequence[tuple[int, str]]) -> tuple[str, ...]:
        """Title and headings; the outer ones are dropped where they would fill the chunk."""
        path = [text for _, text in headings if text]
        short = " ".join(title.split())[:_HEADING_CHARS]
        if short and short not in path:
            path.insert(0, short)
        while len(path) > 1 and self._count([" > ".join(path)])[0] > _PATH_TOKENS:
            del path[1 if len(path) > 2 else 0]
        return tuple(path)

    def _room(self, path: tuple[str, ...], header: str = "") -> int:
        """Tokens left for text beside the path and a table's header."""
        used = sum(self._count([" > ".join(path), header])) if path or header else 0
        return max(self._settings.max_tokens - used - 2, self._settings.max_tokens // 4)

    def _pieces(self, element: Element, room: int) -> list[_Segment]:
        """The element whole if it fits, else its sentences, else parts of them."""
        span = PageSpan(element.page, element.start, element.end)
        tokens = self._count([self._text(span)])[0]
        if tokens <= room:
            return [_Segment(span, tokens)]
        text = self._text(span)
        spans = [
            PageSpan(span.page, span.start + start, span.start + end)
            for start, end in sentences(text, self._parsed.language)
        ]
        return self._sized(spans, room)

    def _sized(self, spans: Sequence[PageSpan], room: int) -> list[_Segment]:
        pieces: list[_Segment] = []
        counts = self._count([self._text(span) for span in spans])
        for span, tokens in zip(spans, counts, strict=True):
            pieces += [_Segment(span, tokens)] if tokens <= room else self._halves(span, room)
        return pieces

    def _halves(self, span: PageSpan, room: int) -> list[_Segment]:
        """Cut a monster between words (or anywhere, if it has none) until its parts fit."""
        text = self._text(span)
        middle = len(text) // 2
        cut = text.rfind(" ", 1, middle)
        left_end = cut if cut > 0 else middle
        right_start = left_end + (len(text[left_end:]) - len(text[left_end:].lstrip()))
        if len(text) < 2 or right_start >= len(text):
            return [_Segment(span, self._count([text])[0])]
        left = PageSpan(span.page, span.start, span.start + left_end)
        right = PageSpan(span.page, span.start + right_start, span.end)
        return self._sized([left, right], room)

    def _carried(self, upper: tuple[Element, str] | None, element: Element) -> str:
        """The header of a table that goes on here from the page before; "" where none does.

        In a PDF a table is a piece a page. It goes on where nothing stands between the pieces
        and they have as many columns; a piece that repeats the header needs none.
        """
        if upper is None or self._parsed.media_type != PDF:
            return ""
        table, header = upper
        first = self._first_row(element)
        columns = header.count(_CELLS)
        goes_on = table.page + 1 == element.page and columns > 0
        return header if goes_on and first != header and first.count(_CELLS) == columns else ""

    def _first_row(self, element: Element) -> str:
        text = self._pages[element.page].text[element.start : element.end]
        return text.split("\n", 1)[0].strip()

    def _table(
        self, element: Element, path: tuple[str, ...], carried: str = ""
    ) -> Iterator[_Draft]:
        """Row by row; the first row is the header, in the first piece as text, then repeated.

        `carried` is the header where it stands on a page before.
        """
        page = self._pages[element.page]
        rows = list(_lines(page, element))
        header = carried or (page.text[rows[0].start : rows[0].end] if len(rows) > 1 else "")
        if self._count([header])[0] > self._settings.max_tokens // 3:
            header = ""  # a first row of prose is no header worth repeating
        room = self._room(path, header)
        draft = _Draft(path, header=header if carried else "", kind="table")
        for piece in self._sized(rows, room):
            if draft.pieces and draft.tokens + piece.tokens > room:
                yield draft
                draft = _Draft(path, header=header, kind="table")
            draft.add(piece)
        if draft.pieces:
            yield draft


def _lines(page: PageText, element: Element) -> Iterator[PageSpan]:
    start = element.start
    for line in page.text[element.start : element.end].split("\n"):
        if line.strip():
            yield PageSpan(page.number, start, start + len(line))
        start += len(line) + 1


def _joined(spans: Sequence[PageSpan], pages: dict[int, PageText]) -> tuple[PageSpan, ...]:
    """Neighbouring spans as one, where only white space stands between them."""
    joined: list[PageSpan] = []
    for span in spans:
        last = joined[-1] if joined else None
        if last and last.page == span.page and last.end <= span.start:
            between = pages[span.page].text[last.end : span.start]
            if not between.strip():
                joined[-1] = PageSpan(span.page, last.start, span.end)
                continue
        joined.append(span)
    return tuple(joined)


def _merge_small(drafts: Sequence[_Draft], settings: ChunkSettings) -> list[_Draft]:
    """Join short neighbours that share a parent heading: a line alone is found by chance only.

    The merged chunk keeps the path that its parts share.
    """
    merged: list[_Draft] = []
    for draft in drafts:
        last = merged[-1] if merged else None
        if (
            last is not None
            and last.kind == draft.kind == "text"
            and min(last.tokens, draft.tokens) < settings.min_tokens
            and last.tokens + draft.tokens <= settings.max_tokens * 3 // 4
            and last.path == draft.path
        ):
            for piece in draft.pieces:
                last.add(piece)
        else:
            merged.append(draft)
    return merged
