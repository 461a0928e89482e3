"""What organisations say of their documents in fields of their own."""

import re
from typing import Literal

from pydantic import Field, field_validator

from sovereign_rag.settings.section import Section

FieldKind = Literal["keyword", "number", "date", "boolean"]


class MetadataSettings(Section):
    """Fields beside title, address, author, date and tags."""

    fields: dict[str, FieldKind] = Field(
        {},
        description="Custom fields by name, and what their values are: keyword, number, date, "
        'boolean; e.g. `metadata.fields = {department = "keyword"}`.',
    )

    @field_validator("fields")
    @classmethod
    def _names(cls, fields: dict[str, FieldKind]) -> dict[str, FieldKind]:
        for name in fields:
            if not re.fullmatch(r"[a-z][a-z0-9_]{0,39}", name):
                raise ValueError(
                    f"{name!r} can't name a field: take lower-case letters, digits and _, 40 of "
                    "them at most"
                )
        return fields
