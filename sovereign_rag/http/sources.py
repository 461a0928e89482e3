"""Where an answer's quotes stand: numbered as readers meet them, with the address of each page."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from starlette.requests import Request

from sovereign_rag.domain import Citation, Statement
from sovereign_rag.settings import ServerSettings


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


def public_url(server: ServerSettings, request: Request | None = None) -> str:
    """What addresses of ours begin with, for programs that show them elsewhere.

    As the settings say; else as the caller reached us, whose Host header was held against
    `server.allowed_hosts`.
    """
    if server.public_url is not None:
        return server.public_url
    if request is None:
        return ""
    scheme = "https" if server.secure_cookies else request.url.scheme
    return str(request.base_url.replace(scheme=scheme)).rstrip("/")
