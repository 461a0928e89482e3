"""An answer as it comes into being: server-sent events, read."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from sovereign_rag.client.responses import error_of
from sovereign_rag.services.serialization.answers import AnswerOut, PassageOut, StatementOut
from sovereign_rag.services.serialization.jobs import JobProgressOut


@dataclass(frozen=True, slots=True)
class Found:
    """What was found, best first."""

    passages: tuple[PassageOut, ...]


@dataclass(frozen=True, slots=True)
class Extract:
    """A quote that is part of the answer, checked."""

    statement: StatementOut


@dataclass(frozen=True, slots=True)
class Draft:
    """The model's next characters, not checked yet; `Finished` has what stands."""

    text: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The whole answer, checked: always the last event."""

    answer: AnswerOut


AnswerEvent: TypeAlias = Found | Extract | Draft | Finished


def answer_event(name: str, data: str) -> AnswerEvent | None:
    """An event of `POST /v1/answers`; None: of a kind that this client doesn't know.

    Raises:
        SovereignError: The service ended the answer with a refusal.
    """
    match name:
        case "found":
            passages = json.loads(data)["passages"]
            return Found(tuple(map(PassageOut.model_validate, passages)))
        case "extract":
            return Extract(StatementOut.model_validate_json(data))
        case "token":
            return Draft(json.loads(data)["text"])
        case "answer":
            return Finished(AnswerOut.model_validate_json(data))
        case "error":
            raise error_of(500, json.loads(data), {})
    return None


def job_event(name: str, data: str) -> JobProgressOut | None:
    """An event of `GET /v1/jobs/{id}/events`; None and SovereignError: as `answer_event`."""
    if name == "error":
        raise error_of(500, json.loads(data), {})
    return JobProgressOut.model_validate_json(data) if name == "progress" else None


@dataclass(slots=True)
class EventReader:
    """Server-sent events out of the lines of a response (WHATWG HTML, 9.2.6)."""

    _name: str = ""
    _data: list[str] = field(default_factory=list)

    def feed(self, line: str) -> Iterator[tuple[str, str]]:
        """Take the next line; gives an event's name and data where it ends one."""
        if not line:
            if self._data:
                yield self._name or "message", "\n".join(self._data)
            self._name, self._data = "", []
            return
        key, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if key == "event":
            self._name = value
        elif key == "data":
            self._data.append(value)
