"""Settings that are changed while the service runs."""

import sqlalchemy as sa
from alembic import op

from sovereign_rag.catalog.tables import CleanText, UtcTime

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "setting_values",
        sa.Column("name", sa.Text, primary_key=True),
        sa.Column("value", sa.JSON, nullable=False),
        sa.Column("before", sa.JSON, nullable=False),
        sa.Column("changed", UtcTime, nullable=False),
        sa.Column("changed_by", CleanText, nullable=False),
    )
