"""What requests say of documents: checked, and made of one shape."""

import json
from collections.abc import Mapping, Sequence
from typing import Final

from pydantic import ValidationError

from sovereign_rag.errors import BadInput
from sovereign_rag.http.errors import validation_error
from sovereign_rag.metadata import FieldRange, FieldValue, facts_asked
from sovereign_rag.services.stated import MetadataBody, checked_value
from sovereign_rag.settings.metadata import FieldKind

_MOST_CHARACTERS: Final = 20_000  # of it as JSON


def read_metadata(text: str) -> MetadataBody:
    """The field of a form. Raises BadInput: it is no JSON, or says what is not understood."""
    if len(text) > _MOST_CHARACTERS:
        raise BadInput(f"metadata has more than {_MOST_CHARACTERS} characters; say less.")
    try:
        return MetadataBody.model_validate(json.loads(text))
    except json.JSONDecodeError as error:
        raise BadInput(
            'metadata is no JSON: write {"title": "…", "tags": ["…"], "fields": {…}}.'
        ) from error
    except ValidationError as error:
        located = [{**one, "loc": ("metadata", *one["loc"])} for one in error.errors()]
        raise validation_error(located) from None


def facts_of(
    tags: Sequence[str] | None,
    authors: Sequence[str] | None,
    fields: Mapping[str, Sequence[FieldValue]],
    kinds: Mapping[str, FieldKind],
) -> tuple[frozenset[str], ...]:
    """What a filter asks for: one set for each condition, of which one has to be there.

    Raises:
        BadInput: As `MetadataBody.over`.
    """
    checked = {
        name: [checked_value(name, value, kinds) for value in values]
        for name, values in fields.items()
    }
    return facts_asked(tags, authors, checked)


def range_of(
    name: str, low: FieldValue | None, high: FieldValue | None, kinds: Mapping[str, FieldKind]
) -> FieldRange:
    """A range of a number or a day, checked.

    Raises:
        BadInput: There is no such field, it has no order, or an end is of another kind.
    """
    ends = [None if end is None else checked_value(name, end, kinds) for end in (low, high)]
    if kinds.get(name) not in {"number", "date"} or ends == [None, None]:
        raise BadInput(
            f"The field {name!r} takes no range: fields that are a number or a date do, with "
            "`from`, `to`, or both."
        )
    return FieldRange(name, *ends)
