"""Parsing processes."""

from collections.abc import Iterator

import pytest

from ingest.parse.process.pool import ParserPool
from sovereign_rag.settings import ParseSettings


@pytest.fixture(scope="session")
def pool() -> Iterator[ParserPool]:
    """One for all who parse with the usual settings."""
    with ParserPool(ParseSettings(workers=2, timeout_s=120)) as pool:
        yield pool
