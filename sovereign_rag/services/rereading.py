"""Documents read again from their kept originals, as the parser of today reads them."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from sovereign_rag.access import Principal, read_scope
from sovereign_rag.answering.citations import PROTECTED
from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.catalog.records import DocumentRecord, JobRecord, NewTask
from sovereign_rag.errors import CannotReread, Forbidden
from sovereign_rag.services.curation import require_curator
from sovereign_rag.services.submission import Submission
from sovereign_rag.storage.content import ContentStore

_BATCH = 500  # records asked for at a time


@dataclass(frozen=True, slots=True)
class RereadPlan:
    """How many documents would be read again, and how many can't be."""

    documents: int
    pages: int
    without_original: int
    locked: int  # by a password, which is not kept


class Rereading:
    """Which documents another parser has read, and their reading anew.

    Readers, level and names stay what they are; the version that is there is searched until the
    new one is published, and goes on being so where reading fails.
    """

    def __init__(
        self,
        *,
        catalog: Catalog,
        content: ContentStore,
        submission: Submission,
        parser: Callable[[], str],
    ) -> None:
        """`parser` gives the version of the parser of today."""
        self._catalog, self._content = catalog, content
        self._submission, self._parser = submission, parser

    @property
    def parser(self) -> str:
        """The version of the parser of today."""
        return self._parser()

    def is_outdated(self, record: DocumentRecord) -> bool:
        """Whether another parser than today's made the text that is searched."""
        return record.is_outdated(self.parser)

    def count_outdated(self, tenant: str | None = None) -> int:
        """How many documents another parser has read; of all tenants where none is named."""
        return self._catalog.readings.count_of_others(self.parser, tenant)

    def plan(self, principal: Principal, *, outdated: bool) -> RereadPlan:
        """What `submit_all` would do."""
        documents = pages = without_original = locked = 0
        for record in self._readable(principal, outdated=outdated):
            if PROTECTED in record.properties:
                locked += 1
            elif not self._is_kept(record):
                without_original += 1
            else:
                documents, pages = documents + 1, pages + record.pages
        return RereadPlan(documents, pages, without_original, locked)

    def submit(self, document_ids: Iterable[str], principal: Principal) -> JobRecord:
        """Make a job that reads these documents again.

        Raises:
            NotFound: One of them is not this principal's to read, or missing.
            Forbidden: The principal reads them, and one is not theirs to look after.
            CannotReread: The original of one is not kept, or a password opened it.
            AuditError: It can't be recorded; then there is no job.
        """
        scope = read_scope(principal)
        ids = dict.fromkeys(document_ids)
        records = [self._catalog.documents.get(id_, scope) for id_ in ids]
        for record in records:
            require_curator(self._catalog, record, principal)
        for record in records:
            self._require_readable_anew(record)
        return self._job(records, principal)

    def submit_all(self, principal: Principal, *, outdated: bool) -> JobRecord:
        """Make a job that reads every document again that can be, or the outdated ones alone.

        Raises:
            Forbidden: The principal is no admin.
            AuditError: As `submit`.
        """
        _require_admin(principal)
        records = (
            record
            for record in self._readable(principal, outdated=outdated)
            if PROTECTED not in record.properties and self._is_kept(record)
        )
        return self._job(records, principal)

    def _job(self, records: Iterable[DocumentRecord], principal: Principal) -> JobRecord:
        origin = [f"read again by {self.parser}"]
        return self._submission.submit(map(_task, records), principal, origin=origin)

    def _readable(self, principal: Principal, *, outdated: bool) -> Iterator[DocumentRecord]:
        scope, after = read_scope(principal), None
        while batch := self._catalog.documents.readable(scope, limit=_BATCH, after=after):
            yield from (r for r in batch if not outdated or self.is_outdated(r))
            after = batch[-1].id

    def _require_readable_anew(self, record: DocumentRecord) -> None:
        if PROTECTED in record.properties:
            raise CannotReread(
                f"A password opened {record.name!r}, and it is not kept. Hand the file in again "
                "with it: `sovereign-rag ingest FILE --password`."
            )
        if not self._is_kept(record):
            raise CannotReread(
                f"The original of {record.name!r} is not kept any more, its text stays as it is. "
                "Hand the file in again: `sovereign-rag ingest FILE`, or the sync of its source."
            )

    def _is_kept(self, record: DocumentRecord) -> bool:
        return bool(record.content_hash) and self._content.holds(record.content_hash)


def _require_admin(principal: Principal) -> None:
    if not principal.is_admin:
        raise Forbidden("Only an admin may have documents read again; ask for an admin key.")


def _task(record: DocumentRecord) -> NewTask:
    return NewTask(
        uri=record.uri,
        name=record.name,
        readers=record.readers,
        level=record.level,
        content_hash=record.content_hash,
        modified=record.modified,
        keeps_access=True,
    )
