"""Usage: how much was asked and what it took, by day, person or key; no text is kept of it."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Query
from starlette.requests import Request
from starlette.responses import Response

from sovereign_rag.access import Principal
from sovereign_rag.catalog.usage import DIMENSIONS, Dimension, Spent, UsageRow
from sovereign_rag.http.identity import CurrentService
from sovereign_rag.web.admin.frame import console_page
from sovereign_rag.web.admin.guard import Part, entering
from sovereign_rag.web.admin.quality import PERIODS

router = APIRouter()
MOST_ROWS: Final = 500  # of people or keys; the API tells all of them


@router.get("/admin/usage")
def usage_page(
    request: Request,
    overseer: Annotated[Principal, Depends(entering(Part.USAGE))],
    service: CurrentService,
    days: Annotated[int, Query(ge=1, le=366)] = 30,
    by: Dimension = "day",
) -> Response:
    last = datetime.now(UTC).date()
    first = last - timedelta(days=days - 1)
    # A key's number says nothing to people, so that it stands beside whose it is.
    told: list[Dimension] = ["person", "key"] if by == "key" else [by]
    rows = service.oversight.usage.read(overseer, since=first, until=last, by=told)
    return console_page(
        request,
        "usage.html",
        Part.USAGE,
        principal=overseer,
        by=by,
        dimensions=DIMENSIONS,
        total=_total(rows),
        each_day=_each_day(rows, first, days) if by == "day" else (),
        rows=_most_first(rows)[:MOST_ROWS] if by != "day" else (),
        left_out=max(0, len(rows) - MOST_ROWS) if by != "day" else 0,
        periods=PERIODS,
        days=days,
    )


def _total(rows: Sequence[UsageRow]) -> Spent:
    return Spent(
        questions=sum(row.spent.questions for row in rows),
        refusals=sum(row.spent.refusals for row in rows),
        tokens=sum(row.spent.tokens for row in rows),
        joules=sum(row.spent.joules for row in rows),
    )


def _each_day(rows: Sequence[UsageRow], first: date, days: int) -> list[tuple[date, Spent]]:
    """Every day of the period, oldest first, also those on which nobody asked."""
    spent = {row.day: row.spent for row in rows}
    every = (first + timedelta(days=number) for number in range(days))
    return [(day, spent.get(day, Spent(questions=0))) for day in every]


def _most_first(rows: Sequence[UsageRow]) -> list[UsageRow]:
    return sorted(rows, key=lambda row: (-row.spent.questions, row.person or "", row.key or ""))
