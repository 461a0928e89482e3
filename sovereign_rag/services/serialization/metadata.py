"""What was said of documents, as it goes out."""

from typing import Self

from sovereign_rag.metadata import Stated
from sovereign_rag.services.serialization.body import Body


class MetadataOut(Body):
    """What whoever handed a document in, or an edit, says of it; null: nothing."""

    title: str | None
    address: str | None
    author: str | None
    date: str | None
    tags: list[str]
    fields: dict[str, bool | float | str]
    language: str | None

    @classmethod
    def of(cls, stated: Stated) -> Self:
        return cls.model_validate(stated.plain())
