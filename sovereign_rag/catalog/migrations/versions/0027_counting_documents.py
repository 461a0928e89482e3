"""What somebody may read is counted without looking at each document's readers."""

from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_document_readers_label", "document_readers", ["label", "document_id"])
    if op.get_bind().dialect.name == "sqlite":
        columns = ["tenant", "status", "level", "media_type", "language", "uri", "id", "updated"]
        op.create_index("ix_documents_overview", "documents", columns)
