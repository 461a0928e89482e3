"""Upstreams and generators, let go of at the end of a test."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sovereign_rag.generation.endpoint import EndpointModel
from sovereign_rag.settings import EndpointSettings, GenerationSettings
from sovereign_rag.system.allowed_addresses import Resolve
from tests.generation.endpoint.upstream import (
    Line,
    Upstream,
)


@pytest.fixture
def upstream() -> Iterator[Callable[..., Upstream]]:
    made: list[Upstream] = []

    def make(*script: Line, certificate: Path | None = None) -> Upstream:
        made.append(Upstream(*script, certificate=certificate))
        return made[-1]

    yield make
    for server in made:
        server.close()


@pytest.fixture
def endpoint_model() -> Iterator[Callable[..., EndpointModel]]:
    made: list[EndpointModel] = []

    def make(
        *servers: Upstream | str,
        resolve: Resolve | None = None,
        timeout_s: float = 30.0,
        **more: Any,
    ) -> EndpointModel:
        urls = tuple(server if isinstance(server, str) else server.url for server in servers)
        given: dict[str, Any] = {"retries": 0, "allow": ("127.0.0.0/8",), "model": "small", **more}
        endpoint = EndpointSettings(urls=urls, **given)
        settings = GenerationSettings(endpoint=endpoint, timeout_s=timeout_s)
        made.append(
            EndpointModel.open(settings, resolve=resolve)
            if resolve
            else EndpointModel.open(settings)
        )
        return made[-1]

    yield make
    for one in made:
        one.close()
