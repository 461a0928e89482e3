"""A backup made while everything goes on: catalog, vectors, contents and record of one moment.

    catalog and vectors   at one moment, in which no writer writes (catalog/transfer.py); a server's
                          snapshots where nothing changed while they were taken (vectors.py)
    contents              those that the catalog of that moment names, afterwards
    the record            last: it tells what was deleted since, and a restore does that again

A content that is replaced before it was copied has the round done again, which reads much and
writes little, since pieces that are there are not written again.
"""

import shutil
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from sovereign_rag.backup.contents import contents_of
from sovereign_rag.backup.envelope import Recipient
from sovereign_rag.backup.repository import PieceWriter, Repository
from sovereign_rag.backup.units import file_unit
from sovereign_rag.backup.vectors import TakenSnapshots, followed, take
from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.catalog.transfer import CatalogMoment
from sovereign_rag.errors import BadInput, EnvironmentFault, SovereignError, StoreError
from sovereign_rag.settings import Settings
from sovereign_rag.storage.audit import AuditLog
from sovereign_rag.storage.sealing_keys import KEY_NAME
from sovereign_rag.storage.sealing_keys import OTHERS as SEALED_BY_OTHERS
from sovereign_rag.store.embedded.client import EngineTransport
from sovereign_rag.version import VERSION

CATALOG: Final = "catalog.jsonl"
"""The unit that is not a file of the data folder: see catalog/transfer.py."""

_ROUNDS: Final = 5
_WITH_SNAPSHOTS: Final = 3
"""Rounds in which a server is asked for them; afterwards the backup does without."""

_BUSY: Final = "Documents changed all the time while the server made them."
_SETTINGS: Final = ("sovereign-rag.toml", "settings-in-force.json", KEY_NAME)


@dataclass(frozen=True, slots=True)
class BackupReport:
    """What a backup holds, and what it took."""

    name: str
    documents: int
    contents: int
    records: int  # of the audit record
    vectors: bool  # else they are made again from the contents
    pieces: int
    new_bytes: int
    all_bytes: int
    encrypted: bool
    signed: bool
    snapshots: int = 0  # of a server's nodes
    snapshot_bytes: int = 0  # of those, as the server made them
    without_vectors: str | None = None  # why there are none


@dataclass(frozen=True, slots=True)
class Origin:
    """What is backed up."""

    settings: Settings
    catalog: Catalog
    audit: AuditLog


def create(
    origin: Origin,
    repository: Repository,
    *,
    key: Ed25519PrivateKey | None,
    recipient: Recipient | None,
    with_vectors: bool = True,
) -> BackupReport:
    """Make a backup.

    A server that can't give its vectors is no obstacle: the report says why they are missing.

    Args:
        key: Signs its manifest; None: nobody will be able to tell whether it was changed.
        recipient: Whom it is closed for; None: whoever has it can read it.
        with_vectors: Else an index is made from the contents after a restore.

    Raises:
        BadInput: The repository lies in the data folder, or a recipient without a key.
        EnvironmentFault: The disk is full, documents change faster than they are copied, or the
            object storage that holds their contents is away.
    """
    if repository.folder.resolve().is_relative_to(origin.settings.data_dir.resolve()):
        raise BadInput("A backup in the data folder is lost with it: name a folder elsewhere.")
    with repository.writing():
        for number in range(_ROUNDS):
            last = _last_manifest(repository, key)
            writer = PieceWriter(repository, last["pieces"], recipient=recipient, key=key)
            vectors = _Vectors(origin.settings, writer, last.get("snapshots"))
            if not with_vectors:
                vectors.leave_out("That was asked for.")
            elif number >= _WITH_SNAPSHOTS and vectors.is_server:
                vectors.leave_out(_BUSY)
            try:
                made = _round(origin, writer, vectors)
            except FileNotFoundError:  # of the record, whose old months were just removed
                continue
            if made is not None:
                return _seal(repository, writer, made, key, recipient)
    raise EnvironmentFault(
        "Documents were replaced faster than they could be copied. Try again at a quieter time."
    )


@dataclass(frozen=True, slots=True)
class _Made:
    tree: list[dict[str, Any]]
    facts: dict[str, Any]
    vectors: "_Vectors"


class _Vectors:
    """Those of one round."""

    def __init__(
        self, settings: Settings, writer: PieceWriter, last: Mapping[str, Any] | None
    ) -> None:
        self._settings, self._writer, self._last = settings, writer, last
        self.is_server = settings.store.url is not None
        self.taken: TakenSnapshots | None = None
        self.without: str | None = None
        if not self.is_server and not _has_embedded(settings):
            self.without = "There are none yet."

    @property
    def are_embedded(self) -> bool:
        return not self.is_server and self.without is None

    def leave_out(self, why: str) -> None:
        self.without = why

    def take_before(self, catalog: Catalog) -> None:
        """Have a server make its snapshots; where it can't, the backup goes on without."""
        if not self.is_server or self.without is not None:
            return
        try:
            with catalog.transfer.moment(lambda: None) as moment:
                self.taken = take(moment, self._settings, self._writer, self._last)
        except StoreError as error:
            self.without = str(error)

    def fit(self, moment: CatalogMoment) -> bool:
        """Whether they are of this moment; else they leave the backup again."""
        if self.taken is None or self.taken.followed == followed(moment, self._settings.store):
            return True
        self._writer.take_back(self.taken.pieces)
        return False


