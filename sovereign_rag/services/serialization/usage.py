"""Usage, as it goes out."""

from collections.abc import Sequence
from datetime import date
from typing import Self

from pydantic import Field

from sovereign_rag.catalog.usage import UsageRow
from sovereign_rag.services.serialization.body import Body


class UsageRowOut(Body):
    day: date | None = Field(description="UTC; null: summed over all days.")
    person: str | None = Field(description="`user:ana`; null: summed over all.")
    key: str | None = Field(description='A key\'s public id, "" where none was used; null: all.')
    questions: int
    refusals: int = Field(
        description="Of the questions: nothing was found that supports an answer."
    )
    tokens: int = Field(description="Written by the language model.")
    joules: float


class UsageOut(Body):
    """Numbers of one tenant; no question and no answer is kept with them."""

    tenant: str
    since: date
    until: date = Field(description="Included.")
    rows: list[UsageRowOut]

    @classmethod
    def of(cls, rows: Sequence[UsageRow], *, tenant: str, since: date, until: date) -> Self:
        return cls(tenant=tenant, since=since, until=until, rows=[_row(row) for row in rows])


def _row(row: UsageRow) -> UsageRowOut:
    spent = row.spent
    return UsageRowOut(
        day=row.day,
        person=row.person,
        key=row.key,
        questions=spent.questions,
        refusals=spent.refusals,
        tokens=spent.tokens,
        joules=round(spent.joules, 3),
    )
