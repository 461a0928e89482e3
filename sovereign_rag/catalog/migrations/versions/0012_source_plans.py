"""Sources that are added on the console, paused or wanted; and the syncs that there were."""

import sqlalchemy as sa
from alembic import op

from sovereign_rag.catalog.tables import ID, CleanText, UtcTime

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "source_plans",
        sa.Column("name", sa.String(64), primary_key=True),
        sa.Column("tenant", sa.Text, nullable=False, index=True),
        sa.Column("section", sa.JSON),
        sa.Column("is_paused", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("wanted", UtcTime),
        sa.Column("created", UtcTime, nullable=False),
        sa.Column("created_by", CleanText, nullable=False),
    )
    op.create_table(
        "source_runs",
        sa.Column("id", ID, primary_key=True, autoincrement=True),
        sa.Column(
            "source_id",
            sa.String(36),
            sa.ForeignKey("sources.id", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("started", UtcTime, nullable=False),
        sa.Column("finished", UtcTime, nullable=False),
        sa.Column("counts", sa.JSON),
        sa.Column("error", CleanText),
    )
    op.create_index("ix_source_runs_source_id_id", "source_runs", ["source_id", "id"])
