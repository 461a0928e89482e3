"""The life of an answer as its asker sees it: found, quoted, drafted, done."""

from dataclasses import dataclass

from sovereign_rag.domain import Answer, Passage, Statement


@dataclass(frozen=True, slots=True)
class Found:
    """The search is done; what it found is on record."""

    passages: tuple[Passage, ...]


@dataclass(frozen=True, slots=True)
class Quoted:
    """A verified quote, sent before a model has said its first word."""

    statement: Statement


@dataclass(frozen=True, slots=True)
class DraftToken:
    """A piece of the model's draft; not checked yet."""

    text: str


@dataclass(frozen=True, slots=True)
class Done:
    """The checked answer; the last event."""

    answer: Answer


AnswerEvent = Found | Quoted | DraftToken | Done
