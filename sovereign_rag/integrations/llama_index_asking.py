"""LlamaIndex's filters and chat messages -> what a search takes: a filter, and a conversation.

Filters may name `document_id`, `language`, `media_type`, `source` (a URI, or a folder's), `label`
and `modified`. They leave out some of what the principal may read; nothing can add to it.
"""

from collections.abc import Iterator, Sequence

from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.vector_stores.types import (
    FilterCondition,
    MetadataFilter,
    MetadataFilters,
)

from sovereign_rag.errors import BadInput
from sovereign_rag.retrieval import conversation
from sovereign_rag.retrieval.conversation import Turn
from sovereign_rag.services.conditions import ALLOWED, Condition, filter_of
from sovereign_rag.store.protocol import SearchFilter


def narrowing_of(filters: MetadataFilters | None) -> SearchFilter:
    """The filter that LlamaIndex's filters mean.

    Raises:
        BadInput: A filter that can't be kept to: another key or operator, a condition of "or" or
            "not", the same one twice. None is passed over, for then more would be found than
            was asked for.
    """
    given = _flat(filters) if filters is not None else ()
    return filter_of(Condition(one.key, one.operator.value, one.value) for one in given)


def turns_of(messages: Sequence[ChatMessage]) -> tuple[Turn, ...]:
    """The conversation in chat messages, oldest first: each user's message with its answer.

    Others (of the system, of tools) are left out, and so is an answer without a question.
    """
    return conversation.turns_of((one.role.value, one.content or "") for one in messages)


def _flat(filters: MetadataFilters) -> Iterator[MetadataFilter]:
    if filters.condition not in {FilterCondition.AND, None} and len(filters.filters) != 1:
        raise BadInput(f"Filters joined by {filters.condition.value!r} can't be kept to. {ALLOWED}")
    if filters.condition == FilterCondition.NOT:
        raise BadInput(f"A negated filter can't be kept to. {ALLOWED}")
    for each in filters.filters:
        if isinstance(each, MetadataFilters):
            yield from _flat(each)
        else:
            yield each
