"""One engine a module."""

from collections.abc import Iterator

import pytest

from sovereign_rag.generation.llama_cpp import LlamaCppModel
from sovereign_rag.settings import Settings, load_settings
from tests.generation.opening import opened


@pytest.fixture(scope="module")
def settings() -> Settings:
    return load_settings()


@pytest.fixture(scope="module")
def language_model(settings: Settings) -> Iterator[LlamaCppModel]:
    language_model = opened(settings)
    yield language_model
    language_model.close()
