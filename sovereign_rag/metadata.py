"""What people and systems say of a document, beside what it says of itself.

It is stated by whoever hands a document in, or by an edit, and stays when the document is read
again. As *facts*, texts such as "tag=budget", it stands on chunks and in lists to be filtered by.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, Self

FieldValue = str | float | bool
"""Of a custom field: a keyword or a date (ISO 8601), a number, yes or no."""


@dataclass(frozen=True, slots=True)
class Stated:
    """What was said of a document; None: nothing, and the document's own word counts."""

    title: str | None = None
    address: str | None = None  # where people find it: a link
    author: str | None = None
    date: datetime | None = None  # of its content, with a time zone
    tags: tuple[str, ...] = ()  # in alphabetical order, each once
    fields: Mapping[str, FieldValue] = field(default_factory=dict)  # by name
    language: str | None = None  # a BCP 47 tag: fr, pt-BR

    @property
    def facts(self) -> frozenset[str]:
        """What a list or a search can be narrowed to."""
        author = () if self.author is None else (fact("author", self.author),)
        tags = (fact("tag", tag) for tag in self.tags)
        fields = (fact(f"field.{name}", value) for name, value in self.fields.items())
        return frozenset({*author, *tags, *fields})

    @property
    def spoken(self) -> str | None:
        """The language by its ISO 639 code, without region and script: as texts are found by."""
        return None if self.language is None else self.language.partition("-")[0]

    @property
    def found_by(self) -> tuple[frozenset[str], datetime | None]:
        """What of it stands on chunks beside their language: facts and date."""
        return self.facts, self.date

    def plain(self) -> dict[str, Any]:
        """As JSON takes it."""
        date = None if self.date is None else self.date.astimezone(UTC).isoformat()
        return {**asdict(self), "date": date, "tags": list(self.tags), "fields": dict(self.fields)}

    @classmethod
    def of(cls, plain: Mapping[str, Any] | None) -> Self:
        """Of what `plain` gave."""
        if not plain:
            return cls()
        date = None if plain["date"] is None else datetime.fromisoformat(plain["date"])
        return cls(**{**plain, "date": date, "tags": tuple(plain["tags"])})


NOTHING_STATED = Stated()


def facts_asked(
    tags: Iterable[str] | None,
    authors: Iterable[str] | None,
    fields: Mapping[str, Iterable[FieldValue]],
) -> tuple[frozenset[str], ...]:
    """What a filter asks for: a set for each condition, of which a document has to have one."""
    conditions: list[tuple[str, Iterable[FieldValue] | None]] = [
        ("tag", tags),
        ("author", authors),
        *((f"field.{name}", values) for name, values in fields.items()),
    ]
    return tuple(
        frozenset(fact(name, value) for value in values)
        for name, values in conditions
        if values is not None
    )


def fact(name: str, value: FieldValue) -> str:
    """A fact as it is stored and looked for; numbers are the same however they are written."""
    if isinstance(value, bool):
        return f"{name}={'true' if value else 'false'}"
    if isinstance(value, int | float):
        return f"{name}={float(value)!r}"
    return f"{name}={value}"


@dataclass(frozen=True, slots=True)
class FieldRange:
    """Values of a custom field from one to another, both included; None: open on that side."""

    name: str
    low: FieldValue | None  # a number, or a day as 2024-01-31
    high: FieldValue | None

    def holds(self, told: str) -> bool:
        """Whether a value lies in it, as its fact tells it; of another kind none does."""
        ends = [end for end in (self.low, self.high) if end is not None]
        value: float | str = told
        if not any(isinstance(end, str) for end in ends):
            try:
                value = float(told)
            except ValueError:
                return False
        is_above = self.low is None or self.low <= value  # type: ignore[operator]  # of one kind
        is_below = self.high is None or value <= self.high  # type: ignore[operator]  # likewise
        return is_above and is_below
