"""Who may read a point, as numbers: the three conditions of every search made one.

A search asks for a tenant, for one of the caller's labels among the readers, and for a level up to
the caller's. The engine finds points by one of the conditions and tries the others on each, where
texts are compared for every readable point. So each point also carries a number for every (tenant,
reader, level) that it can be read by, and a filter that holds the three conditions becomes "one of
these numbers", which the engine answers by looking them up; or "not without any of these", where
most of a tenant's points can be read.

The engine keeps this to itself: what is asked and answered is as on a Qdrant server.
"""

import hashlib
from collections.abc import Callable, Collection, Sequence
from functools import lru_cache
from typing import Final

import orjson
import qdrant_edge as edge
from qdrant_client.http import models as rest

CountEstimate = Callable[[rest.FieldCondition], int]

FIELD: Final = "_access"
SOURCES: Final = frozenset({"tenant", "readers", "level"})

_MOST_KEYS: Final = 4_000  # in a filter; with more, the three conditions stay
_MOST_OF_A_TENANT: Final = 0.5
"""From this share of a tenant's points on, going through all of them in the order that they are
stored in and leaving out some is faster than gathering the readable number by number.
"""


def create_index() -> edge.UpdateOperation:
    """The index that a shard has if every point of it carries its keys."""
    schema = edge.IntegerIndexParams(lookup=True, range=False)
    return edge.UpdateOperation.create_field_index(FIELD, schema)


def with_keys(payload: rest.Payload | None) -> rest.Payload:
    """The payload and its keys; none where a source is missing, as no search finds it then."""
    payload = payload or {}
    tenant, readers, level = payload.get("tenant"), payload.get("readers"), level_of(payload)
    readers = [readers] if isinstance(readers, str) else readers
    if not isinstance(tenant, str) or not isinstance(readers, list) or level is None:
        return {**payload, FIELD: []}
    return {**payload, FIELD: [_key(tenant, str(reader), level) for reader in readers]}


def level_of(payload: rest.Payload | None) -> int | None:
    level = (payload or {}).get("level")
    return level if isinstance(level, int) else None


def by_key(
    given: rest.Filter | None, levels: Collection[int], estimate: CountEstimate
) -> rest.Filter | None:
    """The same filter, with its tenant, readers and level as keys if it names all three.

    Args:
        levels: Those of all points, at least.
        estimate: About how many points a condition lets pass.
    """
    if given is None or not isinstance(given.must, list):
        return given
    first: dict[str, rest.FieldCondition] = {}
    for condition in given.must:
        if isinstance(condition, rest.FieldCondition) and condition.key in SOURCES:
            first.setdefault(condition.key, condition)
    if first.keys() != SOURCES:
        return given
    keys = _keys(first["tenant"].match, first["readers"].match, first["level"].range, levels)
    if not 0 < len(keys) <= _MOST_KEYS:
        return given
    readable = rest.FieldCondition(key=FIELD, match=rest.MatchAny(any=keys))
    others = [c for c in given.must if not any(c is known for known in first.values())]
    whole = first["tenant"]
    if not others and estimate(readable) > _MOST_OF_A_TENANT * estimate(whole):
        unreadable = rest.Filter(must_not=[readable])
        return rest.Filter(must=[whole], must_not=[*_listed(given.must_not), unreadable])
    return given.model_copy(update={"must": [readable, *others]})


def _listed(
    given: Sequence[rest.Condition] | rest.Condition | None,
) -> Sequence[rest.Condition]:
    if given is None:
        return []
    return given if isinstance(given, Sequence) else [given]


def _keys(
    tenant: rest.Match | None,
    readers: rest.Match | None,
    level: rest.RangeInterface | None,
    levels: Collection[int],
) -> Sequence[int]:
    """None for conditions of another form than a scope's."""
    if (
        not isinstance(tenant, rest.MatchValue)
        or not isinstance(tenant.value, str)
        or not isinstance(readers, rest.MatchAny)
        or not isinstance(level, rest.Range)
        or level.lte is None
        or level.model_dump(exclude_none=True).keys() != {"lte"}
    ):
        return []
    below = sorted(found for found in levels if found <= level.lte)
    return [_key(tenant.value, str(reader), found) for reader in readers.any for found in below]


@lru_cache(maxsize=1 << 16)
def _key(tenant: str, reader: str, level: int) -> int:
    """63 bits of a hash: the engine's integers have a sign."""
    triple = orjson.dumps([tenant, reader, level])
    return int.from_bytes(hashlib.blake2b(triple, digest_size=8).digest()) >> 1