def _round(origin: Origin, writer: PieceWriter, vectors: _Vectors) -> _Made | None:
    """Everything put into pieces; None: a content, or a vector, was replaced meanwhile."""
    data_dir = origin.settings.data_dir
    before = origin.audit.extent()[1]
    copy = data_dir / "vectors" / f"copy-{uuid.uuid4().hex}"
    vectors.take_before(origin.catalog)
    try:
        with origin.catalog.transfer.moment(
            lambda: _copy_vectors(data_dir, copy) if vectors.are_embedded else None
        ) as moment:
            if not vectors.fit(moment):
                return None
            tree = [{"files": [[CATALOG, 0, 0o600]], "pieces": writer.put(moment.lines())}]
            contents, documents = sorted(moment.contents()), moment.documents()
            revision = moment.revision
        if vectors.are_embedded:
            tree += _files(writer, copy, "vectors/collections")
    finally:
        shutil.rmtree(copy, ignore_errors=True)
    tree += vectors.taken.units if vectors.taken else []
    stored = contents_of(origin.settings)
    for hash_ in contents:
        unit = stored.unit(writer, hash_)
        if unit is None and not origin.catalog.documents.content_in_use(hash_):
            return None
        tree += [unit] if unit else []
    tree += stored.keys(writer)
    others = sorted(path.name for path in data_dir.glob(SEALED_BY_OTHERS))
    for name in (*_SETTINGS, *others):
        if (data_dir / name).is_file():
            tree.append(file_unit(writer, data_dir / name, name, None))
    for path in sorted((data_dir / "erasures").glob("*.json")):
        tree.append(file_unit(writer, path, f"erasures/{path.name}", None))
    files, head = origin.audit.extent()
    tree += [file_unit(writer, file, f"audit/{file.name}", size) for file, size in files]
    facts = {
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "version": VERSION,
        "revision": revision,
        "documents": documents,
        "contents": len(contents),
        "vectors": vectors.without is None,
        "snapshots": vectors.taken.facts if vectors.taken else None,
        "record": {"from": before.number, "number": head.number, "hash": head.hash},
    }
    return _Made(tree, facts, vectors)


def _seal(
    repository: Repository,
    writer: PieceWriter,
    made: _Made,
    key: Ed25519PrivateKey | None,
    recipient: Recipient | None,
) -> BackupReport:
    tree = writer.put([orjson.dumps(made.tree)])
    pieces = {name: [stored.sha256, stored.size] for name, stored in writer.pieces.items()}
    sealed_for = None if recipient is None else recipient.fingerprint
    name, taken = _new_name(repository), made.vectors.taken
    repository.write_manifest(
        name, {**made.facts, "sealed_for": sealed_for, "tree": tree, "pieces": pieces}, key
    )
    return BackupReport(
        name=name,
        documents=made.facts["documents"],
        contents=made.facts["contents"],
        records=made.facts["record"]["number"],
        vectors=made.facts["vectors"],
        pieces=len(pieces),
        new_bytes=writer.new_bytes,
        all_bytes=sum(stored.size for stored in writer.pieces.values()),
        encrypted=recipient is not None,
        signed=key is not None,
        snapshots=len(taken.units) if taken else 0,
        snapshot_bytes=taken.bytes if taken else 0,
        without_vectors=made.vectors.without,
    )


def plain(report: BackupReport) -> dict[str, Any]:
    return asdict(report)


def _new_name(repository: Repository) -> str:
    name = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    taken = repository.names()
    return name if name not in taken else f"{name}-{len(taken):04d}"


def _last_manifest(repository: Repository, key: Ed25519PrivateKey | None) -> Mapping[str, Any]:
    """What the newest backup tells of itself, where this key made it."""
    public = None if key is None else key.public_key()
    try:
        return repository.manifest(None, public)
    except SovereignError:  # there is none, or somebody else made it: everything is written anew
        return {"pieces": {}}


def _has_embedded(settings: Settings) -> bool:
    folder = settings.data_dir / "vectors" / "collections"
    return folder.is_dir() and next(folder.iterdir(), None) is not None


def _copy_vectors(data_dir: Path, copy: Path) -> None:
    engine = EngineTransport(data_dir)
    try:
        engine.copy(copy)
    finally:
        engine.close()


def _files(writer: PieceWriter, folder: Path, below: str) -> Iterator[dict[str, Any]]:
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield file_unit(writer, path, f"{below}/{path.relative_to(folder)}", None)
        elif path.is_dir() and not list(path.iterdir()):
            yield {"folder": f"{below}/{path.relative_to(folder)}"}
