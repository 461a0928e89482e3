"""Ask a service by the Model Context Protocol: `mcp_client.py URL KEY_FILE QUESTION`."""

import sys
from pathlib import Path

import anyio
import httpx2
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client


async def ask(url: str, key: str, question: str) -> None:
    async with (
        httpx2.AsyncClient(headers={"Authorization": f"Bearer {key}"}, timeout=600) as http,
        Client(streamable_http_client(f"{url}/mcp", http_client=http)) as client,
    ):
        answer = await client.call_tool("ask", {"question": question})
        print(answer.structured_content["text"])


anyio.run(ask, sys.argv[1], Path(sys.argv[2]).read_text(encoding="utf-8").strip(), sys.argv[3])
