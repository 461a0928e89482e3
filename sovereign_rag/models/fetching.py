"""`models fetch`: a file of the catalogue comes from the hub or a mirror, by a process of its own.

The download can be taken up again, and only a file with the catalogue's hash is handed on.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from filelock import FileLock, Timeout

from sovereign_rag.errors import BadInput, ModelError
from sovereign_rag.models.catalogue import CatalogueModel
from sovereign_rag.models.importing import Progress, require_space

_FOLDER: Final = ".fetch"
_PACKAGE_ROOT: Final = Path(__file__).parents[2]
_LOCK_WAIT_S: Final = 1.0
_CLOSING_S: Final = 5.0


@dataclass(frozen=True, slots=True)
class ByHand:
    """What somebody with a way out needs to bring a model to a machine without one."""

    url: str
    file: str
    size: int  # bytes
    sha256: str
    commands: tuple[str, ...]


def by_hand(model: CatalogueModel, *, mirror: str | None = None) -> ByHand:
    """How to carry `model` by hand; nothing is contacted.

    Raises:
        BadInput: `mirror` is no address.
    """
    url = address(model, mirror=mirror)
    return ByHand(
        url=url,
        file=model.file,
        size=model.size,
        sha256=model.sha256,
        commands=(
            f"curl -L -C - -o {model.file} {url}",
            f"echo '{model.sha256}  {model.file}' | sha256sum -c",
            f"sovereign-rag models import /path/to/{model.file}",
        ),
    )


def address(model: CatalogueModel, *, mirror: str | None) -> str:
    """Where the file is asked for.

    Raises:
        BadInput: `mirror` is no address.
    """
    from huggingface_hub import hf_hub_url

    if mirror is not None and not mirror.startswith(("https://", "http://")):
        raise BadInput(f"{mirror!r} is no address of a mirror, e.g. https://hub.example.org.")
    # The mirror stands for the hub: the rest of the address is the same.
    return hf_hub_url(model.repository, model.file, revision=model.revision, endpoint=mirror)


def fetch(
    model: CatalogueModel,
    models_dir: Path,
    *,
    mirror: str | None = None,
    token: str | None = None,
    progress: Progress = lambda done, total: None,
) -> Path:
    """Download the file of `model`; what an earlier try left is taken up.

    Args:
        mirror: Address that stands for the hub's; unset: the hub.
        token: Sent to it for permission; unset: none, whatever this user's files hold.

    Returns:
        The file, whole and with the catalogue's hash, in a hidden folder of `models_dir`.

    Raises:
        BadInput: `mirror` is no address.
        ModelError: It can't be reached, offers another file, or the disk is too full. What came
            so far is kept, unless its hash is wrong.
    """
    url = address(model, mirror=mirror)
    folder = models_dir / _FOLDER
    part = folder / f"{model.sha256}.part"
    present = part.stat().st_size if part.exists() else 0
    require_space(folder, max(0, model.size - present))
    order = {
        "repository": model.repository,
        "file": model.file,
        "revision": model.revision,
        "size": model.size,
        "sha256": model.sha256,
        "mirror": mirror,
        "token": token,
        "part": str(part.absolute()),
    }
    with _alone(folder, model):
        last = _run(order, model.size, progress)
    if "done" in last:
        return part
    if "mismatch" in last:
        raise ModelError(
            f"{url} is not the file of the catalogue: {last['mismatch']}; expected is "
            f"{model.sha256}. Nothing of it was kept. Ask whoever runs the mirror, or bring the "
            "file another way and `sovereign-rag models import` it."
        )
    raise ModelError(
        f"{url} can't be fetched: {last.get('failed', 'the process that fetches it died')}. "
        "Run the same command again to go on where it stopped; for a machine without a way out "
        f"`sovereign-rag models fetch {model.name} --print` says what to carry by hand."
    )


def _run(order: Mapping[str, Any], size: int, progress: Progress) -> Mapping[str, Any]:
    # It inherits the environment: a proxy and certificates are the admin's to say, for this only.
    process = subprocess.Popen(
        [sys.executable, "-m", "sovereign_rag.models.hub_child"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        encoding="utf-8",
        cwd=_PACKAGE_ROOT,  # where `-m` finds this very product, not what lies in the folder
    )
    last: Mapping[str, Any] = {}
    try:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(order) + "\n")
        process.stdin.close()
        for line in process.stdout:
            last = json.loads(line)
            if (done := last.get("begin", last.get("progress"))) is not None:
                progress(done, size)
    finally:
        process.terminate()
        try:
            process.wait(_CLOSING_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()
    return last


@contextmanager
def _alone(folder: Path, model: CatalogueModel) -> Iterator[None]:
    lock = FileLock(folder / f"{model.sha256}.lock", timeout=_LOCK_WAIT_S)
    try:
        lock.acquire()
    except Timeout as error:
        raise ModelError(
            f"{model.name} is being fetched already. Wait for its end, or end that process."
        ) from error
    try:
        yield
    finally:
        lock.release()
