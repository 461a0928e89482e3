"""What was stated of a tenant's documents, to be narrowed by ranges of numbers and days."""

from typing import Final

from sqlalchemy import ColumnElement, select

from sovereign_rag.catalog.database import CatalogPart
from sovereign_rag.catalog.tables import document_facts, documents
from sovereign_rag.errors import BadInput
from sovereign_rag.metadata import FieldRange, fact

MOST_VALUES: Final = 20_000  # of one range


class Facts(CatalogPart):
    """Facts are texts; a range is the set of those that lie in it."""

    def within(self, tenant: str, wanted: FieldRange) -> frozenset[str]:
        """The facts of a tenant whose value lies in a range, both ends included.

        Raises:
            BadInput: There are more than `MOST_VALUES` different ones.
        """
        begin = fact(f"field.{wanted.name}", "")
        statement = (
            select(document_facts.c.fact)
            .join(documents, documents.c.id == document_facts.c.document_id)
            .where(documents.c.tenant == tenant, self._begins(begin))
            .distinct()
        )
        with self._database.reading() as connection:
            found = [value for (value,) in connection.execute(statement)]
        kept = frozenset(one for one in found if wanted.holds(one.removeprefix(begin)))
        if len(kept) > MOST_VALUES:
            raise BadInput(
                f"The field {wanted.name!r} has more than {MOST_VALUES:,} values in that range: "
                "ask for a narrower one."
            )
        return kept

    def _begins(self, begin: str) -> ColumnElement[bool]:
        """With no sign in it that a pattern takes for another: names are letters, digits and _."""
        if self._database.is_sqlite:  # there an index serves this, and not LIKE
            return document_facts.c.fact.op("GLOB")(f"{begin}*")
        return document_facts.c.fact.startswith(begin, autoescape=True)
