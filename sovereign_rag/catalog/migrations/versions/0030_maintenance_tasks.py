"""Work on the machine that is asked for on the console."""

import sqlalchemy as sa
from alembic import op

from sovereign_rag.catalog.tables import CleanText, UtcTime

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "maintenance_tasks",
        sa.Column("id", sa.Text, primary_key=True),
        sa.Column("kind", sa.Text, nullable=False),
        sa.Column("detail", sa.JSON, nullable=False),
        sa.Column("asked", UtcTime, nullable=False),
        sa.Column("asked_by", CleanText, nullable=False),
        sa.Column("holder", sa.Text),
        sa.Column("held_until", UtcTime),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("started", UtcTime),
        sa.Column("finished", UtcTime),
        sa.Column("done", sa.Integer, nullable=False),
        sa.Column("total", sa.Integer, nullable=False),
        sa.Column("is_stopping", sa.Boolean, nullable=False),
        sa.Column("result", sa.JSON),
        sa.Column("error", CleanText),
    )
