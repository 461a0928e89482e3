"""OpenAI's own client packages, pointed at the service."""

from collections.abc import Callable, Iterator

import openai
import pytest

from tests.api.conftest import Product

Connect = Callable[[str], openai.OpenAI]


@pytest.fixture
def connect(product: Product) -> Iterator[Connect]:
    """Makes the Python package's client with the key of somebody."""
    clients: list[openai.OpenAI] = []

    def make(who: str) -> openai.OpenAI:
        key = product.keys.get(who, who)
        client = openai.OpenAI(base_url=f"{product.url}/v1", api_key=key, max_retries=0, timeout=60)
        clients.append(client)
        return client

    yield make
    for client in clients:
        client.close()
