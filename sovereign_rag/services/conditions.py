"""Conditions as other programs write filters: a key, a comparison, values -> a search's filter.

The keys are `document_id`, `language`, `media_type`, `source` (a URI, or a folder's), `label` and
`modified`. Conditions leave out some of what the principal may read; nothing can add to it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from sovereign_rag.errors import BadInput
from sovereign_rag.store.protocol import SearchFilter

_OF_SETS: Final = {
    ("document_id", True): "documents",
    ("document_id", False): "exclude_documents",
    ("language", True): "languages",
    ("media_type", True): "media_types",
    ("source", True): "sources",
    ("label", True): "labels",
}
_OF_TIME: Final = {">=": "modified_from", "<": "modified_before"}
_EQUAL: Final = {"==": True, "in": True, "!=": False, "nin": False}
ALLOWED: Final = (
    "Of filters these are known, all of which must hold: document_id with ==, in, != and nin; "
    "language, media_type, source and label with == and in; modified with >= and <, an ISO date."
)


@dataclass(frozen=True, slots=True)
class Condition:
    """What must hold of a document; `operator` is one of ==, in, !=, nin, >=, <."""

    key: str
    operator: str
    value: object


def filter_of(conditions: Iterable[Condition]) -> SearchFilter:
    """The filter that is meant when all conditions must hold.

    Raises:
        BadInput: A condition that can't be kept to: another key or operator, the same one twice.
            None is passed over, for then more would be found than was asked for.
    """
    fields: dict[str, frozenset[str] | datetime] = {}
    for condition in conditions:
        name, value = _field(condition)
        if name in fields:
            raise BadInput(
                f"Two filters on {condition.key} were given, where one is taken. {ALLOWED}"
            )
        fields[name] = value
    return SearchFilter(**fields)  # type: ignore[arg-type]  # each name with the type of its field


def _field(given: Condition) -> tuple[str, frozenset[str] | datetime]:
    if given.key == "modified" and given.operator in _OF_TIME:
        return _OF_TIME[given.operator], _time(given)
    name = _OF_SETS.get((given.key, _EQUAL[given.operator])) if given.operator in _EQUAL else None
    if name is None:
        raise BadInput(f"A filter on {given.key} with {given.operator} is none. {ALLOWED}")
    values = given.value if isinstance(given.value, list) else [given.value]
    if not all(isinstance(value, str) for value in values):
        raise BadInput(f"A filter on {given.key} takes text, got {given.value!r}. {ALLOWED}")
    return name, frozenset(map(str, values))


def _time(given: Condition) -> datetime:
    try:
        moment = datetime.fromisoformat(str(given.value))
    except ValueError as error:
        raise BadInput(f"modified takes an ISO date, got {given.value!r}. {ALLOWED}") from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
