"""Documents as their readers meet them: lists, pages, page images; and their removal."""

from collections.abc import Callable, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Protocol

from sovereign_rag.access import Principal, read_scope
from sovereign_rag.answering.citations import PROTECTED as PROTECTED
from sovereign_rag.answering.citations import boxes
from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.catalog.document_query import ALL_DOCUMENTS, DocumentPage, DocumentQuery
from sovereign_rag.catalog.records import DocumentRecord, JobRecord, NewTask
from sovereign_rag.catalog.uploads import ContentCondition
from sovereign_rag.domain import Box, PageCharacter, PageText, ParsedDocument
from sovereign_rag.errors import NotFound
from sovereign_rag.services.curation import require_curation_for, require_curator
from sovereign_rag.services.erasure import Erasure
from sovereign_rag.services.excerpts import Excerpt, PagePlace, excerpt_of
from sovereign_rag.services.operations import DELETE, OperationRecorder
from sovereign_rag.services.submission import Submission, access
from sovereign_rag.storage.audit import AuditTrail, entry
from sovereign_rag.storage.content import ContentStore

IMAGE_DPI = 110
HAS_IMAGES = {"application/pdf", "image/png", "image/jpeg", "image/tiff", "image/webp", "image/bmp"}
HAS_IMAGES |= {"image/heic", "image/heif", "image/gif"}


class PageRenderer(Protocol):
    """Draws a page of an original, in a process that may fail; the parser's."""

    @property
    def key(self) -> str:
        """The version of the text that it makes of a file."""
        ...

    def render_page(self, path: Path, page: int, *, dpi: int, media_type: str) -> bytes: ...

    def page_characters(self, path: Path, page: int) -> tuple[PageCharacter, ...]: ...


