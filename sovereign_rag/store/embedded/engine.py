"""The collections of one folder, in Qdrant's engine; called from one thread."""

import logging
import re
import shutil
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import qdrant_edge as edge
from qdrant_client.http import models as rest

from sovereign_rag.store.embedded import access_keys, layout, translate
from sovereign_rag.store.embedded.census import Census
from sovereign_rag.store.embedded.rewrite import Rewrite, settle
from sovereign_rag.store.embedded.translate import Refused

log = logging.getLogger(__name__)

_NAME: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}")
_MOST_HITS: Final = 1_000
_FLUSH_AFTER_S: Final = 5.0
_ERASE_AFTER_S: Final = 1.0  # of quiet
_STEP_S: Final = 0.05  # the longest that a request waits for the erasing
_REST: Final = 10.0  # times as long as one erasing took, until the next
_RETRY_S: Final = 600.0

_INDEX_TYPES: Final = {
    edge.PayloadSchemaType.Keyword: rest.PayloadSchemaType.KEYWORD,
    edge.PayloadSchemaType.Integer: rest.PayloadSchemaType.INTEGER,
    edge.PayloadSchemaType.Uuid: rest.PayloadSchemaType.UUID,
}


class NoSuchCollection(LookupError):
    pass


class CollectionExists(Exception):
    pass


class Engine:
    """Every collection below a folder, opened at once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._last_request = time.monotonic()
        for leftover in folder.glob(".new-*"):  # of a creation that was cut short
            shutil.rmtree(leftover)
        self._collections = {
            path.name: Collection(path) for path in sorted(folder.iterdir()) if path.is_dir()
        }

    def collection(self, name: str) -> "Collection":
        """Raises NoSuchCollection."""
        self._last_request = time.monotonic()
        try:
            return self._collections[name]
        except KeyError:
            raise NoSuchCollection(f"Collection `{name}` doesn't exist") from None

    def create(self, name: str, wanted: rest.CreateCollection) -> None:
        """Raises CollectionExists, or Refused for what the engine doesn't offer."""
        if not _NAME.fullmatch(name):
            raise Refused(f"{name!r} is no name for a collection")
        if name in self._collections:
            raise CollectionExists(f"Collection `{name}` already exists")
        beside = self._folder / f".new-{uuid.uuid4()}"
        Collection.create(beside, wanted)
        place = beside.rename(self._folder / name)
        self._collections[name] = Collection(place)

    def drop(self, name: str) -> None:
        """Remove a collection with its files. Raises NoSuchCollection."""
        collection = self.collection(name)
        del self._collections[name]
        collection.close()
        leaving = self._folder / f".new-{uuid.uuid4()}"  # gone at the next start at the latest
        (self._folder / name).rename(leaving)
        shutil.rmtree(leaving)

    def flush(self) -> None:
        for collection in self._collections.values():
            collection.flush()

    def copy(self, folder: Path) -> None:
        """Write every collection as it is at this moment into `folder`, a new one.

        Nobody is answered meanwhile. What was deleted and is still to be erased, is so there too.
        """
        self.flush()
        folder.mkdir(mode=0o700)
        for name in self._collections:
            shutil.copytree(self._folder / name, folder / name)

    def erase(self) -> None:
        """Write every collection anew, without what was deleted or changed; nobody is answered."""
        for collection in self._collections.values():
            collection.leave_behind()
            while collection.to_erase and collection.erase_some(hurry=True):
                pass
        self.flush()

    def tick(self, *, alone: bool) -> bool:
        """Do a little of what is due; whether more is. `alone`: nobody is connected any more."""
        now = time.monotonic()
        quiet = alone or now - self._last_request > _ERASE_AFTER_S
        more = False
        for collection in self._collections.values():
            if collection.unflushed_since and now - collection.unflushed_since > _FLUSH_AFTER_S:
                try:
                    collection.flush()
                except Exception:  # the engine's; most likely the disk is full
                    log.exception("the flush failed and is tried again")
                    collection.unflushed_since = now
            if collection.to_erase and (quiet or collection.erasing):
                more |= collection.erase_some(hurry=alone)
        return more

    def close(self) -> None:
        for collection in self._collections.values():
            collection.flush()
            collection.close()
        self._collections = {}


