"""What the points of a shard carry among them, kept up with every write.

Both sets may name what is gone again: they are for knowing what is certainly not there.
"""

from collections.abc import Iterable
from typing import Final

import qdrant_edge as edge
from qdrant_client.http import models as rest

from sovereign_rag.store.embedded import access_keys

_MOST: Final = 10_000


class Census:
    def __init__(self) -> None:
        self.levels: set[int] = set()
        self.tenants: set[str | None] = set()  # None: of a point without one

    def read(self, shard: edge.EdgeShard) -> None:
        """Take in all points of a shard; its fields `level` and `tenant` are indexed."""
        levels = shard.facet(edge.FacetRequest("level", limit=_MOST, exact=True)).hits
        self.levels.update(int(hit.value) for hit in levels)
        tenants = shard.facet(edge.FacetRequest("tenant", limit=_MOST, exact=True)).hits
        self.tenants.update(str(hit.value) for hit in tenants)
        if sum(hit.count for hit in tenants) != shard.info().points_count:
            self.tenants.add(None)

    def note(self, payloads: Iterable[rest.Payload | None]) -> None:
        """Take in what is about to be written."""
        for payload in payloads:
            level = access_keys.level_of(payload)
            if level is not None:
                self.levels.add(level)
            tenant = (payload or {}).get("tenant")
            self.tenants.add(tenant if isinstance(tenant, str) else None)

    def is_all_of(self, condition: rest.Filter) -> bool:
        """Whether every point passes: a condition on the tenant alone, where there is but one."""
        match condition:
            case rest.Filter(
                must=[rest.FieldCondition(key="tenant", match=rest.MatchValue(value=tenant))],
                must_not=None,
                should=None,
                min_should=None,
            ):
                return self.tenants == {tenant}
        return False
