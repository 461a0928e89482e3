"""Which parser has read the documents, for whoever runs the service: rights are not asked."""

from sqlalchemy import func, or_, select

from sovereign_rag.catalog.database import IndexedPart
from sovereign_rag.catalog.index_rows import in_index
from sovereign_rag.catalog.tables import documents, index_documents


class Readings(IndexedPart):
    """What is on record of the parsers that made the stored texts."""

    def count_of_others(self, parser: str, tenant: str | None = None) -> int:
        """How many searchable texts another parser made; of all tenants where none is named."""
        of_it = or_(
            documents.c.parse_key == parser,
            documents.c.parse_key.startswith(f"{parser}-", autoescape=True),
        )
        statement = (
            select(func.count())
            .select_from(documents.join(index_documents, in_index(self._index)))
            .where(index_documents.c.version != "", ~of_it)
        )
        if tenant is not None:
            statement = statement.where(documents.c.tenant == tenant)
        with self._database.reading() as connection:
            return connection.execute(statement).scalar_one()
