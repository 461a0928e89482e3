"""Every setting, in sections; `load.py` reads them."""

from sovereign_rag.settings.answering import AnswerSettings, GenerationSettings, RetrievalSettings
from sovereign_rag.settings.ingestion import (
    ChunkSettings,
    EmbeddingSettings,
    IngestSettings,
    ParseSettings,
)
from sovereign_rag.settings.load import FILE_NAME, PREFIX, Settings, load_settings, names, variable
from sovereign_rag.settings.service import ServerSettings
from sovereign_rag.settings.storage import CatalogSettings, StoreSettings

__all__ = [
    "FILE_NAME",
    "PREFIX",
    "AnswerSettings",
    "CatalogSettings",
    "ChunkSettings",
    "EmbeddingSettings",
    "GenerationSettings",
    "IngestSettings",
    "ParseSettings",
    "RetrievalSettings",
    "ServerSettings",
    "Settings",
    "StoreSettings",
    "load_settings",
    "names",
    "variable",
]
