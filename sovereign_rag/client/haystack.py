"""A service's search as a component of a Haystack pipeline, within what a key may read.

    from sovereign_rag.client import Client
    from sovereign_rag.client.haystack import SovereignRagRetriever

    retriever = SovereignRagRetriever(Client(url, key=key), limit=5)

Needs `haystack-ai` (`pip install 'sovereign-rag[haystack]'`), which sends usage to its makers
unless HAYSTACK_TELEMETRY_ENABLED=False stands in the environment before it is imported. What a
pipeline then writes is not checked against the documents: `Client.ask` gives checked answers.
"""

from typing import Any

from haystack import Document, component

from sovereign_rag.client.client import Client
from sovereign_rag.client.passages import metadata_of
from sovereign_rag.domain import SearchMode


@component
class SovereignRagRetriever:
    """Passages, best first; each search is on the service's record as the key's user's."""

    def __init__(
        self,
        client: Client,
        *,
        limit: int = 8,
        mode: SearchMode | None = None,
        filters: dict[str, Any] | None = None,
    ) -> None:
        """
        Args:
            limit: Most passages, 1 to 50.
            mode: Which legs search; None: as the service is set to.
            filters: Those of `Client.search`: languages, labels, media types, ...
        """
        self._client, self._limit, self._mode = client, limit, mode
        self._filters = filters or {}

    @component.output_types(documents=list[Document])
    def run(self, query: str, filters: dict[str, Any] | None = None) -> dict[str, list[Document]]:
        """`filters` of one run replace those that it was made with, name by name."""
        narrowed = {**self._filters, **(filters or {})}
        found = self._client.search(query, limit=self._limit, mode=self._mode, **narrowed)
        documents = [
            Document(
                id=passage.id,
                content=passage.text,
                meta=metadata_of(passage),
                score=passage.score,
            )
            for passage in found.passages
        ]
        return {"documents": documents}
