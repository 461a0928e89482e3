"""Tasks that read a document anew, and leave who may read it as it is by then."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "tasks", sa.Column("keeps_access", sa.Boolean(), nullable=False, server_default=sa.false())
    )
