"""The vectors in a backup: files of the embedded engine, or snapshots of a server's nodes.

The embedded engine copies its collections at the catalog's moment. A server takes its time, and
writers don't wait for it: its snapshots count where nothing that the store follows has changed
from before they were begun until the catalog's moment, else they are taken anew. Where nothing has
changed since the last backup either, that one's are named again.

In the tree a snapshot is the file `snapshots/NODE/COLLECTION`, NODE by its place in `store.url`.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from sovereign_rag.backup.repository import PieceReader, PieceWriter
from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.catalog.index_rows import IndexState
from sovereign_rag.catalog.transfer import CatalogMoment
from sovereign_rag.errors import BadInput, StoreError
from sovereign_rag.settings import Settings, StoreSettings
from sovereign_rag.store.connect import alias, open_collections
from sovereign_rag.store.snapshots import NodeSnapshots

Units = list[dict[str, Any]]
Nodes = Callable[[StoreSettings], NodeSnapshots]

_BELOW: Final = "snapshots/"
_EMBEDDED: Final = "vectors/"


@dataclass(frozen=True, slots=True)
class TakenSnapshots:
    """What a server gave, and when that is worth something."""

    facts: dict[str, Any]
    """For the manifest, which everybody can read: no name of a collection or a node."""

    units: Units

    @property
    def followed(self) -> str:
        """What the store followed, before."""
        return str(self.facts["followed"])

    @property
    def bytes(self) -> int:
        return sum(unit["files"][0][1] for unit in self.units)

    @property
    def pieces(self) -> set[str]:
        return {name for unit in self.units for name in unit["pieces"]}


def followed(moment: CatalogMoment, settings: StoreSettings) -> str:
    """A hash of what a server holds at a moment: of the catalog, and of the server's addresses."""
    told = "\n".join((moment.followed(), *settings.addresses))
    return hashlib.sha256(told.encode()).hexdigest()


def take(
    moment: CatalogMoment,
    settings: Settings,
    writer: PieceWriter,
    last: Mapping[str, Any] | None,
    nodes: Nodes = NodeSnapshots,
) -> TakenSnapshots:
    """Put snapshots of a server's collections into pieces; `last` is `facts` of the last backup.

    Raises:
        StoreError: The server does not answer or refuses, or its nodes are not all named.
    """
    names, now = list(moment.collections()), followed(moment, settings.store)
    if last is not None and last["followed"] == now:
        again = [_unit(node, names[at], size, pieces) for node, at, size, pieces in last["kept"]]
        if writer.again([name for unit in again for name in unit["pieces"]]):
            return TakenSnapshots(dict(last), again)
    server, before = nodes(settings.store), set(writer.pieces)
    try:
        there = _there(settings, moment.collections())
        for collection in there:
            server.require_whole(collection)
        with server.taken(there) as made:
            kept: list[Any] = [
                [one.node, names.index(one.collection), one.size, writer.put(server.blocks(one))]
                for one in made
            ]
    except BaseException:
        writer.take_back(set(writer.pieces) - before)
        raise
    finally:
        server.close()
    facts = {"followed": now, "nodes": len(settings.store.addresses), "kept": kept}
    return TakenSnapshots(facts, [_unit(n, names[at], size, put) for n, at, size, put in kept])


def _there(settings: Settings, known: Mapping[str, str]) -> list[str]:
    """Those that were made; the live one is asked for in any case."""
    collections = open_collections(settings)
    try:
        live = IndexState.LIVE.value
        return [name for name in known if known[name] == live or collections.exists(name)]
    finally:
        collections.close()


def _unit(node: int, collection: str, size: int, pieces: Sequence[str]) -> dict[str, Any]:
    return {"files": [[f"{_BELOW}{node}/{collection}", size, 0o600]], "pieces": list(pieces)}


@dataclass(frozen=True, slots=True)
class RestorePlan:
    """What of a backup's vectors can be put back."""

    files: Units  # everything but vectors that are of no use here
    snapshots: Units
    without: str | None  # why none are put back; None: they are


