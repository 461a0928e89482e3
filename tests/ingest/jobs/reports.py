"""What became of documents, for the tests of ingestion."""

from sovereign_rag.access import Principal, local_owner
from sovereign_rag.wiring import Application

OWNER = local_owner()


def texts(application: Application, query: str, principal: Principal = OWNER) -> list[str]:
    return [p.chunk.text for p in application.searching.search(query, principal)]
