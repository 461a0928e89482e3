"""What a test costs, told by its fixtures: `make test-fast` leaves out the costly ones."""

from collections.abc import Iterable
from typing import Final

import pytest

COSTLY: Final = {
    "embedder": "model",
    "watcher": "model",
    "single_precision": "model",
    "language_model": "model",
    "filled": "model",
    "installed": "model",
    "browser": "browser",
}
"""Marker of the tests that use a fixture, themselves or through another."""

CONFINED: Final = (
    "tests/test_zero_egress.py",
    "tests/test_torture.py",
    "tests/ingest/parse/process/",
)
"""Where tests look at what the kernel lets a process do."""


def mark(items: Iterable[pytest.Item]) -> None:
    """Give each test the markers of the fixtures that it uses."""
    for item in items:
        fixtures: Iterable[str] = getattr(item, "fixturenames", ())
        for marker in {COSTLY[name] for name in fixtures if name in COSTLY}:
            item.add_marker(marker)
        if item.nodeid.startswith(CONFINED):
            item.add_marker("namespace")


def put_costly_first(items: list[pytest.Item]) -> None:
    """Order the files so that no costly one is left to one process at the end of a run."""
    costly = {item.path for item in items if _is_costly(item)}
    items.sort(key=lambda item: item.path not in costly)


def _is_costly(item: pytest.Item) -> bool:
    return any(item.get_closest_marker(name) for name in ("model", "browser", "namespace"))
