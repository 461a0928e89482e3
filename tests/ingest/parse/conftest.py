"""Parsing processes."""

from collections.abc import Iterator

import pytest

from ingest.parse.process.pool import ParserPool
from sovereign_rag.settings import ParseSettings


@pytest.fixture(scope="module")
def pool() -> Iterator[ParserPool]:
    with ParserPool(ParseSettings(workers=2, timeout_s=120)) as pool:
        yield pool
