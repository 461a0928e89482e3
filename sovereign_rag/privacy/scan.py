"""The raw files of a data folder, searched for what must not be in them any more."""

import json
import mmap
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Scan:
    """What a search of raw bytes looked at, and where it found something."""

    files: int
    bytes: int
    needles: int
    found: tuple[str, ...]  # paths below the data folder

    @property
    def is_clean(self) -> bool:
        return not self.found


def scan(
    data_dir: Path,
    needles: Collection[str],
    *,
    leave_out: Path,
    is_of_another: Callable[[str], bool],
) -> Scan:
    """Look into every file as it lies on the disk: tables, free pages, logs, segments.

    Args:
        needles: As UTF-8, and as JSON escapes it.
        leave_out: A folder that holds nothing of documents, such as that of the models.
        is_of_another: Whether words are those of a document that stays, which may be found.
    """
    looked_for = {needle: _forms(needle) for needle in needles}
    files = size = 0
    found: list[str] = []
    others: set[str] = set()
    for path in _files(data_dir, leave_out):
        files, size = files + 1, size + path.stat().st_size
        for needle in _in_file(path, looked_for):
            if needle in others or is_of_another(needle):
                others.add(needle)
            else:
                found.append(str(path.relative_to(data_dir)))
                break
    return Scan(files, size, len(looked_for), tuple(found))


def finder(needles: Collection[str]) -> Callable[[bytes], bool]:
    """Whether bytes hold one of the needles, as UTF-8 or as JSON escapes it."""
    forms = [form for needle in needles for form in _forms(needle).items()]

    def finds(block: bytes) -> bool:
        return any(form in block and pattern.search(block) for form, pattern in forms)

    return finds


def _files(data_dir: Path, leave_out: Path) -> Iterator[Path]:
    """All but the contents of documents, which lie by their own hashes and go as a whole."""
    for path in sorted(data_dir.rglob("*")):
        parts = path.relative_to(data_dir).parts
        is_of_content = parts[0] == "content" and len(parts) > 1 and parts[1] != "incoming"
        if is_of_content or path.is_relative_to(leave_out) or path.is_symlink():
            continue
        if path.is_file():
            yield path


def _forms(needle: str) -> dict[bytes, re.Pattern[bytes]]:
    """What is looked for first, and what has to match then.

    A label is no part of a longer one: user:ana is not user:anabel.
    """
    plain = needle.encode("utf-8", "backslashreplace")
    end = rb"(?![\w@.-])" if needle.startswith("user:") else b""
    forms = {plain, json.dumps(needle)[1:-1].encode("ascii")}
    return {form: re.compile(re.escape(form) + end) for form in forms}


def _in_file(
    path: Path, looked_for: Mapping[str, Mapping[bytes, re.Pattern[bytes]]]
) -> Iterator[str]:
    if path.stat().st_size == 0:
        return
    with (
        path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
    ):
        for needle, forms in looked_for.items():
            for form, pattern in forms.items():
                at = content.find(form)
                if at >= 0 and pattern.search(content, at):
                    yield needle
                    break
