"""What other frameworks keep beside a passage's text, under the same names everywhere."""

from typing import Any

from sovereign_rag.services.serialization.answers import PassageOut


def metadata_of(passage: PassageOut) -> dict[str, Any]:
    """Where a passage stands, and what was said of its document; plain JSON types."""
    return {
        "document_id": passage.document_id,
        "title": passage.title,
        "uri": passage.uri,
        "page": passage.page,
        "heading_path": passage.heading_path,
        "language": passage.language,
        "score": passage.score,
        "spans": [span.model_dump() for span in passage.spans],
        "metadata": passage.metadata.model_dump(mode="json"),
    }