class Collection:
    """One shard of the engine, and the request that made it.

    collection.json     that request
    shard/              the engine's files
    shard.new/          the same without what was deleted, in the making (see `Rewrite`)
    to-erase            there from before a deletion or replacement until the old bytes are gone
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._to_erase = folder / "to-erase"
        self._layout = rest.CreateCollection.model_validate_json(
            (folder / "collection.json").read_bytes()
        )
        shard = settle(folder)
        self._shard = edge.EdgeShard.load(str(shard))
        self._has_blank = layout.has_blank(shard)
        self._census = Census()
        self._has_keys = False
        self._read_keys()
        self._rewrite: Rewrite | None = None
        self._rest_until = 0.0
        self.to_erase = self._to_erase.exists() or not layout.is_current(shard)
        self.unflushed_since = time.monotonic()  # 0: everything is on the disk

    @staticmethod
    def create(folder: Path, wanted: rest.CreateCollection) -> None:
        config = translate.shard_config(wanted)
        folder.mkdir(mode=0o700)
        request = wanted.model_dump_json(exclude_unset=True, exclude_none=True)
        (folder / "collection.json").write_text(request, encoding="utf-8")
        (folder / "shard").mkdir()
        shard = edge.EdgeShard.create(str(folder / "shard"), config)
        shard.update(access_keys.create_index())
        shard.flush()
        shard.close()
        layout.mark(folder / "shard")

    @property
    def erasing(self) -> bool:
        return self._rewrite is not None

    def info(self) -> rest.CollectionInfo:
        found = self._shard.info()
        return rest.CollectionInfo(
            status=rest.CollectionStatus.GREEN,
            optimizer_status=rest.OptimizersStatusOneOf.OK,
            points_count=found.points_count,
            indexed_vectors_count=found.indexed_vectors_count,
            segments_count=found.segments_count,
            config=rest.CollectionConfig(
                params=rest.CollectionParams(
                    vectors=self._layout.vectors, sparse_vectors=self._layout.sparse_vectors
                ),
                hnsw_config=rest.HnswConfig(m=0, ef_construct=0, full_scan_threshold=0),
                optimizer_config=rest.OptimizersConfig(
                    default_segment_number=1, flush_interval_sec=int(_FLUSH_AFTER_S)
                ),
            ),
            payload_schema={
                field: rest.PayloadIndexInfo(
                    data_type=_INDEX_TYPES[index.data_type], points=index.points
                )
                for field, index in found.payload_schema.items()
                if field != access_keys.FIELD
            },
        )

    def index(self, wanted: rest.CreateFieldIndex) -> None:
        kind = translate.index_type(wanted.field_schema)
        self._update(edge.UpdateOperation.create_field_index(wanted.field_name, kind))
        self._read_keys()

    def upsert(self, points: Sequence[rest.PointStruct]) -> None:
        made = [translate.point_of(point) for point in points]
        if any(layout.is_blank(p.vector, self._layout.sparse_vectors or ()) for p in points):
            self._has_blank = True
            layout.mark_blank(self._folder / "shard")
            if self._rewrite is not None:
                self._rewrite.mark_blank()
        self._census.note(point.payload for point in points)
        replaced = edge.Filter(must=[edge.HasIdCondition({point.id for point in made})])
        if self._shard.count(edge.CountRequest(exact=True, filter=replaced)):
            self.leave_behind()  # the engine keeps the words of what it replaces
        self._update(edge.UpdateOperation.upsert_points(made))

    def delete(self, condition: rest.Filter) -> None:
        doomed = translate.filter_of(condition)
        if self._shard.count(edge.CountRequest(exact=True, filter=doomed)):
            self.leave_behind()
            self._update(edge.UpdateOperation.delete_points_by_filter(doomed))

    def set_payload(self, payload: rest.Payload, condition: rest.Filter | None) -> None:
        chosen = translate.filter_of(condition)
        if "tenant" in payload:
            self._census.note([payload])
        if access_keys.SOURCES.isdisjoint(payload):
            self._update(edge.UpdateOperation.set_payload_by_filter(chosen, payload))
        else:
            self._set_access(payload, chosen)

    def query(self, requests: Sequence[rest.QueryRequest]) -> list[list[edge.ScoredPoint]]:
        asked = [
            translate.query_of(
                request,
                self._by_key(request.filter),
                corpus=self._corpus(request.params),
                most=_MOST_HITS,
            )
            for request in requests
        ]
        return self._shard.query_batch(edge.QueryBatchRequest(asked))

    def count(self, condition: rest.Filter | None, *, exact: bool = True) -> int:
        chosen = translate.filter_of(self._by_key(condition))
        return self._shard.count(edge.CountRequest(exact=exact, filter=chosen))

    def facet(self, wanted: rest.FacetRequest) -> list[edge.FacetHit]:
        return self._shard.facet(
            edge.FacetRequest(
                key=wanted.key,
                limit=wanted.limit or 10,
                exact=True,
                filter=translate.filter_of(self._by_key(wanted.filter)),
            )
        ).hits

    def flush(self) -> None:
        """Write everything to the disk, synchronised."""
        self._shard.flush()
        self.unflushed_since = 0.0

    def erase_some(self, *, hurry: bool) -> bool:
        """Work at removing the bytes of deleted points from the disk; whether there is more."""
        if self._rewrite is None and time.monotonic() < self._rest_until and not hurry:
            return False
        try:
            if self._rewrite is None:
                config = translate.shard_config(self._layout)
                self._rewrite = Rewrite(self._folder, self._shard, config)
            if not self._rewrite.step(_STEP_S):
                return True
        except Exception:  # the engine's, as of a full disk: what is deleted stays unfindable
            log.exception("deleted text could not be erased; next try in %.0f s", _RETRY_S)
            self._give_up_erasing()
            return False
        finished, self._rewrite = self._rewrite, None
        self._shard = finished.swap()
        self._has_blank = layout.has_blank(self._folder / "shard")
        self._read_keys()
        self._rest_until = time.monotonic() + _REST * finished.seconds
        self.to_erase = finished.stale  # a deletion meanwhile was copied too, as a mark
        if not self.to_erase:
            self._to_erase.unlink(missing_ok=True)  # a shard of an older layout has none
        return self.to_erase

    def close(self) -> None:
        if self._rewrite is not None:
            self._rewrite.discard()
        self._shard.close()

    def leave_behind(self) -> None:
        """Note, before it happens, that something will be on the disk that isn't there any more."""
        self._to_erase.touch()
        self.to_erase = True
        if self._rewrite is not None:
            self._rewrite.stale = True

    def _set_access(self, payload: rest.Payload, chosen: edge.Filter) -> None:
        """Together with the keys that follow from it, in one update for all points alike."""
        alike: dict[tuple[int, ...], tuple[rest.Payload, set[edge.PointId]]] = {}
        page: edge.PointId | None = None
        while True:
            points, page = self._shard.scroll(
                edge.ScrollRequest(offset=page, limit=_MOST_HITS, filter=chosen, with_payload=True)
            )
            for point in points:
                keys = access_keys.with_keys({**(point.payload or {}), **payload})[
                    access_keys.FIELD
                ]
                changed = {**payload, access_keys.FIELD: keys}
                alike.setdefault(tuple(keys), (changed, set()))[1].add(point.id)
            if page is None:
                break
        level = access_keys.level_of(payload)
        if level is not None:
            self._census.levels.add(level)
        for changed, ids in alike.values():
            these = edge.Filter(must=[edge.HasIdCondition(ids)])
            self._update(edge.UpdateOperation.set_payload_by_filter(these, changed))

    def _by_key(self, given: rest.Filter | None) -> rest.Filter | None:
        """The filter in the form that the engine is fastest with."""
        if not self._has_keys:
            return given
        return access_keys.by_key(given, self._census.levels, self._estimate)

    def _estimate(self, condition: rest.FieldCondition) -> int:
        """About how many points pass; nothing is looked at for it but the index."""
        chosen = translate.filter_of(rest.Filter(must=[condition]))
        return self._shard.count(edge.CountRequest(exact=False, filter=chosen))

    def _corpus(self, given: rest.SearchParams | None) -> rest.Filter | None:
        """The points whose terms are counted; None: all, which the engine has counted already.

        It has also counted those that were deleted and aren't erased yet, and none without a term.
        """
        if given is None or not isinstance(given.idf, rest.IdfCorpusParams):
            return None
        corpus, is_counted = given.idf.corpus, not self.to_erase and not self._has_blank
        return None if is_counted and self._census.is_all_of(corpus) else corpus

    def _read_keys(self) -> None:
        """Find out about the shard's points; one from an older version has no keys yet."""
        self._has_keys = {access_keys.FIELD, "level", "tenant"} <= self._fields()
        if self._has_keys:
            self._census.read(self._shard)

    def _fields(self) -> set[str]:
        return set(self._shard.info().payload_schema)

    def _update(self, operation: edge.UpdateOperation) -> None:
        self._shard.update(operation)
        self.unflushed_since = self.unflushed_since or time.monotonic()
        if self._rewrite is not None:
            try:
                self._rewrite.update(operation)
            except Exception:  # the engine's; the shard itself has the update
                log.exception("an update could not be copied; erasing starts anew later")
                self._give_up_erasing()

    def _give_up_erasing(self) -> None:
        if self._rewrite is not None:
            self._rewrite.discard()
        self._rewrite = None
        self._rest_until = time.monotonic() + _RETRY_S
