"""The house's words: acronyms and synonyms of a tenant, as its admins keep them."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Column, Table, Text, delete, func, insert, select

from sovereign_rag.catalog.database import CatalogPart
from sovereign_rag.catalog.tables import CleanText, UtcTime, metadata
from sovereign_rag.errors import NotFound

house_words = Table(
    "house_words",
    metadata,
    Column("tenant", Text, primary_key=True),
    Column("term", CleanText, primary_key=True),
    Column("meaning", CleanText, primary_key=True),
    Column("created", UtcTime, nullable=False),
    Column("created_by", CleanText, nullable=False),
)


@dataclass(frozen=True, slots=True)
class HouseWord:
    """A term, and one of the things that it stands for."""

    term: str
    meaning: str
    created: datetime
    created_by: str


class HouseWords(CatalogPart):
    """Read with every question: a few hundred rows at most."""

    def of_tenant(self, tenant: str) -> list[HouseWord]:
        """By term and meaning."""
        columns = [house_words.c[name] for name in HouseWord.__dataclass_fields__]
        statement = (
            select(*columns)
            .where(house_words.c.tenant == tenant)
            .order_by(house_words.c.term, house_words.c.meaning)
        )
        with self._database.reading() as connection:
            return [HouseWord(**row) for row in connection.execute(statement).mappings()]

    def add(self, tenant: str, term: str, meaning: str, by: str, *, most: int) -> bool:
        """Keep a word; one that is kept already stays as it is.

        Returns:
            False: The tenant has `most` words, and this one is not kept.
        """
        its = house_words.c.tenant == tenant
        same = its & (house_words.c.term == term) & (house_words.c.meaning == meaning)
        with self._database.writing() as connection:
            if connection.execute(select(house_words.c.term).where(same)).first() is not None:
                return True
            counted = select(func.count()).select_from(house_words).where(its)
            if connection.execute(counted).scalar_one() >= most:
                return False
            row = {"tenant": tenant, "term": term, "meaning": meaning}
            connection.execute(
                insert(house_words).values(**row, created=self._clock(), created_by=by)
            )
            return True

    def remove(self, tenant: str, term: str, meaning: str) -> None:
        """Forget a word. Raises NotFound."""
        same = (
            (house_words.c.tenant == tenant)
            & (house_words.c.term == term)
            & (house_words.c.meaning == meaning)
        )
        with self._database.writing() as connection:
            if not connection.execute(delete(house_words).where(same)).rowcount:
                raise NotFound("There is no such word of the house.")
