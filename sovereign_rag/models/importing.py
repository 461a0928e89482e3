"""A model file comes in: looked at, copied, hashed, tried with one prompt, put on the list.

Nothing counts before the end: the copy has a hidden name until every check has passed.
"""

import errno
import hashlib
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, Literal, Protocol

from filelock import FileLock, Timeout

from sovereign_rag.errors import BadInput, ModelError
from sovereign_rag.models import catalogue
from sovereign_rag.models.gguf_header import GgufHeader, read_header
from sovereign_rag.models.registry import ImportedModel, Registry, valid_name

_BLOCK: Final = 8 << 20
_SPARE: Final = 256 << 20  # bytes of disk that stay free
_LOCK_WAIT_S: Final = 1.0
_TRIAL_TOKENS: Final = 16

Progress = Callable[[int, int], None]
"""Called with the bytes done and the bytes in all."""


class TryOut(Protocol):
    """Loads a model in a process of its own and has it say something."""

    def __call__(self, header: GgufHeader, *, sha256: str, max_tokens: int) -> str:
        """What it said.

        Raises:
            ModelError, GenerationError: It can't be loaded, or it died.
        """
        ...


def import_model(
    file: Path,
    registry: Registry,
    *,
    try_out: TryOut,
    name: str | None = None,
    sha256: str | None = None,
    source: str | None = None,
    signed: frozenset[str] | None = None,
    languages: tuple[str, ...] = (),
    limits: str = "",
    move: bool = False,
    progress: Progress = lambda done, total: None,
) -> ImportedModel:
    """Bring the GGUF file at `file` into the models folder and put it on the list.

    Args:
        name: What settings call it; unset: the catalogue's name for this hash, else made of the
            file's name.
        sha256: What its hash has to be; unset: what the catalogue says of `name`, and where it
            says nothing the hash that is found is recorded as the admin's own.
        source: Where it came from, for the list; unset: the file's path.
        signed: The hashes that its publisher signed for, see `signature`; unset: nobody is asked.
        languages: That it was made for, for its passport; unset: as the catalogue says.
        limits: What it is not good for, likewise.
        move: Take the file itself rather than copy it.

    Raises:
        BadInput: `name` can't be one.
        ModelMissing: There is no such file.
        ModelError: It is broken, of the wrong kind or hash, does not load, or the disk is full;
            nothing is left behind.
        GenerationError: The process that tried it died.
    """
    header = read_header(file)  # refuses what is broken before gigabytes are copied
    if name is not None and not valid_name(name):
        raise BadInput(
            f"{name!r} can't be a model's name: small letters, digits, dots, dashes and "
            "underscores, beginning with a letter or digit."
        )
    with _in_our_words(registry.folder, header.size), _alone(registry.folder):
        if not move:
            _require_space(registry.folder, header.size)
        part = registry.folder / f".import-{os.getpid()}.gguf"
        try:
            found = _take(file, part, header.size, move=move, progress=progress)
            _require_signed(file, found, signed)
            known = catalogue.by_hash(found)
            name = name or (known.name if known else _name_of(file))
            expected, hash_from = _expected(name, sha256, found)
            if found != expected:
                raise ModelError(
                    f"{file} has the hash {found}, but it should be {expected}: another file or "
                    "a damaged one. Copy it again from where it came from; a model of your own "
                    "gets a name of its own with --name."
                )
            _refuse_another(registry, name, found)
            try_out(read_header(part), sha256=found, max_tokens=_TRIAL_TOKENS)
            model = ImportedModel(
                name=name,
                file=f"{name}.gguf",
                sha256=found,
                size=header.size,
                hash_from=hash_from,
                architecture=header.architecture,
                tokenizer=header.tokenizer,
                parameters=header.parameters,
                context_tokens=header.context_length,
                licence=header.licence or (known.licence if known else None),
                source=source or f"file {file.resolve()}",
                imported=datetime.now(UTC).isoformat(timespec="seconds"),
                languages=languages,
                limits=limits,
            )
            part.replace(registry.path(model))
            registry.add(model)
        except BaseException:  # Ctrl-C among them
            if move and part.exists():
                part.replace(file)  # a download of hours stays for another try
            part.unlink(missing_ok=True)
            raise
    return model


def require_space(folder: Path, size: int) -> None:
    """Refuse to begin what the disk can't hold.

    Raises:
        ModelError: Fewer than `size` bytes and a reserve are free.
    """
    with _in_our_words(folder, size):
        folder.mkdir(parents=True, exist_ok=True)
        _require_space(folder, size)


def _require_space(folder: Path, size: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < size + _SPARE:
        raise ModelError(
            f"{folder} has {free / 1e9:.1f} GB free, and {(size + _SPARE) / 1e9:.1f} GB are "
            "needed. Make room, or set models_dir to a folder on another disk."
        )


def _take(file: Path, part: Path, size: int, *, move: bool, progress: Progress) -> str:
    """Copy or move `file` to `part`; its hash."""
    if move:
        file.replace(part)
        with part.open("rb") as source:
            return _hash(source.read, size, progress)
    with file.open("rb") as source, part.open("wb") as target:

        def read(length: int) -> bytes:
            block = source.read(length)
            target.write(block)
            return block

        found = _hash(read, size, progress)
        target.flush()
        os.fsync(target.fileno())
    return found


def _hash(read: Callable[[int], bytes], size: int, progress: Progress) -> str:
    digest, done = hashlib.sha256(), 0
    while block := read(_BLOCK):
        digest.update(block)
        done += len(block)
        progress(done, size)
    return digest.hexdigest()


def _expected(name: str, said: str | None, found: str) -> tuple[str, Literal["catalogue", "admin"]]:
    """What the hash has to be, and who says so."""
    known = catalogue.by_name(name)
    if known is not None:
        return said or known.sha256, "catalogue"
    return said or found, "admin"


def _require_signed(file: Path, found: str, signed: frozenset[str] | None) -> None:
    if signed is not None and found not in signed:
        raise ModelError(
            f"{file} has the hash {found}, which is not in the manifest that its publisher signed: "
            "another file or a changed one. Fetch it again from where it came from."
        )


def _refuse_another(registry: Registry, name: str, sha256: str) -> None:
    """A name that settings may use does not come to mean another file unnoticed."""
    present = registry.get(name)
    if present is not None and present.sha256 != sha256:
        raise ModelError(
            f"A model {name!r} with another hash was imported already. Choose another name with "
            f"--name, or remove it first: `sovereign-rag models remove {name}`."
        )


def _name_of(file: Path) -> str:
    """A name made of the file's."""
    name = re.sub(r"[^a-z0-9._-]+", "-", file.stem.lower()).strip("-._")[:100]
    return name or "model"


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / ".import.lock", timeout=_LOCK_WAIT_S)
    try:
        lock.acquire()
    except Timeout as error:
        raise ModelError(
            f"Another import into {folder} is under way. Wait for its end and try again."
        ) from error
    try:
        for left in folder.glob(".import-*.gguf"):  # by an import that was killed
            left.unlink(missing_ok=True)
        yield
    finally:
        lock.release()


@contextmanager
def _in_our_words(folder: Path, size: int) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise ModelError(
                f"The disk of {folder} is full; the model takes {size / 1e9:.1f} GB. Make room, "
                "or set models_dir to a folder on another disk."
            ) from error
        raise ModelError(
            f"The model can't be brought into {folder}: {error}. Check that this user may read "
            "the file and write the folder (setting models_dir)."
        ) from error
