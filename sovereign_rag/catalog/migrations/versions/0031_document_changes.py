"""Whether documents or their readers changed is told by one number, so that counts are kept."""

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None


def upgrade() -> None:
    table = op.create_table(
        "document_changes",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("number", sa.BigInteger, nullable=False),
    )
    op.bulk_insert(table, [{"id": 1, "number": 0}])
    if op.get_bind().dialect.name != "sqlite":
        return  # where writers run side by side, they would wait for one row
    for watched in ("documents", "document_readers"):
        for event in ("INSERT", "UPDATE", "DELETE"):
            named = f"tr_{watched}_{event.lower()}"
            counting = "UPDATE document_changes SET number = number + 1"
            op.execute(f"CREATE TRIGGER {named} AFTER {event} ON {watched} BEGIN {counting}; END")