def plan(
    settings: Settings, manifest: Mapping[str, Any], tree: Units, *, wanted: bool
) -> RestorePlan:
    """Look at what the backup holds, and at what the settings name, before anything is written.

    Raises:
        BadInput: A server holds collections of these names.
        StoreError: It does not answer.
    """
    snapshots = [unit for unit in tree if _is_below(unit, _BELOW)]
    others = [unit for unit in tree if not _is_below(unit, _BELOW)]
    without = _why_without(settings.store, manifest, wanted=wanted)
    if without is not None or settings.store.url is not None:
        others = [unit for unit in others if not _is_below(unit, _EMBEDDED)]
    if without is not None:
        return RestorePlan(others, [], without)
    _require_free(settings, {_parts(unit)[1] for unit in snapshots})
    return RestorePlan(others, snapshots, None)


def _why_without(store: StoreSettings, manifest: Mapping[str, Any], *, wanted: bool) -> str | None:
    held = manifest.get("snapshots")
    if not wanted:
        return "That was asked for."
    if not manifest["vectors"]:
        return "The backup holds none."
    if held is None:
        is_embedded = store.url is None
        return None if is_embedded else "The backup holds those of the embedded engine."
    if store.url is None:
        return "The backup holds snapshots of a Qdrant server, and store.url names none."
    if held["nodes"] != len(store.addresses):
        return (
            f"The backup holds snapshots of {held['nodes']} Qdrant nodes, and store.url names "
            f"{len(store.addresses)}."
        )
    return None


def _require_free(settings: Settings, names: set[str]) -> None:
    if not names:
        return
    collections = open_collections(settings)
    try:
        taken = sorted(name for name in names if collections.exists(name))
    finally:
        collections.close()
    if taken:
        raise BadInput(
            f"The Qdrant server holds {', '.join(taken)} already, which the restore would "
            "overwrite. Delete it there if nothing else uses it, or restore with "
            "--without-vectors."
        )


def put_back(
    settings: Settings, units: Units, reader: PieceReader, nodes: Nodes = NodeSnapshots
) -> str | None:
    """Give each node its snapshots; the catalog is restored already.

    Returns:
        Why the server holds none of them, what it had taken being removed again; None: it has all.
    """
    if not units:
        return None
    server, catalog = nodes(settings.store), Catalog.open(settings)
    collections = open_collections(settings)
    names = {_parts(unit)[1] for unit in units}
    try:
        for unit in units:
            node, name = _parts(unit)
            with TemporaryDirectory(dir=settings.data_dir, prefix=".snapshot-") as folder:
                file = Path(folder) / "snapshot"
                sha256 = _unpacked(reader.blocks(unit["pieces"]), file)
                server.give_back(node, name, file, sha256=sha256)
        for record in catalog.indexes.all():
            if record.collection in names:
                server.wait_whole(record.collection)
                _require_points(server, catalog, record.id, record.collection)
        for record in catalog.indexes.all():
            was_built = record.switched != record.created  # and so is called by the alias
            if record.state is IndexState.LIVE and was_built:
                collections.call(record.collection, alias(settings))
    except (StoreError, OSError) as error:
        for name in names:
            with suppress(StoreError):
                collections.drop(name)
        return str(error)
    finally:
        collections.close()
        catalog.close()
        server.close()
    return None


def _require_points(server: NodeSnapshots, catalog: Catalog, index: int, name: str) -> None:
    there, wanted = server.count(name), catalog.indexes.coverage(index).written
    if there < wanted:
        raise StoreError(
            f"Of {name!r} the Qdrant server holds {there:,} points after the restore, and "
            f"{wanted:,} belong there."
        )


def _unpacked(blocks: Iterator[bytes], file: Path) -> str:
    digest = hashlib.sha256()
    with file.open("wb") as out:
        for block in blocks:
            digest.update(block)
            out.write(block)
    return digest.hexdigest()


def _is_below(unit: Mapping[str, Any], below: str) -> bool:
    return str(unit["folder"] if "folder" in unit else unit["files"][0][0]).startswith(below)


def _parts(unit: Mapping[str, Any]) -> tuple[int, str]:
    _, node, name = str(unit["files"][0][0]).split("/", 2)
    return int(node), name
