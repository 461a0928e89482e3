"""Every setting, in sections; `load.py` reads them."""

from sovereign_rag.settings.answering import (
    AnswerSettings,
    EndpointSettings,
    GenerationSettings,
    RetrievalSettings,
)
from sovereign_rag.settings.console import ConsoleSettings
from sovereign_rag.settings.content import ContentSettings, EncryptionSettings
from sovereign_rag.settings.house import HouseSettings
from sovereign_rag.settings.ingestion import (
    ChunkSettings,
    EmbeddingEndpointSettings,
    EmbeddingSettings,
    IngestSettings,
    ParseSettings,
)
from sovereign_rag.settings.labels import LabelSettings, LevelRule
from sovereign_rag.settings.load import FILE_NAME, PREFIX, Settings, load_settings, names, variable
from sovereign_rag.settings.reranking import RerankerEndpointSettings
from sovereign_rag.settings.service import ClientSettings, HistorySettings, ServerSettings
from sovereign_rag.settings.sources import (
    AnySource,
    ArchiveSettings,
    FolderSource,
    ImapSource,
    MetadataMapping,
    ReaderSource,
    S3Source,
    SourceSettings,
)
from sovereign_rag.settings.storage import (
    AuditSettings,
    CatalogSettings,
    StoreSettings,
    TimestampSettings,
)

__all__ = [
    "FILE_NAME",
    "PREFIX",
    "AnswerSettings",
    "AnySource",
    "ArchiveSettings",
    "AuditSettings",
    "CatalogSettings",
    "ChunkSettings",
    "ClientSettings",
    "ConsoleSettings",
    "ContentSettings",
    "EmbeddingEndpointSettings",
    "EmbeddingSettings",
    "EncryptionSettings",
    "EndpointSettings",
    "FolderSource",
    "GenerationSettings",
    "HistorySettings",
    "HouseSettings",
    "ImapSource",
    "IngestSettings",
    "LabelSettings",
    "LevelRule",
    "MetadataMapping",
    "ParseSettings",
    "ReaderSource",
    "RerankerEndpointSettings",
    "RetrievalSettings",
    "S3Source",
    "ServerSettings",
    "Settings",
    "SourceSettings",
    "StoreSettings",
    "TimestampSettings",
    "load_settings",
    "names",
    "variable",
]
