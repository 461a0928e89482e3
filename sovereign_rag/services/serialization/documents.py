"""Documents and their pages, as they go out."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Self

from pydantic import Field

from sovereign_rag.access import Principal, may_curate
from sovereign_rag.catalog.document_query import DocumentPage
from sovereign_rag.catalog.records import DocumentRecord, DocumentStatus
from sovereign_rag.domain import Chunk, PageText
from sovereign_rag.services.serialization.answers import SpanOut
from sovereign_rag.services.serialization.body import Body, iso
from sovereign_rag.services.serialization.metadata import MetadataOut
from sovereign_rag.services.uploads import is_upload_of

if TYPE_CHECKING:
    from sovereign_rag.services.editing import Edited


class DocumentOut(Body):
    """A document as its readers see it; who else may read it is for those who may change that."""

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
    date: str = Field(
        description="As stated; or else when its file was changed, or when it came in."
    )
    level: int
    readers: list[str] | None = Field(
        description="Who may read it beside the owner; null unless whoever asks looks "
        "after it: an admin, or its curator."
    )
    properties: dict[str, str] = Field(description="What the document says of itself.")
    metadata: MetadataOut = Field(description="What was said of it.")
    created: str
    updated: str
    parser: str = Field(description="The version of the parser that made the stored text.")
    outdated: bool = Field(
        description="Whether another parser than today's made it: see `POST "
        "/v1/documents/{document_id}/reread`."
    )

    @classmethod
    def of(cls, document: DocumentRecord, asker: Principal, *, parser: str) -> Self:
        """`parser` is the version of the parser of today."""
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
            date=document.date.isoformat(),
            level=document.level,
            readers=sorted(document.readers) if _shows_readers(document, asker) else None,
            properties=dict(document.properties),
            metadata=MetadataOut.of(document.stated),
            created=document.created.isoformat(),
            updated=document.updated.isoformat(),
            parser=document.parser,
            outdated=document.is_outdated(parser),
        )


class EditedOut(Body):
    document: DocumentOut
    settled: bool = Field(
        description="False: the vector store is away. Who is no reader any more is none; who is "
        "new finds the document once it is back."
    )

    @classmethod
    def of(cls, edited: "Edited", asker: Principal, *, parser: str) -> Self:
        document = DocumentOut.of(edited.document, asker, parser=parser)
        return cls(document=document, settled=edited.is_settled)


class EditedAllOut(Body):
    edited: list[EditedOut]


class DocumentsOut(Body):
    documents: list[DocumentOut]
    next: str | None = Field(description="Give it as `after` for the next page; null at the end.")
    total: int = Field(description="How many there are in the whole list.")

    @classmethod
    def of(cls, page: DocumentPage, asker: Principal, *, parser: str) -> Self:
        shown = [DocumentOut.of(one, asker, parser=parser) for one in page.documents]
        return cls(documents=shown, next=page.following, total=page.total)


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


class PagesOut(Body):
    pages: list[PageOut]

    @classmethod
    def of(cls, pages: Sequence[PageText], *, has_image: bool) -> Self:
        return cls(pages=[PageOut.of(page, has_image=has_image) for page in pages])


class ChunkOut(Body):
    """What is embedded and found: a piece of a document's stored text."""

    index: int = Field(description="Its place in the document, from 0.")
    passage_id: str
    text: str
    kind: str = Field(description="text or table.")
    language: str | None
    heading_path: list[str]
    spans: list[SpanOut] = Field(description="Where it stands in the stored text, page by page.")

    @classmethod
    def of(cls, chunk: Chunk) -> Self:
        return cls(
            index=chunk.index,
            passage_id=f"{chunk.document_id}:{chunk.index}",
            text=chunk.text,
            kind=chunk.kind,
            language=chunk.language,
            heading_path=list(chunk.heading_path),
            spans=[SpanOut(page=s.page, start=s.start, end=s.end) for s in chunk.spans],
        )


class ChunksOut(Body):
    chunks: list[ChunkOut]
    total: int
    next: int | None = Field(description="Give it as `after` for the next page; null at the end.")

    @classmethod
    def of(cls, chunks: Sequence[Chunk], *, total: int, following: int | None) -> Self:
        return cls(chunks=[ChunkOut.of(one) for one in chunks], total=total, next=following)


class ExportedOut(Body):
    """A document as a whole, to be kept elsewhere: what is known of it, and its text."""

    document: DocumentOut
    pages: list[PageOut]


def _shows_readers(document: DocumentRecord, asker: Principal) -> bool:
    return may_curate(asker, readers=document.readers, is_own=is_upload_of(document.uri, asker))