class DocumentService:
    """What a principal may see and do with documents; unreadable and missing are the same."""

    def __init__(
        self,
        *,
        catalog: Catalog,
        content: ContentStore,
        erasure: Erasure,
        renderer: PageRenderer,
        audit: AuditTrail,
        operations: OperationRecorder,
        submission: Submission,
    ) -> None:
        self._catalog, self._content, self._erasure = catalog, content, erasure
        self._renderer, self._audit = renderer, audit
        self._operations, self._submission = operations, submission

    def list(
        self, principal: Principal, *, limit: int = 100, after: str | None = None
    ) -> list[DocumentRecord]:
        """Readable documents by id order, on the audit record.

        `after` is the last id of the page before.
        """
        return [*self.listed(principal, limit=limit, after=after)[0]]

    def listed(
        self, principal: Principal, *, limit: int, after: str | None = None
    ) -> tuple[Sequence[DocumentRecord], str | None]:
        """As `list`, with the `after` of the next page; None: there is none."""
        page = self.find(ALL_DOCUMENTS, principal, limit=limit, after=after)
        return page.documents, page.following

    def find(
        self, query: DocumentQuery, principal: Principal, *, limit: int, after: str | None = None
    ) -> DocumentPage:
        """A page of the readable documents that `query` is about, on the audit record.

        Args:
            after: The `following` of the page before.

        Raises:
            BadInput: `after` is of another list.
            AuditError: It can't be recorded; nothing is released.
        """
        page = self._catalog.lists.page(query, read_scope(principal), limit=limit, after=after)
        shown = [record.id for record in page.documents]
        detail = {"documents": shown, "total": page.total, "asked": query.described()}
        self._audit.append(entry("documents.list", principal, detail))
        return page

    def count(self, principal: Principal) -> int:
        """How many documents `principal` may read, on the audit record."""
        counted = self._catalog.documents.count(read_scope(principal))
        self._audit.append(entry("documents.count", principal, {"documents": counted}))
        return counted

    def get(self, document_id: str, principal: Principal) -> DocumentRecord:
        """What is known of one document, on the audit record.

        Raises NotFound, also where it is not the principal's to read.
        """
        record = self._readable(document_id, principal)
        self._record("document", principal, record, {})
        return record

    def page(self, document_id: str, number: int, principal: Principal) -> PageText:
        """The stored text of a page, on the audit record. Raises NotFound."""
        return self.opened(document_id, number, principal)[1]

    def opened(
        self, document_id: str, number: int, principal: Principal
    ) -> tuple[DocumentRecord, PageText]:
        """A document with the stored text of a page, on the audit record. Raises NotFound."""
        record = self._readable(document_id, principal)
        page = self._page(record, number)
        self._record("page", principal, record, {"page": number})
        return record, page

    def pages(self, document_id: str, principal: Principal) -> tuple[PageText, ...]:
        """All pages of a document, on the audit record. Raises NotFound."""
        record = self._readable(document_id, principal)
        pages = self._parsed(record).pages
        self._record("text", principal, record, {"pages": len(pages)})
        return pages

    def excerpt(
        self, document_id: str, principal: Principal, *, place: PagePlace, most: int
    ) -> tuple[DocumentRecord, Excerpt]:
        """A document's text, or what fits of it from a place on, on the audit record.

        Raises:
            NotFound: Not this principal's to read, or no such page.
        """
        record = self.get(document_id, principal)
        excerpt = excerpt_of(self._parsed(record).pages, place, most)
        if excerpt is None:
            raise NotFound(f"The document has no page {place.page}.")
        pages = {"first_page": excerpt.first_page, "last_page": excerpt.last_page}
        self._record("text", principal, record, pages)
        return record, excerpt

    def has_image(self, record: DocumentRecord) -> bool:
        """Whether pages of the document can be drawn: not of one that takes a password."""
        return record.media_type in HAS_IMAGES and PROTECTED not in record.properties

    def boxes(
        self, document_id: str, number: int, start: int, end: int, principal: Principal
    ) -> tuple[Box, ...]:
        """Where characters `start` to `end` of a page's text stand on it. Raises NotFound."""
        return boxes(self._page(self._readable(document_id, principal), number), start, end)

    def page_image(
        self,
        document_id: str,
        number: int,
        principal: Principal,
        highlights: Sequence[Box] = (),
        *,
        width: int | None = None,
    ) -> bytes:
        """A page as PNG with `highlights` marked on it, on the audit record.

        `width` makes it that small, in pixels; the page as it is kept is drawn once in either case.

        Raises:
            NotFound: Not this principal's to read, no such page, or a format without a layout.
            DocumentError: The page can't be drawn.
        """
        record = self._readable(document_id, principal)
        self._page(record, number)
        if not self.has_image(record):
            raise NotFound("This document has no page images: its format has no layout.")
        key = f"{IMAGE_DPI}dpi"
        image = self._content.page_image(record.content_hash, key, number)
        if image is None:
            image = self._renderer.render_page(
                self._content.original(record.content_hash),
                number,
                dpi=IMAGE_DPI,
                media_type=record.media_type,
            )
            self._content.put_page_image(record.content_hash, key, number, image)
        self._record("page.image", principal, record, {"page": number})
        image = marked(image, highlights) if highlights else image
        return image if width is None else narrowed(image, width)

    def delete(self, document_id: str, principal: Principal) -> None:
        """Remove a document: its chunks, its text, its original, its page images.

        Nobody finds anything of it when this returns; where the store is away its chunks go when
        it is back.

        Raises:
            NotFound: Not this principal's to read, or missing.
            Forbidden: The principal reads it, and it is not theirs to delete.
            AuditError: It can't be recorded; nothing is removed. Or its end can't be, which
                `OperationRecorder.settle` makes up for.
        """
        record = self._deletable(document_id, principal)
        detail = {
            **{"document": record.id, "version": record.version, "uri": record.uri},
            **{"sha256": record.content_hash, **access(record.readers, record.level)},
        }
        with self._operations.begun(DELETE, principal, detail) as act:
            is_told = self._erasure.erase(record.tenant, record.id, record.content_hash)
            act.outcome["store"] = "told" if is_told else "follows"

    def delete_all(self, document_ids: Sequence[str], principal: Principal) -> None:
        """Remove several documents: all of them, or none where one can't be. Raises as `delete`."""
        ids = list(dict.fromkeys(document_ids))
        for id_ in ids:
            self._deletable(id_, principal)
        for id_ in ids:
            self.delete(id_, principal)

    def submit(
        self,
        tasks: Sequence[NewTask],
        principal: Principal,
        idempotency_key: str | None = None,
        *,
        before_commit: Callable[[], None],
        conditions: Sequence[ContentCondition] = (),
    ) -> JobRecord:
        """Hand documents in, to be ingested by a worker.

        Args:
            before_commit: Puts their bytes into the content store, once nothing removes them there.

        Raises:
            Forbidden: The principal takes none in, or none for these readers.
            ErasedBefore: One of them was erased for good.
            KeyReused: The key came before, with other documents.
            DocumentChanged: A condition does not hold; then nothing is taken in.
            AuditError: It can't be recorded; then nothing is taken in.
        """
        for task in tasks:
            require_curation_for(task.readers, principal)
        return self._submission.submit(
            tasks,
            principal,
            idempotency_key=idempotency_key,
            before_commit=before_commit,
            conditions=conditions,
            all_or_none=True,
        )

    def _deletable(self, document_id: str, principal: Principal) -> DocumentRecord:
        record = self._readable(document_id, principal)
        require_curator(self._catalog, record, principal)
        return record

    def _readable(self, document_id: str, principal: Principal) -> DocumentRecord:
        return self._catalog.documents.get(document_id, read_scope(principal))

    def _parsed(self, record: DocumentRecord) -> ParsedDocument:
        parsed = self._content.parsed(record.content_hash, record.parse_key)
        if parsed is None:
            raise NotFound("The document's text is not in the data folder; ingest it again.")
        return parsed

    def _page(self, record: DocumentRecord, number: int) -> PageText:
        for page in self._parsed(record).pages:
            if page.number == number:
                return page
        raise NotFound(f"The document has no page {number}.")

    def _record(
        self,
        action: str,
        principal: Principal,
        record: DocumentRecord,
        detail: Mapping[str, object],
    ) -> None:
        known = {"document": record.id, "version": record.version}
        self._audit.append(entry(action, principal, {**known, **detail}))


def marked(png: bytes, highlights: Sequence[Box]) -> bytes:
    """The image with each box marked as if by a highlighter. Returns PNG."""
    from PIL import Image, ImageChops, ImageDraw

    with Image.open(BytesIO(png)) as opened:
        image = opened.convert("RGB")
    width, height = image.size
    ink = Image.new("RGB", image.size, "white")
    draw = ImageDraw.Draw(ink)
    for box in highlights:
        place = (
            box.left * width - 2,
            box.top * height - 1,
            box.right * width + 2,
            box.bottom * height + 1,
        )
        draw.rounded_rectangle(place, radius=3, fill=(255, 226, 92))
    out = BytesIO()
    # Multiplied, so that the print shows through as under a real highlighter.
    ImageChops.multiply(image, ink).save(out, "PNG")
    return out.getvalue()


def narrowed(png: bytes, width: int) -> bytes:
    """The image `width` pixels wide, in few greys and colours; never wider than it was."""
    from PIL import Image

    with Image.open(BytesIO(png)) as opened:
        image = opened.convert("RGB")
    height = max(1, round(image.height * width / image.width))
    if width < image.width:
        image = image.resize((width, height), Image.Resampling.BOX, reducing_gap=2.0)
    out = BytesIO()
    image.quantize(32).save(out, "PNG")
    return out.getvalue()
