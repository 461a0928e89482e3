"""Messages of that protocol -> what is asked here: question, history, filters.

What a caller's system says is left out: it could loosen what holds for every answer.
"""

import json
from collections.abc import Iterator
from typing import Any, Final

from pydantic import Field, ValidationError

from sovereign_rag.api.openai.schemas import TEXT_PARTS, ChatBody, MessageBody
from sovereign_rag.domain import Language, RequestedKind
from sovereign_rag.errors import BadInput
from sovereign_rag.http.cited_text import answer_alone
from sovereign_rag.http.errors import validation_error
from sovereign_rag.http.filters import Filtered
from sovereign_rag.retrieval.conversation import Turn, turns_of


class AskedBeside(Filtered):
    """What may stand beside a conversation."""

    language: Language | None = Field(None, description="Of the answer; unset: the question's.")
    kind: RequestedKind | None = Field(None, description="How to answer; unset: as the model does.")


_NAMES: Final = frozenset(AskedBeside.model_fields)
_LISTS: Final = _NAMES - {"language", "kind", "modified_from", "modified_before"}


def question_of(body: ChatBody) -> tuple[str, tuple[Turn, ...]]:
    """The last message of the user, and the turns before it, oldest first.

    Raises:
        BadInput: There is none, it is empty, or it holds what can't be read, such as an image.
    """
    last = max((n for n, one in enumerate(body.messages) if one.role == "user"), default=None)
    if last is None:
        raise BadInput("There is no message of the user, so nothing is asked.")
    _refuse_what_is_no_text(body.messages[last])
    question = body.messages[last].text.strip()
    if not question:
        raise BadInput("The last message of the user is empty.")
    return question, turns_of(_spoken(body.messages[:last]))


def asked_beside(body: ChatBody) -> AskedBeside:
    """The filters, the language and the kind, from the fields of the request and from its metadata.

    Names that are not ours are another program's, and passed over.

    Raises:
        BadInput: A value that can't be, or the same name in both places.
    """
    fields = {name: value for name, value in (body.model_extra or {}).items() if name in _NAMES}
    noted = {
        name: _value(name, value) for name, value in (body.metadata or {}).items() if name in _NAMES
    }
    if twice := sorted(fields.keys() & noted.keys()):
        raise BadInput(f"{', '.join(twice)}: said in the request and in its metadata; say it once.")
    try:
        return AskedBeside.model_validate({**fields, **noted})
    except ValidationError as error:
        located = [{**one, "loc": ("body", *one["loc"])} for one in error.errors()]
        raise validation_error(located) from None


def _spoken(messages: list[MessageBody]) -> Iterator[tuple[str, str]]:
    for message in messages:
        yield (
            message.role,
            answer_alone(message.text) if message.role == "assistant" else message.text,
        )


def _refuse_what_is_no_text(message: MessageBody) -> None:
    parts = message.content if isinstance(message.content, list) else []
    if other := sorted({part.type for part in parts} - TEXT_PARTS):
        raise BadInput(
            f"A message holds {', '.join(other)}, and text alone is read. Hand documents in by "
            "POST /v1/documents."
        )


def _value(name: str, value: Any) -> Any:
    """Metadata holds text alone: a list is written as JSON, or with commas between."""
    if name not in _LISTS or not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        try:
            return json.loads(value)
        except ValueError:
            raise BadInput(f"metadata.{name}: no list in JSON.") from None
    return [one.strip() for one in value.split(",") if one.strip()]
