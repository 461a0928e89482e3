"""The protocol itself, by its official library: tools are listed, and called as the caller.

The library speaks the current revision and, to clients that begin with a handshake, those before.
"""

import json
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import anyio
from mcp import types
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server

from sovereign_rag.access import Principal
from sovereign_rag.errors import SovereignError
from sovereign_rag.http.errors import UNEXPECTED
from sovereign_rag.mcp.desk import ToolDesk
from sovereign_rag.mcp.tools import INSTRUCTIONS, TOOLS
from sovereign_rag.version import VERSION

logger = logging.getLogger(__name__)

Context = ServerRequestContext[Any, Any]


@dataclass(frozen=True, slots=True)
class ToolCaller:
    """Who calls a tool, what links begin with for them, and where their calls wait."""

    principal: Principal
    base: str
    slots: anyio.CapacityLimiter


def tool_server(desk: ToolDesk, caller: Callable[[Context], ToolCaller]) -> Server[Any]:
    """The server; `caller` says of each request whose it is."""

    async def list_tools(
        context: Context, params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        return types.ListToolsResult(tools=list(TOOLS))

    async def call_tool(
        context: Context, params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        who, cancel = caller(context), threading.Event()

        def work() -> types.CallToolResult:
            return _called(desk, params, who, cancel)

        try:
            return await anyio.to_thread.run_sync(work, limiter=who.slots, abandon_on_cancel=True)
        except anyio.get_cancelled_exc_class():
            cancel.set()
            raise

    return Server(
        "sovereign-rag",
        title="Sovereign RAG",
        version=VERSION,
        instructions=INSTRUCTIONS,
        on_list_tools=list_tools,
        on_call_tool=call_tool,
    )


def _called(
    desk: ToolDesk, params: types.CallToolRequestParams, who: ToolCaller, cancel: threading.Event
) -> types.CallToolResult:
    """What a tool gives, as fields and as the one text that connectors read; or its refusal."""
    try:
        body = desk.call(params.name, params.arguments or {}, who.principal, who.base, cancel)
    except SovereignError as error:
        return _refusal(f"{error.code}: {error}")
    except Exception:  # whatever it is, the caller gets no details
        logger.exception("the tool %s failed", params.name)
        return _refusal(f"{UNEXPECTED['error']}: {UNEXPECTED['detail']}")
    plain = body.plain()
    text = json.dumps(plain, ensure_ascii=False)
    return types.CallToolResult(content=[types.TextContent(text=text)], structured_content=plain)


def _refusal(text: str) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(text=text)], is_error=True)
