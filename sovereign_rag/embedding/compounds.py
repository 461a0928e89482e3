"""German compounds -> their parts: Kündigungsfrist is found by who asks for the Frist.

CharSplit's method and figures (Tuggener, "Incremental Coreference Resolution for German", Zürich
2016; MIT, in the package split-words): how often a letter sequence ends a word, begins one, and
stands inside one. Where the left part often ends words, the right part often begins them, and
the right part's beginning rarely stands inside of words, is a joint. No dictionary: new
compounds are split as well as known ones.
"""

import json
import os
import tempfile
import threading
import zipfile
from collections.abc import Iterator
from functools import cached_property, lru_cache
from importlib import metadata, resources
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from sovereign_rag.errors import ModelError

KEY: Final = "charsplit-1"
"""Names what is split and where; raised when the same text would be split another way."""

_PACKAGE: Final = "split-words"
_TABLES: Final = ("suffix", "prefix", "infix")
_LEAST_SCORE: Final = 0.5  # in [-3, 3]; chosen on docs/quality.md's German set
_SHORTEST_WORD: Final = 8
_LONGEST_WORD: Final = 60
_SHORTEST_PART: Final = 4  # a joint beside three letters is a slip more often than not
_MOST_JOINTS: Final = 3
_LINKED: Final = ("ts", "gs", "ks", "hls", "ns")  # with the s that links it to what follows

_UNREADABLE: Final = (OSError, KeyError, ValueError, zipfile.BadZipFile)
_BASE: Final = 0x9E3779B97F4A7C15
_Hashes = NDArray[np.uint64]


class CompoundSplitter:
    """Splits German words; any number of threads may call it.

    The table is read at the first word long enough, and made from the package if it isn't there
    yet: some seconds, once on a machine.
    """

    def __init__(self, models_dir: Path) -> None:
        """`models_dir` keeps the table."""
        self._path = models_dir / f"compounds-{KEY}.npz"
        self._reading = threading.Lock()
        self._split = lru_cache(maxsize=100_000)(self._split_word)

    def parts(self, word: str) -> tuple[str, ...]:
        """The parts of a compound in lower case, without linking s; none of any other word.

        Raises:
            ModelError: The package isn't installed, or the table can't be written or read.
        """
        word = word.lower()
        if not _SHORTEST_WORD <= len(word) <= _LONGEST_WORD:
            return ()
        return self._split(word)

    def _split_word(self, word: str) -> tuple[str, ...]:
        found = list(self._pieces(word, _MOST_JOINTS))
        return tuple(found) if len(found) > 1 else ()

    def _pieces(self, word: str, joints: int) -> Iterator[str]:
        at = self._joint(word) if joints else None
        if at is None:
            yield word
            return
        yield from self._pieces(_unlinked(word[:at]), joints - 1)
        yield from self._pieces(word[at:], joints - 1)

    def _joint(self, word: str) -> int | None:
        """Where the second part begins; None: nowhere."""
        places = range(_SHORTEST_PART, len(word) - _SHORTEST_PART + 1)
        if not places:
            return None
        ends = self._values("suffix", [_unlinked(word[:at]) for at in places], -1)
        begins = self._values("prefix", [_unlinked(word[at:]) for at in places], -1)
        best, found = _LEAST_SCORE, None
        for at, most in zip(places, begins + ends, strict=True):
            if most >= best:  # what stands inside words can only be taken off
                inside = [word[at : at + size] for size in range(3, len(word) - at + 1)]
                score = most - self._values("infix", inside, 1).min()
                if score >= best:
                    best, found = score, at
        return found

    def _values(self, table: str, texts: list[str], missing: float) -> NDArray[np.float32]:
        with self._reading:
            known, values = self._tables[table]
        wanted = np.array([_hash(text) for text in texts], np.uint64)
        at = np.minimum(np.searchsorted(known, wanted), len(known) - 1)
        return np.where(known[at] == wanted, values[at], np.float32(missing))

    @cached_property
    def _tables(self) -> dict[str, tuple[_Hashes, NDArray[np.float32]]]:
        """Ascending hashes of letter sequences (`_hash`) with their values, by name."""
        path = self._path
        try:
            if not path.is_file():
                _make(path)
            with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
                return {name: (stored[name], stored[f"{name}_values"]) for name in _TABLES}
        except (*_UNREADABLE, metadata.PackageNotFoundError) as error:
            raise ModelError(
                f"The table of German compounds can't be used ({error}). Install the package "
                f"{_PACKAGE}, make {path.parent} writable, and delete {path} if it is there."
            ) from error


def _unlinked(part: str) -> str:
    return part[:-1] if part.endswith(_LINKED) and len(part) > 3 else part


@lru_cache(maxsize=200_000)
def _hash(text: str) -> int:
    """64 bits of `text`, the same in every process."""
    value = 0
    for character in text:
        value = (value * _BASE + ord(character) + 1) & 0xFFFF_FFFF_FFFF_FFFF
    return value


def _make(path: Path) -> None:
    metadata.version(_PACKAGE)
    source = resources.files("split_words") / "ngram_probs.json"
    read = json.loads(source.read_text(encoding="utf-8"))
    arrays: dict[str, NDArray[np.uint64] | NDArray[np.float32]] = {}
    for name in _TABLES:
        hashes = np.array([_hash.__wrapped__(text) for text in read[name]], np.uint64)
        order = np.argsort(hashes)
        arrays[name] = hashes[order]
        arrays[f"{name}_values"] = np.array(list(read[name].values()), np.float32)[order]
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, suffix=".npz")
    os.close(handle)
    np.savez_compressed(name, allow_pickle=False, **arrays)
    Path(name).chmod(0o644)
    Path(name).replace(path)  # whole or not at all; a second process writes the same
