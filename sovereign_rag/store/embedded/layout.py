"""Marks in a shard's folder: which layout it was made with, and whether it holds blank points."""

from collections.abc import Iterable
from pathlib import Path
from typing import Final

_FILE: Final = "layout"
_BLANK: Final = "blank"
_CURRENT: Final = "2"
"""Without a file: from before vectors had 8-bit copies, or points had numbers for their rights."""


def mark(shard: Path) -> None:
    """Note that the shard in this folder is laid out as new ones are; an older one is rewritten."""
    (shard / _FILE).write_text(_CURRENT, encoding="utf-8")


def is_current(shard: Path) -> bool:
    try:
        return (shard / _FILE).read_text(encoding="utf-8") == _CURRENT
    except FileNotFoundError:
        return False


def mark_blank(shard: Path) -> None:
    """Note, before it is written, that a point of the shard has no term."""
    (shard / _BLANK).touch()


def has_blank(shard: Path) -> bool:
    return (shard / _BLANK).exists()


def is_blank(vector: object, sparse: Iterable[str]) -> bool:
    """Whether a point lacks a term in one of its sparse vectors.

    The engine leaves such a point out when it counts all, and not when it counts a tenant's.
    """
    if not isinstance(vector, dict):
        return True
    return any(not getattr(vector.get(name), "indices", None) for name in sparse)
