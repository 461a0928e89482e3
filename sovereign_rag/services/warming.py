"""What the first question needs, begun when a process starts that answers people."""

from collections.abc import Callable
from contextlib import suppress

from sovereign_rag.errors import SovereignError
from sovereign_rag.services.container import Service


def warm_up(service: Service) -> None:
    """Begin to load models and to compare servers with them, without waiting for it.

    What is wrong is told by `readyz` and by the first question.
    """
    begin: tuple[Callable[[], None], ...] = (
        lambda: service.embedder.warm_up(),
        lambda: _reranker(service),
        lambda: service.catalog.overviews.warm_up(),
    )
    for one in begin:
        with suppress(SovereignError):
            one()


def _reranker(service: Service) -> None:
    if service.reranker is not None:
        service.reranker.warm_up()
