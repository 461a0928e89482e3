"""What is asked of a list of documents, and what comes back; of the database nothing is known."""

from dataclasses import dataclass, fields
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from sovereign_rag.catalog.records import DocumentRecord, DocumentStatus


class Order(StrEnum):
    """What a list is put in order by; equal ones by id."""

    ID = "id"
    TITLE = "title"  # without regard to capitals and accents
    DATE = "date"
    UPDATED = "updated"


@dataclass(frozen=True, slots=True)
class DocumentQuery:
    """What of the readable documents is listed, and in which order.

    Every condition given must hold; None leaves one open, and an empty set matches nothing.
    """

    words: str = ""  # each one stands in the title or the name
    statuses: frozenset[DocumentStatus] | None = None
    media_types: frozenset[str] | None = None
    languages: frozenset[str] | None = None
    sources: frozenset[str] | None = None  # URIs of documents, or of folders they lie in
    labels: frozenset[str] | None = None  # reader labels; one that isn't the asker's own: nothing
    facts: tuple[frozenset[str], ...] = ()  # of each set the document has one; see `metadata`
    date_from: datetime | None = None  # with a time zone; of this moment or later
    date_before: datetime | None = None  # with a time zone; of before this moment
    order: Order = Order.ID
    descending: bool = False

    def described(self) -> dict[str, Any]:
        """The conditions given, as the audit record tells them."""
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        return {
            name: [sorted(one) for one in value]
            if isinstance(value, tuple)
            else sorted(value)
            if isinstance(value, frozenset)
            else value.isoformat()
            if isinstance(value, datetime)
            else value
            for name, value in given.items()
            if value not in (None, "", ())
        }


ALL_DOCUMENTS: Final = DocumentQuery()


@dataclass(frozen=True, slots=True)
class DocumentPage:
    """A page of a list; `total` counts the whole list, as far as the scope may read it."""

    documents: tuple[DocumentRecord, ...]
    total: int
    following: str | None  # the `after` of the next page; None: this is the last
