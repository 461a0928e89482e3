"""Records of all machines are read on each, and erasures reach them all."""

import sqlalchemy as sa
from alembic import op

from sovereign_rag.catalog.tables import UtcTime

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audit_copies",
        sa.Column("writer", sa.String(32), primary_key=True),
        sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
        sa.Column("line", sa.LargeBinary, nullable=False),
    )
    op.create_table(
        "erasures",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("at", UtcTime, nullable=False),
        sa.Column("words", sa.LargeBinary),
    )
    op.create_table(
        "erasure_machines",
        sa.Column("erasure", sa.String(36), primary_key=True),
        sa.Column("writer", sa.String(32), primary_key=True),
        sa.Column("confirmed_at", UtcTime),
        sa.Column("told", sa.JSON, nullable=False),
    )
