"""Documents as their readers meet them: lists, pages, page images; and their removal."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Protocol

from sovereign_rag.access import Principal, read_scope
from sovereign_rag.answering.citations import PROTECTED as PROTECTED
from sovereign_rag.answering.citations import boxes
from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.catalog.records import DocumentRecord, JobRecord, NewTask
from sovereign_rag.domain import Box, PageCharacter, PageText, ParsedDocument
from sovereign_rag.errors import Forbidden, NotFound
from sovereign_rag.services.erasure import Erasure
from sovereign_rag.storage.audit import AuditTrail, entry
from sovereign_rag.storage.content import ContentStore

IMAGE_DPI = 110
HAS_IMAGES = {"application/pdf", "image/png", "image/jpeg", "image/tiff", "image/webp", "image/bmp"}
HAS_IMAGES |= {"image/heic", "image/heif", "image/gif"}


class PageRenderer(Protocol):
    """Draws a page of an original, in a process that may fail; the parser's."""

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
    ) -> None:
        self._catalog, self._content, self._erasure = catalog, content, erasure
        self._renderer, self._audit = renderer, audit

    def list(
        self, principal: Principal, *, limit: int = 100, after: str | None = None
    ) -> list[DocumentRecord]:
        """Readable documents by id order; `after` is the last id of the page before."""
        return self._catalog.documents.readable(read_scope(principal), limit=limit, after=after)

    def count(self, principal: Principal) -> int:
        """How many documents `principal` may read."""
        return self._catalog.documents.count(read_scope(principal))

    def get(self, document_id: str, principal: Principal) -> DocumentRecord:
        """One document. Raises NotFound, also where it is not the principal's to read."""
        return self._catalog.documents.get(document_id, read_scope(principal))

    def page(self, document_id: str, number: int, principal: Principal) -> PageText:
        """The stored text of a page, on the audit record. Raises NotFound."""
        record = self.get(document_id, principal)
        page = self._page(record, number)
        self._record("page", principal, record, {"page": number})
        return page

    def pages(self, document_id: str, principal: Principal) -> tuple[PageText, ...]:
        """All pages of a document, on the audit record. Raises NotFound."""
        record = self.get(document_id, principal)
        pages = self._parsed(record).pages
        self._record("text", principal, record, {"pages": len(pages)})
        return pages

    def has_image(self, record: DocumentRecord) -> bool:
        """Whether pages of the document can be drawn: not of one that takes a password."""
        return record.media_type in HAS_IMAGES and PROTECTED not in record.properties

    def boxes(
        self, document_id: str, number: int, start: int, end: int, principal: Principal
    ) -> tuple[Box, ...]:
        """Where characters `start` to `end` of a page's text stand on it. Raises NotFound."""
        return boxes(self._page(self.get(document_id, principal), number), start, end)

    def page_image(
        self, document_id: str, number: int, principal: Principal, highlights: Sequence[Box] = ()
    ) -> bytes:
        """A page as PNG with `highlights` marked on it, on the audit record.

        Raises:
            NotFound: Not this principal's to read, no such page, or a format without a layout.
            DocumentError: The page can't be drawn.
        """
        record = self.get(document_id, principal)
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
        return marked(image, highlights) if highlights else image

    def delete(self, document_id: str, principal: Principal) -> None:
        """Remove a document: its chunks, its text, its original, its page images.

        Raises:
            NotFound: Not this principal's to read, or missing.
            Forbidden: The principal reads it, and is no admin.
        """
        record = self.get(document_id, principal)
        if not principal.is_admin:
            raise Forbidden("Only an admin may delete documents; ask for an admin key.")
        self._record("delete", principal, record, {"uri": record.uri})
        self._erasure.erase(record.tenant, record.id, record.content_hash)

    def submit(
        self,
        tasks: Sequence[NewTask],
        principal: Principal,
        idempotency_key: str | None = None,
        *,
        before_commit: Callable[[], None],
    ) -> JobRecord:
        """Hand documents in, to be ingested by a worker.

        Args:
            before_commit: Puts their bytes into the content store, once nothing removes them there.

        Raises:
            Forbidden: The principal is no admin.
            KeyReused: The key came before, with other documents.
            AuditError: It can't be recorded; then nothing is taken in.
        """
        if not principal.is_admin:
            raise Forbidden("Only an admin may add documents; ask for an admin key.")
        job_id = str(uuid.uuid4())

        def record_then_bring() -> None:
            detail = {"job": job_id, "uris": [task.uri for task in tasks]}
            self._audit.append(entry("ingest", principal, detail))
            before_commit()

        job = self._catalog.jobs.create(
            principal.tenant,
            principal.label,
            tasks,
            idempotency_key,
            job_id=job_id,
            before_commit=record_then_bring,
        )
        if job.id != job_id:
            self._audit.append(entry("ingest.known", principal, {"job": job.id}))
        return job

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
