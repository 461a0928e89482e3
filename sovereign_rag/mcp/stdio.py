"""The protocol on standard input and output, for a program that starts this one as its tool."""

from typing import Any, Final

import anyio
import httpx2
from mcp import types
from mcp.client.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server

from sovereign_rag.access import Principal
from sovereign_rag.errors import EnvironmentFault
from sovereign_rag.mcp.desk import ToolDesk
from sovereign_rag.mcp.server import Context, ToolCaller, tool_server
from sovereign_rag.mcp.tools import INSTRUCTIONS
from sovereign_rag.services.container import Service
from sovereign_rag.version import VERSION

_AT_A_TIME: Final = 8  # calls of tools
_PATIENCE_S: Final = 600.0


def serve_folder(service: Service, principal: Principal) -> None:
    """Offer the tools over a data folder on this machine, until the input ends."""
    server_settings = service.settings.server
    slots = anyio.CapacityLimiter(_AT_A_TIME)
    who = ToolCaller(principal, server_settings.public_url or "", slots)

    def caller(context: Context) -> ToolCaller:
        return who

    anyio.run(_serve, tool_server(ToolDesk(service), caller))


def serve_address(url: str, key: str | None) -> None:
    """Offer the tools of a service elsewhere: calls are made there, as the key's user.

    Raises:
        EnvironmentFault: It does not answer, or not to this key.
    """
    anyio.run(_serve_address, url, key)


async def _serve_address(url: str, key: str | None) -> None:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    # Of the environment nothing is heeded: a proxy named there would see the key.
    client = httpx2.AsyncClient(headers=headers, timeout=_PATIENCE_S, trust_env=False)
    async with client:
        try:
            async with Client(
                streamable_http_client(f"{url.rstrip('/')}/mcp", http_client=client)
            ) as there:
                await _serve(_bridge(there))
        except* Exception as group:
            raise EnvironmentFault(
                f"The service at {url} can't be used: {_first(group)}. Is it running, does it know "
                "this host name, is the key valid?"
            ) from group


def _bridge(there: Client) -> Server[Any]:
    """A server whose tools are those of `there`."""

    async def list_tools(
        context: ServerRequestContext[Any, Any], params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        return await there.list_tools()

    async def call_tool(
        context: ServerRequestContext[Any, Any], params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        return await there.call_tool(params.name, params.arguments)

    return Server(
        "sovereign-rag",
        title="Sovereign RAG",
        version=VERSION,
        instructions=INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


async def _serve(server: Server[Any]) -> None:
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())


def _first(group: BaseExceptionGroup[Exception]) -> BaseException:
    error: BaseException = group
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
