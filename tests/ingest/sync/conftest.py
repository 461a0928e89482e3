"""A folder to be synced."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sovereign_rag.embedding.dense import DenseEmbedder
from sovereign_rag.settings import Settings
from sovereign_rag.wiring import Application, open_service
from tests.ingest.sync.syncing import write


@pytest.fixture
def application(
    product_settings: Callable[..., Settings], embedder: DenseEmbedder
) -> Iterator[Application]:
    """A product of the test's own: its documents come and go."""
    with open_service(product_settings(), embedder=embedder) as application:
        yield application


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "documents"
    write(folder / "rules.md", "# Rules\n\nThe door is closed at nine in the evening.\n")
    write(folder / "menu.txt", "Menu\n\nOn Mondays there is lentil soup for everybody.\n")
    write(folder / "board" / "minutes.txt", "Minutes\n\nThe board met the harbour master twice.\n")
    return folder
