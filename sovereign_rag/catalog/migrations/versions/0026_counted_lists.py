"""Lists without filters are counted by an index that holds the level, too."""

from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_documents_tenant_id_level", "documents", ["tenant", "id", "level"])
    op.drop_index("ix_documents_tenant_id", "documents")
