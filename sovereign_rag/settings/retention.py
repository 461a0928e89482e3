"""How long documents and the audit record are kept."""

from typing import Literal, Self

from pydantic import Field, PositiveInt, model_validator

from sovereign_rag.settings.section import Section


class RetentionRule(Section):
    """Documents that are kept no longer than some days; what is given of a class must all hold."""

    days: PositiveInt
    since: Literal["modified", "created"] = Field(
        "modified", description="modified: the file's own date, else when it came in."
    )
    source: str | None = Field(None, description="The name of a source, or `upload`.")
    media_type: str | None = None
    label: str | None = Field(None, description="A reader, such as group:hr.")
    address: str | None = Field(None, description="A glob that its address matches.")
    tenant: str = "default"

    @model_validator(mode="after")
    def _has_a_class(self) -> Self:
        if not (self.source or self.media_type or self.label or self.address):
            raise ValueError("a rule says of which documents: source, media_type, label or address")
        return self


class RetentionSettings(Section):
    """What `sovereign-rag retention apply` removes; nothing is removed without it."""

    rules: tuple[RetentionRule, ...] = Field(
        (),
        description="Each with `days` and a class of documents: source, media_type, label or address: docs/operations.md. A document goes with the first rule that says so.",
    )
    holds: tuple[str, ...] = Field(
        (),
        description="Legal holds: globs of addresses, or ids, of documents that no rule removes.",
    )
    record_days: PositiveInt | None = Field(
        None,
        description="Months of the audit record that ended longer ago are removed; unset: kept.",
    )
