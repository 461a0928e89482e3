"""Which documents an erasure is about, and by which words they would be found again."""

import fnmatch
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.catalog.records import DocumentRecord
from sovereign_rag.domain import ParsedDocument
from sovereign_rag.errors import NotFound
from sovereign_rag.storage.content import ContentStore

_WINDOW: Final = 40  # characters of a text that are looked for afterwards
_WINDOWS: Final = 3  # of them, a page
_MOST_WINDOWS: Final = 15  # a document
_LEAST_TITLE: Final = 12  # characters: a shorter one says nothing of whose it is


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be erased, as somebody asked for it."""

    tenant: str
    documents: Sequence[str] = ()  # ids
    sources: Sequence[str] = ()  # names
    patterns: Sequence[str] = ()  # globs that URIs match, "file:///srv/hr/*dupont*"
    texts: Sequence[str] = ()  # documents whose stored text holds one
    person: str | None = None  # a user's name: keys, sessions, rights, acts, and their own uploads


@dataclass(frozen=True, slots=True)
class Plan:
    """What an erasure will remove."""

    asked: Asked
    documents: Sequence[DocumentRecord]
    gone: Sequence[str]  # ids that were asked for and name no document (any more)
    kept_uploads: Sequence[DocumentRecord]  # of the person, and others read them too
    listed_by: Sequence[str]  # names of sources that would bring some again


class Finder:
    """Looks through the catalog and the stored texts, as the owner of the data folder may."""

    def __init__(self, catalog: Catalog, content: ContentStore, writer: str) -> None:
        """`writer`: of this machine's record, as `audit.writer` names it."""
        self._catalog, self._content, self._writer = catalog, content, writer

    def other_records(self) -> list[str]:
        """Who else writes a record over this catalog, on a machine of its own."""
        return sorted(set(self._catalog.audit_heads.writers()) - {self._writer})

    def plan(self, asked: Asked) -> Plan:
        """Raises NotFound: a source of that name there is not, or nothing is meant."""
        wanted = set(asked.documents) | self._of_sources(asked)
        theirs = f"upload:user:{asked.person}/" if asked.person else None
        uploads = []
        for id_, uri, _, _ in self._catalog.traces.documents(asked.tenant):
            if any(fnmatch.fnmatchcase(uri, pattern) for pattern in asked.patterns):
                wanted.add(id_)
            elif theirs is not None and uri.startswith(theirs):
                uploads.append(id_)
            elif asked.texts and self.mentions(asked.tenant, id_, asked.texts):
                wanted.add(id_)
        own = [self._known(asked.tenant, id_) for id_ in uploads]
        label = f"user:{asked.person}"
        shared = [record for record in own if record and record.readers - {label}]
        wanted |= {record.id for record in own if record and not record.readers - {label}}
        found = {id_: self._known(asked.tenant, id_) for id_ in sorted(wanted)}
        documents = [record for record in found.values() if record is not None]
        # The record of another machine holds words, too, when the documents are gone already.
        elsewhere = bool(asked.texts and self.other_records())
        if not wanted and asked.person is None and not elsewhere:
            raise NotFound("No document is meant by that. `documents list` shows what there is.")
        return Plan(
            asked=asked,
            documents=documents,
            gone=[id_ for id_, record in found.items() if record is None],
            kept_uploads=[record for record in shared if record.id not in wanted],
            listed_by=sorted(
                {name for id_ in wanted for name in self._catalog.traces.sources_of(id_)}
            ),
        )

    def needles(self, documents: Sequence[DocumentRecord]) -> frozenset[str]:
        """What would still show them: addresses, titles, and pieces of their texts.

        Ids and hashes are not among them: the record keeps those, so that a restore erases again.
        """
        found: set[str] = set()
        for record in documents:
            found.add(record.uri)
            if len(record.title) >= _LEAST_TITLE:
                found.add(record.title)
            parsed = self._parsed(record)
            pages = parsed.pages if parsed is not None else ()
            windows = [window for page in pages for window in _windows(page.text)]
            found |= set(windows[:: max(1, len(windows) // _MOST_WINDOWS)][:_MOST_WINDOWS])
        return frozenset(needle for needle in found if needle)

    def mentions(self, tenant: str, document_id: str, texts: Sequence[str]) -> list[int]:
        """Numbers of the pages of a document whose text holds one of `texts`; case counts not."""
        record = self._known(tenant, document_id)
        parsed = None if record is None else self._parsed(record)
        if parsed is None:
            return []
        looked_for = [_plain(text) for text in texts]
        return [
            page.number
            for page in parsed.pages
            if any(text in _plain(page.text) for text in looked_for)
        ]

    def is_of_another(self, tenant: str, needle: str) -> bool:
        """Whether a document that stays holds these words as well: they are its own then."""
        for id_, uri, name, title in self._catalog.traces.documents(tenant):
            if needle in {uri, name, title} or needle in title:
                return True
            record = self._known(tenant, id_)
            parsed = None if record is None else self._parsed(record)
            if parsed is not None and any(needle in page.text for page in parsed.pages):
                return True
        return False

    def _of_sources(self, asked: Asked) -> set[str]:
        found: set[str] = set()
        for name in asked.sources:
            ids = self._catalog.traces.names_of_source(asked.tenant, name)
            if not ids:
                raise NotFound(f"No source {name!r} has documents; `sources list` names them.")
            found.update(ids)
        return found

    def _known(self, tenant: str, id_: str) -> DocumentRecord | None:
        return self._catalog.documents.known(tenant, id_)

    def _parsed(self, record: DocumentRecord) -> ParsedDocument | None:
        if not record.content_hash:
            return None
        return self._content.parsed(record.content_hash, record.parse_key)


def _windows(text: str) -> Iterator[str]:
    """A few pieces of a text, spread over it, without the breaks that storing may change."""
    lines = [line.strip() for line in text.splitlines() if len(line.strip()) >= _WINDOW]
    for line in lines[:: max(1, len(lines) // _WINDOWS)][:_WINDOWS]:
        yield line[:_WINDOW].strip()


def _plain(text: str) -> str:
    return " ".join(text.casefold().split())
