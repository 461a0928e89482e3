"""Sources with what they held at the last look, and the documents that come out of archives."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "sources",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("options", sa.JSON(), nullable=False),
        sa.Column("checkpoint", sa.JSON(), nullable=False),
        sa.Column("started", TIME),
        sa.Column("finished", TIME),
        sa.Column("counts", sa.JSON()),
        sa.Column("error", sa.Text()),
        sa.Column("holder", sa.Text()),
        sa.Column("held_until", TIME),
        sa.PrimaryKeyConstraint("id", name="pk_sources"),
    )
    op.create_table(
        "source_items",
        sa.Column("source_id", sa.String(36), nullable=False),
        sa.Column("target", sa.String(36), nullable=False),
        sa.Column("uri", sa.Text(), nullable=False),
        sa.Column("stamp", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger()),
        sa.Column("content_hash", sa.String(64)),
        sa.Column("facts", sa.JSON()),
        sa.Column("job_id", sa.String(36)),
        sa.ForeignKeyConstraint(
            ["source_id"], ["sources.id"], name="fk_source_items_source_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("source_id", "target", name="pk_source_items"),
    )
    op.create_table(
        "archive_members",
        sa.Column("container", sa.String(36), nullable=False),
        sa.Column("document_id", sa.String(36), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("container", "document_id", name="pk_archive_members"),
    )
    op.create_index("ix_archive_members_tenant", "archive_members", ["tenant"])
