"""Documents and months of the record whose time is over, by the rules of the settings."""

import fnmatch
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sovereign_rag.access import Principal
from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.catalog.records import DocumentRecord
from sovereign_rag.services.container import Service
from sovereign_rag.settings.retention import RetentionRule, RetentionSettings
from sovereign_rag.storage.audit import entry


@dataclass(frozen=True, slots=True)
class Due:
    """A document whose time is over."""

    record: DocumentRecord
    rule: int  # which of the settings, from 1
    over_since: datetime
    held: bool  # by a legal hold: it stays


def due(catalog: Catalog, settings: RetentionSettings, now: datetime) -> Iterator[Due]:
    """What the rules would remove at `now`, and what a hold keeps of it; by tenant and id."""
    for tenant in sorted({rule.tenant for rule in settings.rules}):
        rules = [(n, r) for n, r in enumerate(settings.rules, start=1) if r.tenant == tenant]
        of_source = {
            rule.source: frozenset(catalog.traces.names_of_source(tenant, rule.source))
            for _, rule in rules
            if rule.source is not None and rule.source != "upload"
        }
        for id_, _, _, _ in catalog.traces.documents(tenant):
            record = catalog.documents.known(tenant, id_)
            if record is not None and (found := _first(record, rules, of_source, now)) is not None:
                yield Due(record, *found, held=is_held(record, settings.holds))


def apply(
    service: Service, settings: RetentionSettings, principal: Principal, now: datetime
) -> int:
    """Delete what is due and not held, each deletion on the record; returns how many went.

    Raises:
        AuditError: It can't be recorded; what follows stays.
    """
    service.conversations.expire()
    gone = 0
    for found in [one for one in due(service.catalog, settings, now) if not one.held]:
        told: Mapping[str, Any] = {
            "document": found.record.id,
            "rule": found.rule,
            "over_since": found.over_since.isoformat(),
        }
        service.audit.append(entry("retention.due", principal, told))
        record = found.record
        detail = {"document": record.id, "version": record.version, "uri": record.uri}
        detail |= {"sha256": record.content_hash}
        with service.operations.begun("delete", principal, detail):
            service.erasure.erase(record.tenant, record.id, record.content_hash)
        gone += 1
    return gone


def trim_record(
    service: Service, settings: RetentionSettings, principal: Principal, now: datetime
) -> int:
    """Remove months of the record that are older than it is kept; returns how many files."""
    if settings.record_days is None:
        return 0
    before = (now - timedelta(days=settings.record_days)).date()
    return service.audit.trim(before, entry("audit.trimmed", principal, {}))


def is_held(record: DocumentRecord, holds: Sequence[str]) -> bool:
    """Whether a legal hold names the document, by its id or its address."""
    return any(record.id == hold or fnmatch.fnmatchcase(record.uri, hold) for hold in holds)


def _first(
    record: DocumentRecord,
    rules: Sequence[tuple[int, RetentionRule]],
    of_source: Mapping[str, AbstractSet[str]],
    now: datetime,
) -> tuple[int, datetime] | None:
    for number, rule in rules:
        since = (record.modified if rule.since == "modified" else None) or record.created
        over = since + timedelta(days=rule.days)
        if over <= now and _is_of(record, rule, of_source):
            return number, over
    return None


def _is_of(
    record: DocumentRecord, rule: RetentionRule, of_source: Mapping[str, AbstractSet[str]]
) -> bool:
    if rule.source == "upload":
        is_of_source = record.uri.startswith("upload:")
    else:
        is_of_source = rule.source is None or record.id in of_source[rule.source]
    return (
        is_of_source
        and rule.media_type in {None, record.media_type}
        and (rule.label is None or rule.label in record.readers)
        and (rule.address is None or fnmatch.fnmatchcase(record.uri, rule.address))
    )
