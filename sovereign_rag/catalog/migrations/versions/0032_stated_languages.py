"""A language may be stated of a document; the one that its text told stays known."""

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("documents", sa.Column("found_language", sa.Text, nullable=True))
    op.execute("UPDATE documents SET found_language = language")
    op.add_column(
        "follow_ups",
        sa.Column("language", sa.Boolean, nullable=False, server_default=sa.false()),
    )
