"""What an OpenAI-compatible server sends: an event stream, read into chunks."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

_LONGEST_LINE: Final = 1 << 20


class StreamBroken(Exception):
    """What came is no event stream of chat completions, or not a whole one; says why."""


@dataclass(frozen=True, slots=True)
class StreamChunk:
    """One event: some text, the end, or the count of tokens."""

    text: str = ""
    finish: Literal["stop", "length"] | None = None
    usage: "Usage | None" = None


@dataclass(frozen=True, slots=True)
class Usage:
    prompt_tokens: int
    cached_tokens: int  # of the prompt, not computed again
    completion_tokens: int


def read_chunks(blocks: Iterable[bytes]) -> Iterator[StreamChunk]:
    """The chunks of a stream, until it says that it is done.

    Raises:
        StreamBroken: It holds an error, something else, or ends before it says so.
    """
    finished = False
    for data in _events(blocks):
        if data.strip() == b"[DONE]":
            break
        chunk = _chunk(data)
        finished = finished or chunk.finish is not None
        yield chunk
    if not finished:
        raise StreamBroken("the connection ended in the middle of the answer")


def _events(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The data of each event. Lines end at line feeds alone: text may hold other separators."""
    rest = b""
    for block in blocks:
        *lines, rest = (rest + block).split(b"\n")
        if len(rest) > _LONGEST_LINE:
            raise StreamBroken(f"it sent a line of more than {_LONGEST_LINE >> 20} MiB")
        for line in lines:
            if line.startswith(b"data:"):  # comments and other fields say nothing to us
                yield line.removeprefix(b"data:").rstrip(b"\r")
    if rest.startswith(b"data:"):
        yield rest.removeprefix(b"data:").rstrip(b"\r")


def _chunk(data: bytes) -> StreamChunk:
    try:
        event = json.loads(data)
    except ValueError as error:
        raise StreamBroken("it sent an event that is no JSON") from error
    if not isinstance(event, dict):
        raise StreamBroken("it sent an event that is no object")
    if event.get("error"):
        raise StreamBroken(f"it reports an error: {error_text(event)}")
    try:
        usage = _usage(event.get("usage"))
        choices = event.get("choices") or ()
        if not choices:
            return StreamChunk(usage=usage)
        choice = choices[0]
        reason = choice.get("finish_reason")
        return StreamChunk(
            text=(choice.get("delta") or {}).get("content") or "",
            # Whatever else ends an answer (a filter, a tool) ends it like a full stop.
            finish=None if reason is None else "length" if reason == "length" else "stop",
            usage=usage,
        )
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise StreamBroken("it sent an event that is no chat completion") from error


def _usage(found: Mapping[str, Any] | None) -> Usage | None:
    if not found:
        return None
    details = found.get("prompt_tokens_details") or {}
    return Usage(
        prompt_tokens=int(found.get("prompt_tokens") or 0),
        cached_tokens=int(details.get("cached_tokens") or 0),
        completion_tokens=int(found.get("completion_tokens") or 0),
    )


def error_text(body: object) -> str:
    """What the body of an error says, cut to a line."""
    said: object = body
    for key in ("error", "message", "detail"):
        if isinstance(said, dict) and said.get(key):
            said = said[key]
    text = said if isinstance(said, str) else json.dumps(said, ensure_ascii=False)
    return " ".join(text.split())[:300]
