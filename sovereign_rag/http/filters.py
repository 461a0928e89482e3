"""The filters that searches and questions take, whichever door they come through."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import Field, StringConstraints

from sovereign_rag.access import Principal
from sovereign_rag.domain import Language
from sovereign_rag.http.params import StrictBody
from sovereign_rag.http.stated import range_of
from sovereign_rag.metadata import facts_asked
from sovereign_rag.services.container import Service
from sovereign_rag.store.protocol import SearchFilter

Ids = Annotated[list[Annotated[str, StringConstraints(max_length=64)]], Field(max_length=1_000)]
Names = Annotated[list[Annotated[str, StringConstraints(max_length=2_000)]], Field(max_length=100)]


class RangeBody(StrictBody):
    """Values from one to another, both included."""

    from_: float | str | None = Field(None, alias="from", description="A number, or 2024-01-31.")
    to: float | str | None = Field(None, description="A number, or 2024-12-31.")


class Filtered(StrictBody):
    """What a request leaves out of what its caller may read."""

    documents: Ids | None = Field(None, description="Only these documents, by id.")
    exclude_documents: Ids = Field([], description="None of these documents, by id.")
    languages: list[Language] | None = Field(None, description="Only passages in these languages.")
    media_types: Names | None = Field(
        None, description="Only documents of these types, e.g. application/pdf."
    )
    sources: Names | None = Field(
        None, description="Only documents at these URIs, or below them: file:///srv/handbook."
    )
    labels: Names | None = Field(
        None,
        description="Only what reaches the caller by these labels of their own, e.g. group:hr.",
    )
    tags: Names | None = Field(None, description="Only documents with one of these tags.")
    authors: Names | None = Field(None, description="Only documents stated to be by one of these.")
    fields: dict[str, Annotated[list[str | bool | float], Field(max_length=100)] | RangeBody] = (
        Field(
            {},
            max_length=20,
            description="Only documents with one of these values of each custom field named, or "
            "with one in a range of a number or a date (2024-01-31).",
            examples=[{"department": ["finance"], "amount": {"from": 100, "to": 200}}],
        )
    )
    modified_from: datetime | None = Field(
        None, description="Only documents last changed at this time or later; UTC unless it says."
    )
    modified_before: datetime | None = Field(
        None, description="Only documents last changed before this time; UTC unless it says."
    )

    def search_filter(self, service: Service, principal: Principal) -> SearchFilter:
        """What the caller leaves out of what they may read; it can't add to it.

        Raises:
            BadInput: A range of a field that has none, or of too many values.
        """
        values = {name: one for name, one in self.fields.items() if isinstance(one, list)}
        ranges = {name: one for name, one in self.fields.items() if isinstance(one, RangeBody)}
        kinds, facts = service.settings.metadata.fields, service.catalog.facts
        lie_in = (
            facts.within(principal.tenant, range_of(name, one.from_, one.to, kinds))
            for name, one in ranges.items()
        )
        return SearchFilter(
            documents=None if self.documents is None else frozenset(self.documents),
            exclude_documents=frozenset(self.exclude_documents),
            languages=None if self.languages is None else frozenset(self.languages),
            media_types=None if self.media_types is None else frozenset(self.media_types),
            sources=None if self.sources is None else frozenset(self.sources),
            labels=None if self.labels is None else frozenset(self.labels),
            facts=(*facts_asked(self.tags, self.authors, values), *lie_in),
            modified_from=_with_zone(self.modified_from),
            modified_before=_with_zone(self.modified_before),
        )


def _with_zone(time: datetime | None) -> datetime | None:
    return time.replace(tzinfo=UTC) if time is not None and time.tzinfo is None else time
