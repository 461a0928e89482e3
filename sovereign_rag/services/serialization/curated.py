"""Answers of the house, as they go out to admins."""

from datetime import date, datetime
from typing import Self

from pydantic import Field

from sovereign_rag.services.curated_desk import CuratedView, Trouble
from sovereign_rag.services.serialization.body import Body


class CuratedSourceOut(Body):
    document: str = Field(description="The document's id.")
    title: str
    quote: str


class CuratedOut(Body):
    """An answer that an admin wrote; what it says where the caller may read all its sources."""

    id: str
    revision: int = Field(description="Sent along with a change: another one is refused.")
    checked: datetime
    checked_by: str
    due: date = Field(description="When it is to be looked at again.")
    overdue: bool
    trouble: Trouble | None = Field(
        description="gone: a source is gone or does not say so any more, and nobody is given the "
        "answer; changed: a source was changed since; hidden: the caller may not read them all."
    )
    wordings: list[str]
    texts: dict[str, str] | None = Field(description="By language; null: not the caller's to read.")
    sources: list[CuratedSourceOut]

    @classmethod
    def of(cls, view: CuratedView) -> Self:
        return cls(
            id=view.id,
            revision=view.revision,
            checked=view.checked,
            checked_by=view.checked_by,
            due=view.due,
            overdue=view.is_overdue,
            trouble=view.trouble,
            wordings=list(view.wordings),
            texts=None if view.texts is None else dict(view.texts),
            sources=[
                CuratedSourceOut(document=s.document_id, title=s.title, quote=s.quote)
                for s in view.sources
            ],
        )


class CuratedListOut(Body):
    answers: list[CuratedOut] = Field(description="What is to be looked at again first, first.")
