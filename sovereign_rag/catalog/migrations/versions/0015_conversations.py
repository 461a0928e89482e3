"""Conversations: what people asked and were answered, sealed."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    number = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "conversations",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("title", sa.LargeBinary(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_conversations"),
    )
    op.create_index("ix_conversations_updated", "conversations", ["updated"])
    op.create_index(
        "ix_conversations_tenant_owner_updated", "conversations", ["tenant", "owner", "updated"]
    )
    op.create_table(
        "conversation_turns",
        sa.Column("id", number, autoincrement=True, nullable=False),
        sa.Column("conversation_id", sa.String(36), nullable=False),
        sa.Column("asked", sa.DateTime(timezone=True), nullable=False),
        sa.Column("question", sa.LargeBinary(), nullable=False),
        sa.Column("answer", sa.LargeBinary()),
        sa.Column("kind", sa.String(16)),
        sa.Column("holds_words", sa.Boolean(), nullable=False, server_default=sa.false()),
        sa.Column("share", sa.String(43)),
        sa.Column("is_helpful", sa.Boolean()),
        sa.Column("reason", sa.LargeBinary()),
        sa.Column("voted", sa.DateTime(timezone=True)),
        sa.ForeignKeyConstraint(
            ["conversation_id"],
            ["conversations.id"],
            ondelete="CASCADE",
            name="fk_conversation_turns_conversation_id",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_conversation_turns"),
        sa.UniqueConstraint("share", name="uq_conversation_turns_share"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_conversation_turns_conversation_id", "conversation_turns", ["conversation_id"]
    )
    op.create_table(
        "conversation_turn_documents",
        sa.Column("turn_id", number, nullable=False),
        sa.Column("document_id", sa.String(36), nullable=False),
        sa.ForeignKeyConstraint(
            ["turn_id"],
            ["conversation_turns.id"],
            ondelete="CASCADE",
            name="fk_conversation_turn_documents_turn_id",
        ),
        sa.PrimaryKeyConstraint("turn_id", "document_id", name="pk_conversation_turn_documents"),
    )
    op.create_index(
        "ix_conversation_turn_documents_document_id",
        "conversation_turn_documents",
        ["document_id"],
    )
