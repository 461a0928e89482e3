"""Writes that were given up, and may be done all the same by a node that stood still."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LateWrites:
    """Of a store's client: it knows which writes were given up, the catalog remembers of what.

    A write that comes late can't be told from one that comes now; so the document is looked at
    again later, and the store told once more what the catalog says of it.
    """

    may_come: Callable[[], bool]  # since this thread last asked; it is forgotten then
    note: Callable[[str, str], None]  # tenant and document; raises CatalogError
