"""Write a shard anew without what was deleted from it, while it goes on being used.

The same way a shard of an older layout gets the one that new shards have.
"""

import shutil
import time
from pathlib import Path
from typing import Final

import qdrant_edge as edge

from sovereign_rag.store.embedded import access_keys, layout

_PAGE: Final = 64  # points; 10 to 20 ms
_FLUSH_AFTER: Final = 4_000  # points


class Rewrite:
    """A copy of a shard in the making, below the same folder.

    The engine only marks a point as deleted: its text stays in its segment and in the
    write-ahead log. The engine's own clean-up (`optimize`) stops everybody for as long as it
    takes and leaves the log, and a process that is killed in the midst of it leaves every point
    twice, which falsifies the statistics from then on. A copy takes twice the time, but in steps
    that nobody notices, and it is either whole or thrown away.

    Points are copied in the order of their ids. An update meanwhile is applied to both: to what
    is copied it is news, and what isn't comes after it, with it.
    """

    def __init__(self, folder: Path, shard: edge.EdgeShard, config: edge.EdgeConfig) -> None:
        """Begin; nobody else rewrites this shard."""
        self.stale = False  # set by whoever deletes from the shard meanwhile
        self._folder = folder
        self._started = time.monotonic()
        self._from = shard
        self._new = folder / "shard.new"
        shutil.rmtree(self._new, ignore_errors=True)  # of one that could not begin
        self._new.mkdir()
        self._sparse = frozenset(config.sparse_vectors or ())
        self._to = edge.EdgeShard.create(str(self._new), config)
        for field, index in shard.info().payload_schema.items():
            if field != access_keys.FIELD:
                self._to.update(edge.UpdateOperation.create_field_index(field, index.data_type))
        self._to.update(access_keys.create_index())
        layout.mark(self._new)
        self._next: edge.PointId | None = None
        self._unflushed = 0  # points

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.monotonic() - self._started

    def step(self, budget_s: float) -> bool:
        """Copy for about that long; whether everything is copied."""
        deadline = time.monotonic() + budget_s
        while time.monotonic() < deadline:
            points, self._next = self._from.scroll(
                edge.ScrollRequest(
                    offset=self._next, limit=_PAGE, with_payload=True, with_vector=True
                )
            )
            copies = [
                edge.Point(p.id, p.vector or {}, access_keys.with_keys(p.payload)) for p in points
            ]
            if any(layout.is_blank(p.vector, self._sparse) for p in points):
                layout.mark_blank(self._new)
            self._to.update(edge.UpdateOperation.upsert_points(copies))
            self._unflushed += len(copies)
            if self._next is None or self._unflushed > _FLUSH_AFTER:
                self._to.flush()  # bit by bit: at the end everybody waits for it
                self._unflushed = 0
            if self._next is None:
                return True
        return False

    def update(self, operation: edge.UpdateOperation) -> None:
        self._to.update(operation)

    def mark_blank(self) -> None:
        """The next update brings a point without a term."""
        layout.mark_blank(self._new)

    def swap(self) -> edge.EdgeShard:
        """Put the copy, which is whole, in the shard's place."""
        self._to.close()
        self._from.close()
        shard, old = self._folder / "shard", self._folder / "shard.old"
        shard.rename(old)
        self._new.rename(shard)
        shutil.rmtree(old)
        return edge.EdgeShard.load(str(shard))

    def discard(self) -> None:
        self._to.close()
        shutil.rmtree(self._new)


def settle(folder: Path) -> Path:
    """The shard below `folder`, whatever a crash left there; removes the rest.

    `swap` begins when the copy is whole, so a copy without a shard beside it is the shard.
    """
    shard, old, new = folder / "shard", folder / "shard.old", folder / "shard.new"
    if not shard.exists() and new.exists():
        new.rename(shard)
    for rest in (old, new):
        if rest.exists():
            shutil.rmtree(rest)
    return shard
