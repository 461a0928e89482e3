"""What an index was made with: settings name what is wanted, a spec what an index is.

Vectors of two models can't be compared, nor texts cut in two ways told apart by their ranks, so an
index is made by one spec, and whoever searches or adds to it goes by that, whatever the settings
say by then.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Self

from sovereign_rag.embedding.protocol import Embedder
from sovereign_rag.settings import (
    ChunkSettings,
    EmbeddingEndpointSettings,
    EmbeddingSettings,
    Settings,
)
from sovereign_rag.store.protocol import POINT_LAYOUT

_WORDS = {
    "model_id": "embedding model",
    "dimension": "numbers in a vector",
    "max_tokens": "chunk.max_tokens",
    "min_tokens": "chunk.min_tokens",
    "lexical": "encoding of words",
    "layout": "layout of what is stored",
    "shards": "store.shards",
    "replicas": "store.replication_factor",
}
"""What decides about an index; the rest of a spec only tells how to find the model."""


@dataclass(frozen=True, slots=True)
class IndexSpec:
    """How the chunks of an index were cut, embedded, encoded and laid out."""

    model_id: str
    dimension: int
    model: str | None  # the folder of the model; None: the bundled one
    query_prefix: str | None
    passage_prefix: str | None
    max_tokens: int
    min_tokens: int
    lexical: str  # LexicalEncoder.key
    layout: int  # POINT_LAYOUT
    shards: int | None = None  # of a server's collection, as replicas
    replicas: int | None = None

    @classmethod
    def wanted(cls, settings: Settings, embedder: Embedder, lexical: str) -> Self:
        """The spec that the settings ask for, `embedder` being theirs."""
        on_server = settings.store.url is not None
        own = settings.embedding
        return cls(
            model_id=embedder.model_id,
            dimension=embedder.dimension,
            model=None if own.model is None else str(own.model),
            query_prefix=own.query_prefix,
            passage_prefix=own.passage_prefix,
            max_tokens=settings.chunk.max_tokens,
            min_tokens=settings.chunk.min_tokens,
            lexical=lexical,
            layout=POINT_LAYOUT,
            shards=settings.store.shards if on_server else None,
            replicas=settings.store.replication_factor if on_server else None,
        )

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Self | None:
        """From plain values, as `plain` gave them; None where there are none."""
        known = {field.name for field in fields(cls)}
        return cls(**{k: v for k, v in stored.items() if k in known}) if stored else None

    @property
    def plain(self) -> dict[str, Any]:
        return asdict(self)

    @property
    def chunking(self) -> ChunkSettings:
        return ChunkSettings(max_tokens=self.max_tokens, min_tokens=self.min_tokens)

    def embedding(self, present: EmbeddingSettings) -> EmbeddingSettings:
        """The settings that open this spec's model; how it is computed stays as it is now.

        Another model than the present one is computed here: the endpoint serves that one.
        """
        model = None if self.model is None else Path(self.model)
        endpoint = present.endpoint if present.model == model else EmbeddingEndpointSettings()
        return present.model_copy(
            update={
                "model": model,
                "sha256": present.sha256 if present.model == model else None,
                "query_prefix": self.query_prefix,
                "passage_prefix": self.passage_prefix,
                "endpoint": endpoint,
            }
        )

    def differences(self, other: "IndexSpec") -> dict[str, tuple[object, object]]:
        """What decides about an index and is not the same in both: name -> (here, there)."""
        return {
            words: (getattr(self, name), getattr(other, name))
            for name, words in _WORDS.items()
            if getattr(self, name) != getattr(other, name)
        }
