"""What leaves documents out of a list, and its order, as addresses say it."""

import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Final, TypeVar

from fastapi import Depends, Query
from pydantic import StringConstraints

from sovereign_rag.catalog.document_query import DocumentQuery, Order
from sovereign_rag.catalog.records import DocumentStatus
from sovereign_rag.domain import Language
from sovereign_rag.errors import BadInput
from sovereign_rag.http.identity import CurrentPrincipal, CurrentService
from sovereign_rag.http.stated import facts_of, range_of
from sovereign_rag.metadata import FieldValue

_Name = Annotated[str, StringConstraints(max_length=2_000)]
_Pair = Annotated[str, StringConstraints(pattern="^[a-z][a-z0-9_]{0,39}:", max_length=300)]
_Moment = Annotated[str, StringConstraints(max_length=40)]
T = TypeVar("T")
_MOST_AFTER: Final = 4_000  # characters of a place in a list

After = Annotated[
    str | None, Query(max_length=_MOST_AFTER, description="The `next` of the page before.")
]


def document_query(
    service: CurrentService,
    principal: CurrentPrincipal,
    q: Annotated[
        str,
        Query(
            max_length=500,
            description="Words of the title or the file name, without regard to accents.",
        ),
    ] = "",
    status: Annotated[
        list[DocumentStatus] | None, Query(description="Only these; may be repeated.")
    ] = None,
    source: Annotated[
        list[_Name] | None,
        Query(max_length=100, description="Only at these URIs, or below them; may be repeated."),
    ] = None,
    type_: Annotated[
        list[_Name] | None,
        Query(
            alias="type",
            max_length=100,
            description="Only of these media types, e.g. application/pdf; may be repeated.",
        ),
    ] = None,
    language: Annotated[
        list[Language] | None, Query(description="Only in these languages; may be repeated.")
    ] = None,
    label: Annotated[
        list[_Name] | None,
        Query(
            max_length=100,
            description="Only what reaches the caller by these labels of their own, e.g. "
            "group:hr; may be repeated.",
        ),
    ] = None,
    tag: Annotated[
        list[_Name] | None,
        Query(max_length=50, description="Only with one of these tags; may be repeated."),
    ] = None,
    author: Annotated[
        list[_Name] | None,
        Query(max_length=50, description="Only stated to be by one of these; may be repeated."),
    ] = None,
    field: Annotated[
        list[_Pair],
        Query(
            max_length=50,
            description="Only with this value of a custom field, NAME:VALUE; may be repeated, and "
            "values of one field are alternatives.",
        ),
    ] = [],  # noqa: B006  # FastAPI copies it
    field_from: Annotated[
        list[_Pair],
        Query(
            max_length=20,
            description="Only with this value of a number or date field or a higher one, "
            "NAME:VALUE; one a field.",
        ),
    ] = [],  # noqa: B006  # FastAPI copies it
    field_to: Annotated[
        list[_Pair],
        Query(
            max_length=20,
            description="Only with this value of a number or date field or a lower one, "
            "NAME:VALUE; one a field.",
        ),
    ] = [],  # noqa: B006  # FastAPI copies it
    from_: Annotated[
        _Moment | None,
        Query(alias="from", description="Only of this day or time, or later; UTC unless it says."),
    ] = None,
    to: Annotated[
        _Moment | None,
        Query(description="Only of this day or earlier, or before this time; UTC unless it says."),
    ] = None,
    sort: Annotated[
        str,
        Query(
            pattern="^-?(id|title|date|updated)$",
            description="What to go by; a minus in front: the last one first.",
        ),
    ] = "id",
) -> DocumentQuery:
    """Which documents, and in which order. Raises BadInput: a time that is none."""
    kinds, low, high = service.settings.metadata.fields, _ends(field_from), _ends(field_to)
    lie_in = [
        service.catalog.facts.within(
            principal.tenant, range_of(name, low.get(name), high.get(name), kinds)
        )
        for name in sorted({*low, *high})
    ]
    return DocumentQuery(
        words=q,
        statuses=_set(status),
        media_types=_set(type_),
        languages=None if language is None else frozenset(map(str, language)),
        sources=_set(source),
        labels=_set(label),
        facts=(*facts_of(tag, author, _fields(field), kinds), *lie_in),
        date_from=_moment(from_),
        date_before=_moment(to, whole_day=True),
        order=Order(sort.removeprefix("-")),
        descending=sort.startswith("-"),
    )


AskedDocuments = Annotated[DocumentQuery, Depends(document_query)]


def _fields(given: Sequence[str]) -> dict[str, list[FieldValue]]:
    """Values by field, of NAME:VALUE."""
    found: dict[str, list[FieldValue]] = {}
    for one in given:
        name, _, value = one.partition(":")
        found.setdefault(name, []).append(value)
    return found


def _ends(given: Sequence[str]) -> dict[str, FieldValue]:
    """One end of a range by field. Raises BadInput: two of one field."""
    found = _fields(given)
    if twice := [name for name, values in found.items() if len(values) > 1]:
        raise BadInput(f"A range of {twice[0]!r} has one end on each side; give it once.")
    return {name: value for name, (value,) in found.items()}


def _set(given: Sequence[T] | None) -> frozenset[T] | None:
    return None if given is None else frozenset(given)


def _moment(given: str | None, *, whole_day: bool = False) -> datetime | None:
    """Of a day its beginning, or with `whole_day` its end."""
    if given is None:
        return None
    try:
        if re.fullmatch(r"\d{4}-\d\d-\d\d", given):
            day = date.fromisoformat(given) + timedelta(days=whole_day)
            return datetime.combine(day, time(), UTC)
        moment = datetime.fromisoformat(given)
        return moment.replace(tzinfo=moment.tzinfo or UTC).astimezone(UTC)
    except (OverflowError, ValueError) as error:
        raise BadInput(
            f"{given!r} is no date: write 2024-01-31, or with a time 2024-01-31T12:00+01:00."
        ) from error
