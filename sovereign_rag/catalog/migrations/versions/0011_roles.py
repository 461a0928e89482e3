"""Roles of keys and sessions, the scopes that they are held to, what curators look after."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("api_keys", "sessions"):
        for name in ("roles", "held_to", "curates"):
            op.add_column(table, sa.Column(name, sa.JSON, nullable=True))
