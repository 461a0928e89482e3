"""Chunks and searchers for the tests of stores."""

import os
import uuid
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import SecretStr
from qdrant_client import QdrantClient

from sovereign_rag.access import Principal, local_owner, read_scope, stored_readers
from sovereign_rag.domain import Chunk, PageSpan, SparseVector
from sovereign_rag.settings import Settings, StoreSettings
from sovereign_rag.store.connect import open_store
from sovereign_rag.store.memory import MemoryStore
from sovereign_rag.store.protocol import (
    ChunkOrigin,
    ChunkStore,
    Hit,
    IndexedChunk,
    LexicalQuery,
)

DIMENSION = 8


SERVER = os.environ.get("QDRANT_TEST_URL")


KEY = os.environ.get("QDRANT_TEST_API_KEY")


STORES = ["memory", "embedded", *(["server"] if SERVER else [])]


EAST = np.eye(DIMENSION, dtype=np.float32)[0]


EVERYWHERE = LexicalQuery(SparseVector((7,), (1.0,)), limit=100)  # `chunk` gives all the term 7


UNKNOWN = ChunkOrigin()


ANA = read_scope(Principal("ana"))


OWNER = read_scope(local_owner())


HR, IT, BOARD, SALES = (
    str(uuid.uuid5(uuid.NAMESPACE_OID, name)) for name in ("hr", "it", "board", "sales")
)


def opened_as(kind: str, data_dir: Path, prefix: str, *, dimension: int = DIMENSION) -> ChunkStore:
    if kind == "memory":
        return MemoryStore(dimension=dimension)
    store = StoreSettings(
        url=SERVER if kind == "server" else None,
        api_key=SecretStr(KEY) if KEY else None,
        collection=prefix,
    )
    settings = Settings(data_dir=data_dir, store=store)
    opened = open_store(settings, model_id="model", dimension=dimension)
    opened.make()
    return opened


def drop(collection: str) -> None:
    client = QdrantClient(
        url=SERVER,
        headers={"api-key": KEY} if KEY else None,
        check_compatibility=False,
        trust_env=False,
    )
    client.delete_collection(collection)
    client.close()


def chunk(
    index: int,
    *readers: str,
    document: str = HR,
    version: str = "v1",
    tenant: str = "default",
    level: int = 0,
    language: str | None = "en",
    dense: NDArray[np.float32] = EAST,
    terms: SparseVector | None = None,
    origin: ChunkOrigin = UNKNOWN,
) -> IndexedChunk:
    return IndexedChunk(
        chunk=Chunk(
            document_id=document,
            version=version,
            index=index,
            text=f"Passage {index}\n\nof {document}",
            spans=(PageSpan(1, 0, 9), PageSpan(2, 3, 40)),
            heading_path=("Handbook", "Leave"),
            table_header="Name | Days",
            language=language,
            kind="table",
        ),
        tenant=tenant,
        readers=stored_readers(readers),
        level=level,
        dense=dense,
        lexical=terms or SparseVector((7, 100 + index), (0.8, 1.5)),
        origin=origin,
    )


def found(hits: Sequence[Hit]) -> set[int]:
    return {hit.chunk.index for hit in hits}
