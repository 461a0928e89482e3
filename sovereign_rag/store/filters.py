"""A scope and a filter as one of Qdrant's filters."""

from collections.abc import Collection, Sequence

from qdrant_client import models

from sovereign_rag.access import ReadScope
from sovereign_rag.store.protocol import SearchFilter


def filter_of(scope: ReadScope, search_filter: SearchFilter) -> models.Filter:
    """The scope, and below it what the caller leaves out. Never empty: a scope has both."""
    must: list[models.Condition] = [
        equals("tenant", scope.tenant),
        any_of("readers", scope.labels),
        models.FieldCondition(key="level", range=models.Range(lte=scope.clearance)),
    ]
    for key, allowed in _sets(search_filter, scope).items():
        if allowed is not None:
            must.append(any_of(key, allowed))
    must += [any_of("facts", facts) for facts in search_filter.facts]
    if search_filter.chunks is not None:
        must.append(models.HasIdCondition(has_id=sorted(search_filter.chunks)))
    begin, end = search_filter.modified_from, search_filter.modified_before
    if begin is not None:
        range_ = models.Range(gte=begin.timestamp())
        must.append(models.FieldCondition(key="modified", range=range_))
    if end is not None:
        range_ = models.Range(lt=end.timestamp())
        must.append(models.FieldCondition(key="modified", range=range_))
    excluded = search_filter.exclude_documents
    return models.Filter(
        must=must, must_not=[any_of("document_id", excluded)] if excluded else None
    )


def is_open(search_filter: SearchFilter, scope: ReadScope) -> bool:
    """Whether anything can pass: an empty set matches nothing."""
    sets = (search_filter.chunks, *search_filter.facts, *_sets(search_filter, scope).values())
    return all(allowed is None or allowed for allowed in sets)


def document(tenant: str, document_id: str) -> models.Filter:
    return models.Filter(must=[equals("tenant", tenant), equals("document_id", document_id)])


def of_ids(tenant: str, document_id: str, ids: Sequence[str]) -> models.Filter:
    """Some points of a document."""
    named = models.HasIdCondition(has_id=list(ids))
    return models.Filter(must=[equals("tenant", tenant), equals("document_id", document_id), named])


def of_versions(tenant: str, document_id: str, versions: Collection[str]) -> models.Filter:
    """Some versions of a document; none is given: none matches."""
    named = any_of("version", versions)
    return models.Filter(must=[equals("tenant", tenant), equals("document_id", document_id), named])


def of_tenant(tenant: str) -> models.Filter:
    return models.Filter(must=[equals("tenant", tenant)])


def equals(key: str, value: str) -> models.FieldCondition:
    return models.FieldCondition(key=key, match=models.MatchValue(value=value))


def _sets(search_filter: SearchFilter, scope: ReadScope) -> dict[str, frozenset[str] | None]:
    """What a filter allows, by payload field."""
    labels = search_filter.labels
    return {
        "document_id": search_filter.documents,
        "language": search_filter.languages,
        "media_type": search_filter.media_types,
        "places": search_filter.place_keys,
        # Whom else a document is shared with is not for the caller to find out.
        "readers": None if labels is None else labels & scope.labels,
    }


def any_of(key: str, values: Collection[str]) -> models.FieldCondition:
    return models.FieldCondition(key=key, match=models.MatchAny(any=sorted(values)))
