"""Answers that admins wrote, with their sources."""

import sqlalchemy as sa
from alembic import op

from sovereign_rag.catalog.tables import CleanText, UtcTime

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "curated_answers",
        sa.Column("id", sa.String(36), primary_key=True),
        sa.Column("tenant", sa.Text, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("checked", UtcTime, nullable=False),
        sa.Column("checked_by", CleanText, nullable=False),
        sa.Column("due", sa.Date, nullable=False),
        sa.Column("revision", sa.Integer, nullable=False),
    )
    op.create_index("ix_curated_answers_tenant", "curated_answers", ["tenant"])
    op.create_table(
        "curated_sources",
        sa.Column(
            "answer_id",
            sa.String(36),
            sa.ForeignKey("curated_answers.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column("position", sa.Integer, primary_key=True),
        sa.Column("document_id", sa.String(36), nullable=False),
        sa.Column("content_hash", sa.String(64), nullable=False),
        sa.Column("quote", sa.LargeBinary),
    )
    op.create_index("ix_curated_sources_document_id", "curated_sources", ["document_id"])
