"""The audit record as a tenant's auditors look at it: filtered, newest first, verified, exported.

Documents that whoever looks may not read are told by their ids alone: what their files are called,
where they lie and what somebody said of them is left out.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import islice
from typing import Final

from sovereign_rag.access import Principal, read_scope
from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.catalog.database import batches
from sovereign_rag.errors import BadInput
from sovereign_rag.storage.audit import AuditLog, entry
from sovereign_rag.storage.audit_all import AllRecords
from sovereign_rag.storage.audit_chain import AuditRecord
from sovereign_rag.storage.audit_search import AuditFilter, documents_of
from sovereign_rag.storage.audit_walk import AuditReport

MOST_LOOKED_AT: Final = 20_000
"""Records that one page looks through; where few match, the next page goes on behind them."""
MOST_EXPORTED: Final = 200_000

_TELLS_NOTHING: Final = frozenset(
    {"document", "version", "readers", "level", "before", "page", "pages", "spans", "operation"}
    | {"job", "error", "people"}
)
"""What may be told of a document that whoever looks may not read."""
_TELLS: Final = frozenset(
    {"origin", "reason", "uri", "name", "path", "file", "from", "to", "title", "understood_as"}
)
_LISTS: Final = frozenset({"documents", "disclosed"})
_BATCH: Final = 500


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Records of all machines, newest first."""

    records: tuple[AuditRecord, ...]
    titles: Mapping[str, str]  # by document id, of those that whoever looks may read
    older: str | None  # where the next page begins, as `page` takes it; None: there is none
    looked_back_to: AuditRecord | None  # the oldest that was looked at; None: none was
    others: Sequence[str]  # those of other machines, which are among it
    left_out: Sequence[str]  # those that can be read on their machines alone


@dataclass(frozen=True, slots=True)
class Verified:
    """What a check of the records found."""

    reports: Mapping[str, AuditReport]  # by writer, this machine's first
    left_out: Sequence[str]  # those that can be verified on their machines alone

    @property
    def ok(self) -> bool:
        return all(report.ok for report in self.reports.values())


class AuditDesk:
    """Shows the record of the asker's tenant; that it was shown is on the record."""

    def __init__(self, *, catalog: Catalog, audit: AuditLog) -> None:
        self._catalog, self._audit = catalog, audit
        self._all = AllRecords(audit, catalog)

    def page(
        self, asker: Principal, wanted: AuditFilter, *, limit: int, before: str | None = None
    ) -> AuditPage:
        """A page of what is meant.

        Args:
            before: Where it begins, as `AuditPage.older` said; a number is this machine's.

        Raises:
            BadInput: `before` says no such place.
            AuditError: A record can't be read, or that it is shown can't be recorded.
        """
        found: list[AuditRecord] = []
        oldest: AuditRecord | None = None
        is_cut = False
        place = self._place(before)
        meant = replace(wanted, tenant=asker.tenant)
        for looked_at, record in enumerate(self._all.back(place), start=1):
            if len(found) == limit or looked_at > MOST_LOOKED_AT:
                is_cut = True
                break
            oldest = record
            place[record.writer or self._all.writer] = record.number
            if meant.matches(record.entry):
                found.append(record)
        self._tell("audit.show", asker, wanted, found)
        titles = self._titles(found, asker)
        return AuditPage(
            records=tuple(redacted(record, titles) for record in found),
            titles=titles,
            older=_written(place) if is_cut else None,
            looked_back_to=oldest,
            others=self._all.others(),
            left_out=self._all.left_out(),
        )

    def export(self, asker: Principal, wanted: AuditFilter) -> Iterator[AuditRecord]:
        """All that is meant, newest first, at most `MOST_EXPORTED`. Raises AuditError."""
        self._tell("audit.export", asker, wanted, [])
        return self._exported(asker, replace(wanted, tenant=asker.tenant))

    @property
    def writer(self) -> str:
        """What this machine's record is called."""
        return self._all.writer

    def verify(self, asker: Principal) -> Verified:
        """Whether the records are whole; appends wait meanwhile. Raises AuditError."""
        self._audit.append(entry("audit.verify", asker, {}))
        return Verified(self._all.verify(), self._all.left_out())

    def _place(self, before: str | None) -> dict[str, int]:
        """By writer, the number below which a page begins."""
        if before is None:
            return {}
        if before.isdecimal():
            return {self._all.writer: int(before)}
        try:
            told = (part.split(":") for part in before.split(","))
            return {writer: int(number) for writer, number in told}
        except ValueError as error:
            raise BadInput(
                f"{before!r} is no place in the record. Begin with the newest again."
            ) from error

    def _exported(self, asker: Principal, wanted: AuditFilter) -> Iterator[AuditRecord]:
        matching = (r for r in self._all.back() if wanted.matches(r.entry))
        for batch in batches(islice(matching, MOST_EXPORTED), _BATCH):
            titles = self._titles(batch, asker)
            yield from (redacted(record, titles) for record in batch)

    def _tell(
        self, action: str, asker: Principal, wanted: AuditFilter, found: list[AuditRecord]
    ) -> None:
        asked = {name: str(v) for name, v in asdict(wanted).items() if v is not None}
        shown = {"first": found[-1].number, "last": found[0].number} if found else {}
        self._audit.append(entry(action, asker, {"asked": asked, **shown}))

    def _titles(self, records: Sequence[AuditRecord], asker: Principal) -> dict[str, str]:
        """Titles of the documents that the asker may read, as they may now; of one that is gone,
        as its readers were when it was told of, its address.
        """
        if not asker.reads_documents:
            return {}
        scope, titles = read_scope(asker), dict[str, str]()
        named = {id_ for record in records for id_ in documents_of(record.entry)}
        rights = self._catalog.documents.access_of(asker.tenant, sorted(named))
        for record in records:
            for id_, told in documents_of(record.entry).items():
                readers, level = rights.get(id_, (told.get("readers", ()), told.get("level", 0)))
                if scope.allows(tenant=asker.tenant, readers=readers, level=level):
                    titles.setdefault(id_, str(told.get("uri") or ""))
        return titles | dict(self._catalog.documents.titles_of(sorted(titles)))


def _written(place: Mapping[str, int]) -> str:
    return ",".join(f"{writer}:{number}" for writer, number in place.items())


def redacted(record: AuditRecord, readable: Collection[str]) -> AuditRecord:
    """The record without what tells of documents that are not among `readable`."""
    named = documents_of(record.entry)
    if all(id_ in readable for id_ in named):
        return record
    detail = {
        name: [_told(item, readable) for item in value] if name in _LISTS else value
        for name, value in record.entry.detail.items()
        if name not in _TELLS
    }
    if "document" in detail and detail["document"] not in readable:
        detail = {name: value for name, value in detail.items() if name in _TELLS_NOTHING}
    return replace(record, entry=replace(record.entry, detail=detail))


def _told(item: object, readable: Collection[str]) -> object:
    if not isinstance(item, dict) or item.get("document") in readable:
        return item
    return {name: value for name, value in item.items() if name in _TELLS_NOTHING}
