"""Documents found by words and put in order: by title, by date, by what came in last."""

import sqlalchemy as sa
from alembic import op

from sovereign_rag.text.folding import folded

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_AT_ONCE = 1_000
_MOST_SOUGHT = 500


def upgrade() -> None:
    op.add_column("documents", sa.Column("sought", sa.Text, nullable=False, server_default=""))
    op.add_column("documents", sa.Column("dated", sa.DateTime(timezone=True), nullable=True))
    op.execute("UPDATE documents SET dated = COALESCE(modified, created)")
    _fill()
    op.create_index(
        "ix_documents_lists",
        "documents",
        ["tenant", "sought", "id", "level", "status", "media_type", "language", "dated"],
    )
    for name in ("dated", "updated"):
        op.create_index(f"ix_documents_tenant_{name}_id", "documents", ["tenant", name, "id"])


def _fill() -> None:
    connection, last = op.get_bind(), ""
    some = sa.text("SELECT id, title, name FROM documents WHERE id > :last ORDER BY id LIMIT :most")
    fill = sa.text("UPDATE documents SET sought = :sought WHERE id = :id")
    while rows := connection.execute(some, {"last": last, "most": _AT_ONCE}).all():
        values = [
            {"id": id_, "sought": folded(f"{title}\n{name}")[:_MOST_SOUGHT]}
            for id_, title, name in rows
        ]
        connection.execute(fill, values)
        last = rows[-1].id
