"""Documents and their pages, as they go out."""

from collections.abc import Sequence
from typing import Self

from pydantic import Field

from sovereign_rag.catalog.records import DocumentRecord, DocumentStatus
from sovereign_rag.domain import PageText
from sovereign_rag.services.serialization.body import Body, iso


class DocumentOut(Body):
    """A document as its readers see it. Who else may read it is theirs to know alone: left out."""

    document_id: str
    uri: str
    name: str
    title: str
    status: DocumentStatus
    reason: str | None = Field(description="What is missing of a partial document, and why.")
    media_type: str
    language: str | None
    paged: bool
    pages: int
    chunks: int
    size: int = Field(description="Bytes of the original.")
    sha256: str
    modified: str | None
    level: int
    properties: dict[str, str]
    created: str
    updated: str

    @classmethod
    def of(cls, document: DocumentRecord) -> Self:
        return cls(
            document_id=document.id,
            uri=document.uri,
            name=document.name,
            title=document.title,
            status=document.status,
            reason=document.reason,
            media_type=document.media_type,
            language=document.language,
            paged=document.paged,
            pages=document.pages,
            chunks=document.chunks,
            size=document.size,
            sha256=document.content_hash,
            modified=iso(document.modified),
            level=document.level,
            properties=dict(document.properties),
            created=document.created.isoformat(),
            updated=document.updated.isoformat(),
        )


class DocumentsOut(Body):
    documents: list[DocumentOut]
    next: str | None = Field(description="Give it as `after` for the next page; null at the end.")

    @classmethod
    def of(cls, documents: Sequence[DocumentRecord], *, following: str | None) -> Self:
        return cls(documents=[DocumentOut.of(one) for one in documents], next=following)


class PageOut(Body):
    """A page's canonical text, the ground that quotes are checked against."""

    number: int
    name: str | None
    text: str
    width: float | None = Field(description="Points.")
    height: float | None = Field(description="Points.")
    ocr_confidence: float | None
    has_image: bool

    @classmethod
    def of(cls, page: PageText, *, has_image: bool) -> Self:
        return cls(
            number=page.number,
            name=page.name,
            text=page.text,
            width=page.width,
            height=page.height,
            ocr_confidence=page.ocr_confidence,
            has_image=has_image,
        )
