"""What people and systems say of documents: title, author, date, tags, fields of their own."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("documents", sa.Column("stated", sa.JSON, nullable=True))
    op.add_column("documents", sa.Column("found_title", sa.Text, nullable=True))
    op.add_column("tasks", sa.Column("stated", sa.JSON, nullable=True))
    op.create_table(
        "document_facts",
        sa.Column("document_id", sa.String(36), nullable=False),
        sa.Column("fact", sa.Text, nullable=False),
        sa.ForeignKeyConstraint(
            ["document_id"],
            ["documents.id"],
            name="fk_document_facts_document_id_documents",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("document_id", "fact", name="pk_document_facts"),
    )
    op.create_index("ix_document_facts_fact_document_id", "document_facts", ["fact", "document_id"])
