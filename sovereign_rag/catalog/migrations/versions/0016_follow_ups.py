"""What the vector store is still to be told of documents: rights that changed, removals."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "follow_ups",
        sa.Column("document_id", sa.String(36), nullable=False),
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("readers", sa.JSON, nullable=True),
        sa.Column("level", sa.Integer, nullable=True),
        sa.Column("stamp", sa.String(32), nullable=False),
        sa.Column("noted", sa.DateTime(timezone=True), nullable=False),
        sa.Column("holder", sa.Text, nullable=True),
        sa.Column("held_until", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("document_id", name="pk_follow_ups"),
    )
    op.create_index("ix_follow_ups_tenant", "follow_ups", ["tenant"])
