"""A backup made while everything goes on: catalog, vectors, contents and record of one moment.

    catalog and vectors   at one moment, in which no writer writes (catalog/transfer.py)
    contents              those that the catalog of that moment names, afterwards
    the record            last: it tells what was deleted since, and a restore does that again

A content that is replaced before it was copied has the round done again, which reads much and
writes little, since pieces that are there are not written again.
"""

import shutil
import uuid
from collections.abc import Iterator
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
from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.errors import BadInput, EnvironmentFault, SovereignError
from sovereign_rag.settings import Settings
from sovereign_rag.storage.audit import AuditLog
from sovereign_rag.storage.sealing_keys import KEY_NAME
from sovereign_rag.storage.sealing_keys import OTHERS as SEALED_BY_OTHERS
from sovereign_rag.store.embedded.client import EngineTransport
from sovereign_rag.version import VERSION

CATALOG: Final = "catalog.jsonl"
"""The unit that is not a file of the data folder: see catalog/transfer.py."""

_ROUNDS: Final = 5
_SETTINGS: Final = ("sovereign-rag.toml", "settings-in-force.json", KEY_NAME)


@dataclass(frozen=True, slots=True)
class BackupReport:
    """What a backup holds, and what it took."""

    name: str
    documents: int
    contents: int
    records: int  # of the audit record
    vectors: bool  # of the embedded engine; those of a server are made again from the contents
    pieces: int
    new_bytes: int
    all_bytes: int
    encrypted: bool
    signed: bool


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
) -> BackupReport:
    """Make a backup.

    Args:
        key: Signs its manifest; None: nobody will be able to tell whether it was changed.
        recipient: Whom it is closed for; None: whoever has it can read it.

    Raises:
        BadInput: The repository lies in the data folder, or a recipient without a key.
        EnvironmentFault: The disk is full, documents change faster than they are copied, or the
            object storage that holds their contents is away.
    """
    if repository.folder.resolve().is_relative_to(origin.settings.data_dir.resolve()):
        raise BadInput("A backup in the data folder is lost with it: name a folder elsewhere.")
    with repository.writing():
        for _ in range(_ROUNDS):
            known = _known_pieces(repository, key)
            writer = PieceWriter(repository, known, recipient=recipient, key=key)
            try:
                made = _round(origin, writer)
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


def _round(origin: Origin, writer: PieceWriter) -> _Made | None:
    """Everything put into pieces; None: a content was replaced meanwhile."""
    data_dir = origin.settings.data_dir
    before = origin.audit.extent()[1]
    copy = data_dir / "vectors" / f"copy-{uuid.uuid4().hex}"
    is_embedded = _is_embedded(origin.settings)
    try:
        with origin.catalog.transfer.moment(
            lambda: _copy_vectors(data_dir, copy) if is_embedded else None
        ) as moment:
            tree = [{"files": [[CATALOG, 0, 0o600]], "pieces": writer.put(moment.lines())}]
            contents, documents = sorted(moment.contents()), moment.documents()
            revision = moment.revision
        if is_embedded:
            tree += _files(writer, copy, "vectors/collections")
    finally:
        shutil.rmtree(copy, ignore_errors=True)
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
        "vectors": is_embedded,
        "record": {"from": before.number, "number": head.number, "hash": head.hash},
    }
    return _Made(tree, facts)


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
    name = _new_name(repository)
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
    )


def plain(report: BackupReport) -> dict[str, Any]:
    return asdict(report)


def _new_name(repository: Repository) -> str:
    name = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
    taken = repository.names()
    return name if name not in taken else f"{name}-{len(taken):04d}"


def _known_pieces(repository: Repository, key: Ed25519PrivateKey | None) -> dict[str, list[Any]]:
    """What the newest backup tells of its pieces, where this key made it."""
    public = None if key is None else key.public_key()
    try:
        return dict(repository.manifest(None, public)["pieces"])
    except SovereignError:  # there is none, or somebody else made it: everything is written anew
        return {}


def _is_embedded(settings: Settings) -> bool:
    folder = settings.data_dir / "vectors" / "collections"
    return (
        settings.store.url is None and folder.is_dir() and next(folder.iterdir(), None) is not None
    )


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
