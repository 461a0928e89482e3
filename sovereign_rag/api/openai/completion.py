"""An answer in the protocol's form: at once, or as chunks of what was checked."""

import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from sovereign_rag.api.openai.schemas import (
    AnnotationOut,
    CachedTokensOut,
    ChoiceOut,
    CompletionOut,
    MessageOut,
    TokenUsageOut,
    UrlCitationOut,
)
from sovereign_rag.domain import Answer
from sovereign_rag.http.cited_text import CitedText, cited_text, source_link, source_title
from sovereign_rag.http.sources import QuoteSource
from sovereign_rag.services.serialization.answers import AnswerDetailsOut
from sovereign_rag.text.locale import DEFAULT, Locale, locale, speaks

_PIECE: Final = 400  # characters of a chunk


@dataclass(frozen=True, slots=True)
class Written:
    """What goes out for a request: an answer, or what a front end asked on the side."""

    content: str
    annotations: tuple[AnnotationOut, ...] = ()
    usage: Mapping[str, int] = field(default_factory=dict)
    details: AnswerDetailsOut | None = None
    sources: tuple[Mapping[str, Any], ...] = ()
    """Each source as open-webui shows it."""
    tool_call: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Chunk:
    """One `data:` line of the stream."""

    data: object

    def encode(self) -> bytes:
        return b"data: %s\n\n" % orjson.dumps(self.data)


class Ending:
    """The last line of the stream."""

    def encode(self) -> bytes:
        return b"data: [DONE]\n\n"


def written(answer: Answer, base: str) -> Written:
    """The answer as a text with marks, and each mark's page under `base`."""
    words = locale(answer.language if speaks(answer.language) else DEFAULT)
    text = cited_text(answer, base)
    return Written(
        content=text.text,
        annotations=tuple(_annotations(text, base, words)),
        usage=answer.usage,
        details=AnswerDetailsOut.of(answer),
        sources=tuple(_shown(source, base, words) for source in text.sources),
    )


class Completion:
    """Puts what was written into the protocol's envelope, under one id."""

    def __init__(self, model: str) -> None:
        self._id, self._created = f"chatcmpl-{uuid.uuid4().hex}", int(time.time())
        self._model = model

    def whole(self, done: Written) -> CompletionOut:
        """The body of an answer that is sent at once."""
        message = MessageOut(
            content=None if done.tool_call else done.content,
            annotations=list(done.annotations),
            tool_calls=[dict(done.tool_call)] if done.tool_call else None,
        )
        return CompletionOut(
            id=self._id,
            created=self._created,
            model=self._model,
            choices=[ChoiceOut(message=message, finish_reason=_reason(done))],
            usage=_usage(done),
            sovereign=done.details,
        )

    def opening(self) -> Chunk:
        """Says that an answer is on its way."""
        return self._chunk({"role": "assistant", "content": ""})

    def chunks(
        self, done: Written, *, include_usage: bool, source_events: bool
    ) -> Iterator[Chunk | Ending]:
        """What was checked, in pieces; its sources; and how it ended.

        Args:
            source_events: The sources go as open-webui's events, in place of annotations.
        """
        if source_events:
            for source in done.sources:
                yield Chunk({"event": {"type": "source", "data": source}})
        if done.tool_call:
            yield self._chunk({"tool_calls": [{"index": 0, **done.tool_call}]})
        else:
            for start in range(0, len(done.content), _PIECE):
                yield self._chunk({"content": done.content[start : start + _PIECE]})
        if done.annotations and not source_events:
            yield self._chunk({"annotations": [one.plain() for one in done.annotations]})
        usage = _usage(done).plain()
        last = self._envelope({}, _reason(done))
        if done.details is not None:
            last["sovereign"] = done.details.plain()
        if not include_usage:
            last["usage"] = usage
        yield Chunk(last)
        if include_usage:
            yield Chunk({**self._envelope({}, None), "choices": [], "usage": usage})
        yield Ending()

    def _chunk(self, delta: Mapping[str, Any]) -> Chunk:
        return Chunk(self._envelope(delta, None))

    def _envelope(self, delta: Mapping[str, Any], reason: str | None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": reason}
        return {
            "id": self._id,
            "object": "chat.completion.chunk",
            "created": self._created,
            "model": self._model,
            "choices": [choice],
        }


def _reason(done: Written) -> Any:
    return "tool_calls" if done.tool_call else "stop"


def _usage(done: Written) -> TokenUsageOut:
    read = done.usage.get("prompt_tokens", 0)
    said = done.usage.get("completion_tokens", 0)
    return TokenUsageOut(
        prompt_tokens=read,
        completion_tokens=said,
        total_tokens=read + said,
        prompt_tokens_details=CachedTokensOut(cached_tokens=done.usage.get("cached_tokens", 0)),
    )


def _annotations(text: CitedText, base: str, words: Locale) -> Iterator[AnnotationOut]:
    for mark in text.marks:
        yield AnnotationOut(
            url_citation=UrlCitationOut(
                start_index=mark.start,
                end_index=mark.end,
                url=source_link(mark.source, base),
                title=source_title(mark.source, words),
            )
        )


def _shown(source: QuoteSource, base: str, words: Locale) -> dict[str, Any]:
    name, url = source_title(source, words), source_link(source, base)
    return {
        "source": {"name": name, "url": url},
        "document": [source.citation.quote],
        "metadata": [{"source": url, "name": name}],
    }
