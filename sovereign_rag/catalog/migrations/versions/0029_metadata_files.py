"""Files beside documents say something of them: which one did so last is known."""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("source_items", sa.Column("told_by", sa.Text, nullable=True))
