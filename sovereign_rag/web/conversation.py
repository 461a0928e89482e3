"""The conversation of the page, as its form carries it: the service itself keeps none."""

from collections.abc import Sequence
from typing import Final

from pydantic import TypeAdapter, ValidationError

from sovereign_rag.errors import BadInput
from sovereign_rag.http.params import CitedBody, TurnBody
from sovereign_rag.retrieval.conversation import MOST_CHARACTERS, Turn

MOST_HISTORY: Final = 4 * MOST_CHARACTERS
"""Most characters of it in a form: what is taken in, with ids and JSON's own marks."""

_KEPT: Final = 100  # turns; more are dropped before they are taken in anyway
_ANSWER: Final = 2_000  # characters of an answer, whose citations say where the rest stands
_TURNS: Final = TypeAdapter(list[TurnBody])


def read_turns(given: str) -> tuple[Turn, ...]:
    """The turns that the form brought, oldest first.

    Raises:
        BadInput: They are not what `written_turns` wrote.
    """
    if not given:
        return ()
    try:
        return tuple(turn.turn for turn in _TURNS.validate_json(given))
    except ValidationError as error:
        raise BadInput(
            "The conversation that the form sent can't be read. Open the page anew."
        ) from error


def written_turns(turns: Sequence[Turn]) -> str:
    """The newest turns as the form carries them; the oldest go where it would grow too long."""
    for kept in range(min(len(turns), _KEPT), 0, -1):
        bodies = [
            TurnBody(
                question=turn.question,
                answer=turn.answer[:_ANSWER],
                citations=[CitedBody(passage_id=id_) for id_ in turn.cited],
            )
            for turn in turns[-kept:]
        ]
        written = _TURNS.dump_json(bodies).decode()
        if len(written) <= MOST_HISTORY:
            return written
    return ""
