"""What somebody leaves out when they ask: a few documents, a folder, a type, a language, dates."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Final
from urllib.parse import urlencode

from fastapi import Depends, Form, Query

from sovereign_rag.domain import LANGUAGES
from sovereign_rag.errors import BadInput
from sovereign_rag.store.protocol import NO_FILTER, SearchFilter

_MOST_DOCUMENTS: Final = 50
_ID: Final = 64
_FOLDER: Final = 2_000


@dataclass(frozen=True, slots=True)
class Narrowing:
    """As the form says it; what is empty leaves nothing out."""

    documents: tuple[str, ...] = ()
    folder: str = ""
    media_type: str = ""
    language: str = ""
    since: str = ""  # days, as a date field writes them: 2026-11-29
    until: str = ""

    @property
    def search_filter(self) -> SearchFilter:
        """Raises BadInput for a day that is none."""
        if self == Narrowing():
            return NO_FILTER
        until = _day(self.until)
        return SearchFilter(
            documents=frozenset(self.documents) or None,
            sources=frozenset({self.folder}) if self.folder else None,
            media_types=frozenset({self.media_type}) if self.media_type else None,
            languages=frozenset({self.language}) if self.language in LANGUAGES else None,
            modified_from=_day(self.since),
            modified_before=None if until is None else until + timedelta(days=1),
        )

    @property
    def fields(self) -> list[tuple[str, str]]:
        """The names and values of what is chosen, but for the documents."""
        named = {"folder": self.folder, "type": self.media_type, "language": self.language}
        named |= {"from": self.since, "to": self.until}
        return [(name, value) for name, value in named.items() if value]

    @property
    def query(self) -> str:
        """As an address carries it: "?doc=…", or "" where nothing is left out."""
        pairs = [("doc", id_) for id_ in self.documents]
        pairs += self.fields
        return f"?{urlencode(pairs)}" if pairs else ""


def _made(
    doc: Sequence[str], folder: str, media_type: str, language: str, since: str, until: str
) -> Narrowing:
    if len(doc) > _MOST_DOCUMENTS or any(len(id_) > _ID for id_ in doc):
        raise BadInput(f"A question can be narrowed to {_MOST_DOCUMENTS} documents at most.")
    return Narrowing(tuple(dict.fromkeys(doc)), folder, media_type, language, since, until)


def of_query(
    doc: Annotated[list[str], Query()] = [],  # noqa: B006  - FastAPI copies it
    folder: Annotated[str, Query(max_length=_FOLDER)] = "",
    media_type: Annotated[str, Query(alias="type", max_length=200)] = "",
    language: Annotated[str, Query(max_length=10)] = "",
    since: Annotated[str, Query(alias="from", max_length=10)] = "",
    until: Annotated[str, Query(alias="to", max_length=10)] = "",
) -> Narrowing:
    return _made(doc, folder, media_type, language, since, until)


def of_form(
    doc: Annotated[list[str], Form()] = [],  # noqa: B006  - FastAPI copies it
    folder: Annotated[str, Form(max_length=_FOLDER)] = "",
    media_type: Annotated[str, Form(alias="type", max_length=200)] = "",
    language: Annotated[str, Form(max_length=10)] = "",
    since: Annotated[str, Form(alias="from", max_length=10)] = "",
    until: Annotated[str, Form(alias="to", max_length=10)] = "",
) -> Narrowing:
    return _made(doc, folder, media_type, language, since, until)


QueryNarrowing = Annotated[Narrowing, Depends(of_query)]
FormNarrowing = Annotated[Narrowing, Depends(of_form)]


def _day(text: str) -> datetime | None:
    if not text:
        return None
    try:
        return datetime.combine(date.fromisoformat(text), datetime.min.time(), UTC)
    except ValueError as error:
        raise BadInput(f"{text!r} is no day; write it like 2026-11-29.") from error
