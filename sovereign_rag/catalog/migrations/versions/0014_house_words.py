"""Acronyms and synonyms of the house."""

import sqlalchemy as sa
from alembic import op

from sovereign_rag.catalog.tables import CleanText, UtcTime

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "house_words",
        sa.Column("tenant", sa.Text, primary_key=True),
        sa.Column("term", CleanText, primary_key=True),
        sa.Column("meaning", CleanText, primary_key=True),
        sa.Column("created", UtcTime, nullable=False),
        sa.Column("created_by", CleanText, nullable=False),
    )
