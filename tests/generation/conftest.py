"""One engine a module."""

from collections.abc import Iterator

import pytest

from sovereign_rag.generation.llama_cpp import LlamaCppGenerator
from sovereign_rag.settings import Settings, load_settings
from tests.generation.opening import opened


@pytest.fixture(scope="module")
def settings() -> Settings:
    return load_settings()


@pytest.fixture(scope="module")
def generator(settings: Settings) -> Iterator[LlamaCppGenerator]:
    generator = opened(settings)
    yield generator
    generator.close()
