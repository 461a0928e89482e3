"""A document as the catalog records it, and as a source gave it."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import PurePath

from ingest.index.embed import ParsedFile
from sovereign_rag.catalog.records import DocumentRecord, DocumentStatus, document_id
from sovereign_rag.domain import ParsedDocument, SourceFile
from sovereign_rag.metadata import NOTHING_STATED


def record_of(
    item: ParsedFile, tenant: str, version: str, parse_key: str, chunks: int
) -> DocumentRecord:
    source, parsed, now = item.source, item.parsed, datetime.now(UTC)
    return DocumentRecord(
        id=document_id(tenant, source.uri),
        tenant=tenant,
        uri=source.uri,
        name=source.name,
        title=parsed.title or source.name,
        status=DocumentStatus.PARTIAL if parsed.warnings else DocumentStatus.INDEXED,
        reason="; ".join(parsed.warnings) or None,
        content_hash=source.content_hash,
        parse_key=parse_key,
        version=version,
        media_type=parsed.media_type,
        language=parsed.language,
        paged=parsed.paged,
        pages=len(parsed.pages),
        chunks=chunks,
        size=source.size,
        modified=source.modified,
        readers=source.readers,
        level=source.level,
        properties=parsed.properties,
        created=now,
        updated=now,
        stated=source.stated or NOTHING_STATED,
        found_language=parsed.language,
    )


def source_of(document: DocumentRecord) -> SourceFile:
    return SourceFile(
        uri=document.uri,
        name=document.name,
        content_hash=document.content_hash,
        size=document.size,
        modified=document.modified,
        readers=document.readers,
        level=document.level,
        stated=document.stated,
    )


def title_of(name: str) -> str:
    return PurePath(name).stem or name


def titled(parsed: ParsedDocument, name: str) -> ParsedDocument:
    return replace(parsed, title=parsed.title or title_of(name))
