"""A service's search as LangChain's own retriever, within what a key may read.

    from sovereign_rag.client import Client
    from sovereign_rag.client.langchain import SovereignRagRetriever

    retriever = SovereignRagRetriever(client=Client(url, key=key), limit=5)

Needs `langchain-core` (`pip install 'sovereign-rag[langchain]'`). What a chain then writes is not
checked against the documents, as the service's own answers are: `Client.ask` gives those.
"""

from typing import Any

from langchain_core.callbacks import CallbackManagerForRetrieverRun
from langchain_core.documents import Document
from langchain_core.retrievers import BaseRetriever
from pydantic import Field

from sovereign_rag.client.client import Client
from sovereign_rag.client.passages import metadata_of
from sovereign_rag.domain import SearchMode


class SovereignRagRetriever(BaseRetriever):
    """Passages, best first; each search is on the service's record as the key's user's."""

    client: Client
    limit: int = Field(8, ge=1, le=50, description="Most passages.")
    mode: SearchMode | None = Field(None, description="Which legs search; None: as the service.")
    filters: dict[str, Any] = Field({}, description="Those of `Client.search`: languages, labels.")

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun
    ) -> list[Document]:
        found = self.client.search(query, limit=self.limit, mode=self.mode, **self.filters)
        return [
            Document(id=passage.id, page_content=passage.text, metadata=metadata_of(passage))
            for passage in found.passages
        ]
