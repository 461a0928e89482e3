"""Sessions that the organisation's directory vouches for, and ends."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for name in ("issuer", "subject", "sid"):
        op.add_column("sessions", sa.Column(name, sa.Text, nullable=True))
