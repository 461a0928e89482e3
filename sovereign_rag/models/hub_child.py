"""The process that goes out: `python -m sovereign_rag.models.hub_child`, for `models fetch` alone.

It gets one order as JSON on stdin and writes JSON lines on stdout: progress, then a last word.
The switches that keep libraries offline are lifted here and nowhere else; the process that
started this one stays offline. Nothing personal is sent: no token but one that was given for it,
and telemetry stays switched off.
"""

import hashlib
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, cast

from sovereign_rag.system import offline
from sovereign_rag.version import VERSION

_BLOCK: Final = 8 << 20
_STEP: Final = 1 << 20  # bytes between two reports


def main() -> None:
    order: Mapping[str, Any] = json.loads(sys.stdin.readline())
    offline.lift_for_the_hub()
    try:
        last = _fetch(order)
    except Exception as error:  # whatever the library raises ends as a word to the parent
        last = {"failed": " ".join(f"{type(error).__name__}: {error}".split()).rstrip(".")}
    _say(last)


def _fetch(order: Mapping[str, Any]) -> dict[str, Any]:
    import logging

    import huggingface_hub
    from huggingface_hub.file_download import http_get

    logging.getLogger("huggingface_hub").setLevel(logging.ERROR)
    url = huggingface_hub.hf_hub_url(
        order["repository"], order["file"], revision=order["revision"], endpoint=order["mirror"]
    )
    token: str | None = order["token"]
    metadata = huggingface_hub.get_hf_file_metadata(
        url, token=token or False, library_name="sovereign-rag", library_version=VERSION
    )
    if metadata.size is not None and metadata.size != order["size"]:
        return {"mismatch": f"it offers {metadata.size:,} bytes, not {order['size']:,}"}
    if _is_sha256(metadata.etag) and metadata.etag != order["sha256"]:
        return {"mismatch": f"it offers a file with the hash {metadata.etag}"}

    headers = {"user-agent": f"sovereign-rag/{VERSION}"}
    if token:
        headers["authorization"] = f"Bearer {token}"
    part = Path(order["part"])
    done = part.stat().st_size if part.exists() else 0
    if done > order["size"]:
        part.unlink()
        done = 0
    _say({"begin": done})
    with part.open("ab") as file:
        http_get(
            url,
            file,
            resume_size=done,
            headers=headers,
            expected_size=order["size"],
            displayed_filename=order["file"],
            tqdm_class=cast(Any, _Reporter),
        )
    found = _hash(part)
    if found != order["sha256"]:
        part.unlink()
        return {"mismatch": f"what came has the hash {found}"}
    return {"done": found}


class _Reporter:
    """Stands where the library expects a progress bar, and passes on how far it is."""

    def __init__(self, *_: object, initial: int = 0, **__: object) -> None:
        self._done = self._told = initial

    def update(self, amount: int = 1) -> None:
        self._done += amount
        if abs(self._done - self._told) >= _STEP:
            self._told = self._done
            _say({"progress": self._done})

    def __enter__(self) -> "_Reporter":
        return self

    def __exit__(self, *_: object) -> None:
        _say({"progress": self._done})


def _is_sha256(etag: str | None) -> bool:
    return etag is not None and len(etag) == 64 and set(etag) <= set("0123456789abcdef")


def _hash(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _say(word: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(word) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
