"""Indexes beside each other: what a document is in each of them, and which one is live.

What was there becomes the first index, as it is; nothing is embedded again.
"""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)
ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    indexes = op.create_table(
        "indexes",
        sa.Column("id", ID, nullable=False, autoincrement=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("collection", sa.Text(), nullable=False),
        sa.Column("recipe", sa.JSON(), nullable=False),
        sa.Column("created", TIME, nullable=False),
        sa.Column("switched", TIME),
        sa.PrimaryKeyConstraint("id", name="pk_indexes"),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "uq_indexes_live",
        "indexes",
        ["state"],
        unique=True,
        sqlite_where=sa.text("state = 'live'"),
        postgresql_where=sa.text("state = 'live'"),
    )
    op.create_table(
        "index_documents",
        sa.Column("index_id", ID, nullable=False),
        sa.Column("document_id", sa.String(36), nullable=False),
        sa.Column("tenant", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("chunks", sa.Integer(), nullable=False),
        sa.Column("stamp", sa.String(32), nullable=False),
        sa.ForeignKeyConstraint(
            ["index_id"], ["indexes.id"], name="fk_index_documents_index_id", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("index_id", "document_id", name="pk_index_documents"),
    )
    op.create_index("ix_index_documents_document_id", "index_documents", ["document_id"])
    op.create_table(
        "holds",
        sa.Column("name", sa.String(32), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("since", TIME, nullable=False),
        sa.Column("held_until", TIME, nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_holds"),
    )
    # Which model made it is known to whoever opens the store; see `OpenIndexes`.
    now = datetime.now(UTC)
    op.execute(
        sa.insert(indexes).values(state="live", collection="", recipe={}, created=now, switched=now)
    )
    op.execute(
        "INSERT INTO index_documents (index_id, document_id, tenant, version, chunks, stamp) "
        "SELECT (SELECT id FROM indexes), id, tenant, version, chunks, '' FROM documents "
        "WHERE version <> ''"
    )
    _without_versions()


def _without_versions() -> None:
    """Drop what a document had one of; SQLite makes the table anew for it, and would take the
    readers, which refer to it, away with the old one.
    """
    is_sqlite = op.get_bind().dialect.name == "sqlite"
    if is_sqlite:
        op.execute("CREATE TEMPORARY TABLE kept AS SELECT * FROM document_readers")
    with op.batch_alter_table("documents") as table:
        table.add_column(sa.Column("stamp", sa.String(32), nullable=False, server_default=""))
        table.drop_column("version")
        table.drop_column("chunks")
    if is_sqlite:
        op.execute("DELETE FROM document_readers")
        op.execute("INSERT INTO document_readers SELECT * FROM kept")
        op.execute("DROP TABLE kept")
