"""What names a version of a document: everything that decides what its chunks and vectors are."""

import hashlib

from ingest.chunk import CHUNKER_VERSION
from sovereign_rag.settings import ChunkSettings
from sovereign_rag.store.protocol import POINT_LAYOUT


def version_of(
    content_hash: str, *, parser: str, chunking: ChunkSettings, model_id: str, lexical: str
) -> str:
    """The version that is made of a content: another parser, chunker or model, another version.

    The same content is the same version, so a second run does nothing twice.

    Args:
        content_hash: Of the bytes.
        parser: Version of the stored text.
        chunking: How the text is cut.
        model_id: Of the embedding model.
        lexical: The key of the encoder of words.
    """
    made_by = (
        content_hash,
        parser,
        CHUNKER_VERSION,
        str(chunking.max_tokens),
        str(chunking.min_tokens),
        model_id,
        lexical,
        str(POINT_LAYOUT),
    )
    return hashlib.sha256("\n".join(made_by).encode()).hexdigest()[:16]
