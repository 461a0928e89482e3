"""Changes to a document's points that spare what is written after them, however late they are done.

A node that stood still does what it was asked minutes later, when the document may have come in
anew, with points of the very same ids. So every writing marks its points with a number of its own,
and what is removed or changed is named by the numbers that were there when it was asked for.
"""

import secrets
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from qdrant_client import models

from sovereign_rag.store.filters import of_versions

FIELD: Final = "writing"
MOST_VALUES: Final = 1_000  # that are counted at a time; a writing has up to 32 points

Facet = Callable[[str, models.Filter], Mapping[str, int]]
"""Field and filter -> how many of the points that pass have each value, by most of the copies."""

_BITS: Final = 53  # a number that every reader of JSON keeps
_UNMARKED: Final = models.Filter(
    must_not=[models.FieldCondition(key=FIELD, range=models.Range(gte=0))]
)


def new_writing() -> int:
    """A number that no other writing has."""
    return secrets.randbits(_BITS)


def written(
    facet: Facet, tenant: str, document_id: str, stored: Mapping[str, int], *, but: int | None
) -> Iterator[models.Filter]:
    """The points of some versions of a document that are there now, a part of them at a time.

    To be gone through with each part changed before the next is asked for.

    Args:
        stored: How many points there are of each of the versions.
        but: The writing that they are being given; they are done.
    """
    chosen = of_versions(tenant, document_id, sorted(stored))
    total = sum(stored.values())
    marked = facet(FIELD, chosen)
    if sum(marked.values()) < total:  # some are from before points were marked
        yield _and(chosen, _UNMARKED)
    while numbers := [int(number) for number in marked if int(number) != but]:
        these = models.FieldCondition(key=FIELD, match=models.MatchAny(any=sorted(numbers)))
        yield _and(chosen, these)
        if len(marked) < MOST_VALUES:
            return
        marked = facet(FIELD, chosen)


def _and(chosen: models.Filter, more: models.Condition) -> models.Filter:
    must = chosen.must if isinstance(chosen.must, list) else []
    return models.Filter(must=[*must, more])
