"""Two documents to be taken in."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sovereign_rag.embedding.dense import DenseEmbedder
from sovereign_rag.settings import Settings
from sovereign_rag.wiring import Application, open_service


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
    folder.mkdir()
    (folder / "rules.md").write_text("# Rules\n\nThe door is closed at nine in the evening.\n")
    (folder / "menu.txt").write_text("Menu\n\nOn Mondays there is lentil soup for everybody.\n")
    return folder
