"""What the doctor finds of the servers that compute for this product in the network."""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from sovereign_rag.cli.finding import Finding, State
from sovereign_rag.errors import SovereignError

if TYPE_CHECKING:
    from sovereign_rag.settings import Settings
    from sovereign_rag.system.listed_client import ServerHealth


def endpoints_found(settings: "Settings") -> Iterator[Finding]:
    """A line for each server of `embedding.endpoint` and of `retrieval.reranker_endpoint`."""
    if settings.embedding.endpoint.urls:
        way_out = "start it with the same model, or correct the section embedding.endpoint"
        yield from _servers("embedding endpoint", lambda: _embedding(settings), "missing", way_out)
    if settings.retrieval.reranker_endpoint.urls:
        # Without one the search's order stays.
        way_out = "start it, or correct the section retrieval.reranker_endpoint"
        yield from _servers("reranking endpoint", lambda: _reranking(settings), "limited", way_out)


def _servers(
    name: str, ask: "Callable[[], Sequence[ServerHealth]]", none_works: State, way_out: str
) -> Iterator[Finding]:
    try:
        health = ask()
    except SovereignError as error:
        yield Finding(name, "missing", "not usable", str(error))
        return
    state: State = "limited" if any(one.trouble is None for one in health) else none_works
    for one in health:
        if one.trouble is None:
            yield Finding(name, "ok", f"{one.url}: answers in {one.took_s * 1000:.0f} ms")
        else:
            yield Finding(name, state, f"{one.url}: {one.trouble}", way_out)


def _embedding(settings: "Settings") -> "Sequence[ServerHealth]":
    from sovereign_rag.embedding.endpoint import EndpointEmbedder

    opened = EndpointEmbedder.open(settings)
    try:
        return opened.health()
    finally:
        opened.close()


def _reranking(settings: "Settings") -> "Sequence[ServerHealth]":
    from sovereign_rag.retrieval.rerank_endpoint import EndpointReranker, open_reranker

    opened = open_reranker(settings)
    assert isinstance(opened, EndpointReranker)  # the settings name servers
    try:
        return opened.health()
    finally:
        opened.close()
