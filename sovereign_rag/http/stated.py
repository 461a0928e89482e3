"""What requests say of documents: checked, and made of one shape."""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Annotated, Final

from pydantic import Field, StringConstraints, ValidationError

from sovereign_rag.errors import BadInput
from sovereign_rag.http.errors import validation_error
from sovereign_rag.http.params import StrictBody
from sovereign_rag.metadata import FieldRange, FieldValue, Stated, facts_asked
from sovereign_rag.settings.metadata import FieldKind

_MOST_CHARACTERS: Final = 20_000  # of it as JSON
_Text = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, pattern=r"^[^\x00-\x1f]+$")
]
_Line = Annotated[_Text, StringConstraints(max_length=500)]
_Tag = Annotated[_Text, StringConstraints(max_length=100)]
_Address = Annotated[str, StringConstraints(pattern=r"^https?://[^\s\x00]+$", max_length=2_000)]


class MetadataBody(StrictBody):
    """What is said of a document; null takes back what was said, so its own word counts again."""

    title: _Line | None = Field(None, description="In place of the title that it has itself.")
    address: _Address | None = Field(None, description="Where people find it: http or https.")
    author: _Line | None = None
    date: datetime | None = Field(
        None, description="Of its content; filters and lists go by it. UTC unless it says."
    )
    tags: list[_Tag] | None = Field(None, max_length=50, examples=[["budget", "2024"]])
    fields: dict[str, str | bool | float | None] | None = Field(
        None,
        max_length=50,
        description="Custom fields, as `metadata.fields` of the settings names them; a date as "
        "2024-01-31.",
        examples=[{"department": "finance"}],
    )

    def over(self, before: Stated, kinds: Mapping[str, FieldKind]) -> Stated:
        """What is stated once this is said, too: what is left out stays as it was.

        Raises:
            BadInput: A field that the settings don't name, or a value of another kind.
        """
        said = self.model_fields_set
        fields = dict(before.fields)
        for name, value in (self.fields or {}).items():
            fields.pop(name, None)
            if value is not None:
                fields[name] = _value(name, value, kinds)
        if "fields" in said and self.fields is None:
            fields = {}
        moment = self.date
        if moment is not None and moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return Stated(
            title=self.title if "title" in said else before.title,
            address=self.address if "address" in said else before.address,
            author=self.author if "author" in said else before.author,
            date=moment if "date" in said else before.date,
            tags=tuple(sorted(set(self.tags or ()))) if "tags" in said else before.tags,
            fields=fields,
        )


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
        name: [_value(name, value, kinds) for value in values] for name, values in fields.items()
    }
    return facts_asked(tags, authors, checked)


def range_of(
    name: str, low: FieldValue | None, high: FieldValue | None, kinds: Mapping[str, FieldKind]
) -> FieldRange:
    """A range of a number or a day, checked.

    Raises:
        BadInput: There is no such field, it has no order, or an end is of another kind.
    """
    ends = [None if end is None else _value(name, end, kinds) for end in (low, high)]
    if kinds.get(name) not in {"number", "date"} or ends == [None, None]:
        raise BadInput(
            f"The field {name!r} takes no range: fields that are a number or a date do, with "
            "`from`, `to`, or both."
        )
    return FieldRange(name, *ends)


def _value(name: str, value: FieldValue, kinds: Mapping[str, FieldKind]) -> FieldValue:
    kind = kinds.get(name)
    if kind is None:
        known = ", ".join(sorted(kinds)) or "none"
        raise BadInput(f"There is no field {name!r}; metadata.fields names {known}.")
    try:
        if kind == "boolean":
            return {"true": True, "false": False}[str(value).lower()]
        if kind == "number" and not isinstance(value, bool):
            return float(value)
        if kind == "date":
            return date.fromisoformat(str(value)).isoformat()
        if kind == "keyword" and isinstance(value, str) and re.fullmatch(r"[^\x00]{1,200}", value):
            return value.strip()
    except (ValueError, KeyError):
        pass
    shapes = {"keyword": "a text of up to 200 characters", "date": "a day such as 2024-01-31"}
    raise BadInput(f"The field {name!r} takes {shapes.get(kind, f'a {kind}')}, not {value!r}.")
