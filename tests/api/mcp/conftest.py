"""The protocol's own client, pointed at the service."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client


@asynccontextmanager
async def connected(
    url: str, key: str | None, *, mode: str = "auto", **headers: str
) -> AsyncIterator[Client]:
    """The library's client at a service's /mcp."""
    if key is not None:
        headers["Authorization"] = f"Bearer {key}"
    async with (
        httpx2.AsyncClient(headers=headers, timeout=60, trust_env=False) as http,
        Client(streamable_http_client(f"{url}/mcp", http_client=http), mode=mode) as client,
    ):
        yield client
