"""A service asked from a program: typed, blocking or with `await`, answers as they come.

    from sovereign_rag.client import Client

    with Client("https://rag.example.org", key="srag_…") as rag:
        answer = rag.ask("Wie lange ist die Kündigungsfrist?")
        for citation in answer.citations:
            print(citation.quote, citation.title, citation.page)

It speaks to the address that it is given and to no other. Needs httpx and pydantic alone. Every
refusal of the service is raised as the error of `sovereign_rag.errors` that it was there.
"""

from sovereign_rag.client.async_client import AsyncClient
from sovereign_rag.client.calls import Filters
from sovereign_rag.client.client import Client
from sovereign_rag.client.events import AnswerEvent, Draft, Extract, Finished, Found
from sovereign_rag.client.responses import ServiceError
from sovereign_rag.services.serialization.answers import (
    AnswerOut,
    CitationOut,
    FacetsOut,
    PassageOut,
    SearchOut,
    StatementOut,
)
from sovereign_rag.services.serialization.documents import DocumentOut, PageOut
from sovereign_rag.services.serialization.jobs import JobOut, JobProgressOut, TaskOut

__all__ = [
    "AnswerEvent",
    "AnswerOut",
    "AsyncClient",
    "CitationOut",
    "Client",
    "DocumentOut",
    "Draft",
    "Extract",
    "FacetsOut",
    "Filters",
    "Finished",
    "Found",
    "JobOut",
    "JobProgressOut",
    "PageOut",
    "PassageOut",
    "SearchOut",
    "ServiceError",
    "StatementOut",
    "TaskOut",
]
