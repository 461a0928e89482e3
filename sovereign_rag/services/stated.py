"""What is said of documents, checked: a request's, and that of a file beside a document."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from typing import Annotated, Final

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
)

from sovereign_rag.errors import BadInput
from sovereign_rag.metadata import NOTHING_STATED, FieldValue, Stated
from sovereign_rag.settings.metadata import FieldKind
from sovereign_rag.text.language_tag import checked_tag

_OF_RIGHTS: Final = frozenset({"readers", "level", "tenant"})
_Text = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, pattern=r"^[^\x00-\x1f]+$")
]
_Line = Annotated[_Text, StringConstraints(max_length=500)]
_Tag = Annotated[_Text, StringConstraints(max_length=100)]
_LanguageTag = Annotated[_Text, StringConstraints(max_length=35), AfterValidator(checked_tag)]
_Address = Annotated[str, StringConstraints(pattern=r"^https?://[^\s\x00]+$", max_length=2_000)]


class MetadataBody(BaseModel):
    """What is said of a document; null takes back what was said, so its own word counts again."""

    model_config = ConfigDict(extra="forbid", frozen=True)

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
    language: _LanguageTag | None = Field(
        None,
        description="In place of the one that is told from the text: its code (fr) or BCP 47 tag "
        "(pt-BR). What is found by its words, filters and counts go by it.",
        examples=["fr"],
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
                fields[name] = checked_value(name, value, kinds)
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
            language=self.language if "language" in said else before.language,
        )


def read_stated(content: bytes, kinds: Mapping[str, FieldKind]) -> Stated:
    """All that a file beside a document says of it.

    Raises:
        BadInput: It is no JSON, or says what is not understood; the field is named.
    """
    return read_body(content).over(NOTHING_STATED, kinds)


def read_body(content: bytes) -> MetadataBody:
    """As `read_stated`, for a service whose custom fields are not known here."""
    try:
        told = json.loads(content.decode("utf-8-sig"))
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise BadInput(f'it is no JSON ({error}); write {{"title": "…"}}') from error
    if not isinstance(told, dict):
        raise BadInput('it is no JSON object; write {"title": "…", "tags": ["…"]}')
    if rights := sorted(_OF_RIGHTS & told.keys()):
        raise BadInput(
            f"{rights[0]}: who may read is never said here; write it into .access.yaml or the "
            "settings"
        )
    try:
        return MetadataBody.model_validate(told)
    except ValidationError as error:
        lines = (f"{'.'.join(map(str, one['loc']))}: {one['msg']}" for one in error.errors())
        raise BadInput("; ".join(lines)) from None


def checked_value(name: str, value: FieldValue, kinds: Mapping[str, FieldKind]) -> FieldValue:
    """A value of a custom field as its kind has it. Raises BadInput: there is none, or another."""
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
