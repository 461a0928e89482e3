"""Confined parsing processes, and letters for them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.parse.process.pool import ParserPool
from sovereign_rag.settings import ParseSettings
from tests.ingest.parse.process.letters import SENTENCE


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ParserPool]:
    settings = ParseSettings(workers=2, timeout_s=60)
    with ParserPool(settings, scratch_dir=tmp_path_factory.mktemp("scratch")) as pool:
        yield pool


@pytest.fixture
def letter(tmp_path: Path) -> Path:
    path = tmp_path / "letter.txt"
    path.write_text(SENTENCE)
    return path
