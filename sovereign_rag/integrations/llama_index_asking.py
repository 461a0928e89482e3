"""LlamaIndex's filters and chat messages -> what a search takes: a filter, and a conversation.

Filters may name `document_id`, `language`, `media_type`, `source` (a URI, or a folder's), `label`
and `modified`. They leave out some of what the principal may read; nothing can add to it.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Final

from llama_index.core.base.llms.types import ChatMessage, MessageRole
from llama_index.core.vector_stores.types import (
    FilterCondition,
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
)

from sovereign_rag.errors import BadInput
from sovereign_rag.retrieval.conversation import Turn
from sovereign_rag.store.protocol import SearchFilter

_OF_SETS: Final = {
    ("document_id", True): "documents",
    ("document_id", False): "exclude_documents",
    ("language", True): "languages",
    ("media_type", True): "media_types",
    ("source", True): "sources",
    ("label", True): "labels",
}
_OF_TIME: Final = {FilterOperator.GTE: "modified_from", FilterOperator.LT: "modified_before"}
_EQUAL: Final = {
    FilterOperator.EQ: True,
    FilterOperator.IN: True,
    FilterOperator.NE: False,
    FilterOperator.NIN: False,
}
_ALLOWED: Final = (
    "Of filters these are known, all of which must hold: document_id with ==, in, != and nin; "
    "language, media_type, source and label with == and in; modified with >= and <, an ISO date."
)


def narrowing_of(filters: MetadataFilters | None) -> SearchFilter:
    """The filter that LlamaIndex's filters mean.

    Raises:
        BadInput: A filter that can't be kept to: another key or operator, a condition of "or" or
            "not", the same one twice. None is passed over, for then more would be found than
            was asked for.
    """
    conditions: dict[str, frozenset[str] | datetime] = {}
    for given in _flat(filters) if filters is not None else ():
        name, value = _condition(given)
        if name in conditions:
            raise BadInput(f"Two filters on {given.key} were given, where one is taken. {_ALLOWED}")
        conditions[name] = value
    return SearchFilter(**conditions)  # type: ignore[arg-type]  # each name with the type of its field


def turns_of(messages: Sequence[ChatMessage]) -> tuple[Turn, ...]:
    """The conversation in chat messages, oldest first: each user's message with its answer.

    Others (of the system, of tools) are left out, and so is an answer without a question.
    """
    turns: list[Turn] = []
    for message in messages:
        if message.role == MessageRole.USER:
            turns.append(Turn(message.content or ""))
        elif message.role == MessageRole.ASSISTANT and turns:
            turns[-1] = Turn(turns[-1].question, f"{turns[-1].answer} {message.content}".strip())
    return tuple(turns)


def _flat(filters: MetadataFilters) -> Iterator[MetadataFilter]:
    if filters.condition not in {FilterCondition.AND, None} and len(filters.filters) != 1:
        raise BadInput(
            f"Filters joined by {filters.condition.value!r} can't be kept to. {_ALLOWED}"
        )
    if filters.condition == FilterCondition.NOT:
        raise BadInput(f"A negated filter can't be kept to. {_ALLOWED}")
    for each in filters.filters:
        if isinstance(each, MetadataFilters):
            yield from _flat(each)
        else:
            yield each


def _condition(given: MetadataFilter) -> tuple[str, frozenset[str] | datetime]:
    if given.key == "modified" and given.operator in _OF_TIME:
        return _OF_TIME[given.operator], _time(given)
    name = _OF_SETS.get((given.key, _EQUAL[given.operator])) if given.operator in _EQUAL else None
    if name is None:
        raise BadInput(f"A filter on {given.key} with {given.operator.value} is none. {_ALLOWED}")
    values = given.value if isinstance(given.value, list) else [given.value]
    if not all(isinstance(value, str) for value in values):
        raise BadInput(f"A filter on {given.key} takes text, got {given.value!r}. {_ALLOWED}")
    return name, frozenset(map(str, values))


def _time(given: MetadataFilter) -> datetime:
    try:
        moment = datetime.fromisoformat(str(given.value))
    except ValueError as error:
        raise BadInput(f"modified takes an ISO date, got {given.value!r}. {_ALLOWED}") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
