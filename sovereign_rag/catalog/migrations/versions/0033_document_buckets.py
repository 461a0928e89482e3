"""Which documents changed is told by the beginning of their ids, so that few are counted anew."""

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None

_WATCHED = (("documents", "id"), ("document_readers", "document_id"))
_EVENTS = (("INSERT", "NEW"), ("UPDATE", "NEW"), ("DELETE", "OLD"))
_SEQUENCE = "document_changes_number"


def upgrade() -> None:
    op.create_table(
        "document_buckets",
        sa.Column("bucket", sa.String(3), primary_key=True),
        sa.Column("number", sa.BigInteger, nullable=False),
    )
    op.create_index("ix_document_buckets_number", "document_buckets", ["number"])
    if op.get_bind().dialect.name == "sqlite":
        op.drop_index("ix_documents_overview", "documents")
        _watch_sqlite()
    else:
        _watch_postgresql()


def _watch_sqlite() -> None:
    for watched, id_ in _WATCHED:
        for event, row in _EVENTS:
            named = f"tr_{watched}_{event.lower()}"
            op.execute(f"DROP TRIGGER {named}")
            op.execute(
                f"CREATE TRIGGER {named} AFTER {event} ON {watched} BEGIN "  # noqa: S608  - our words
                "UPDATE document_changes SET number = number + 1; "
                "INSERT INTO document_buckets (bucket, number) "
                f"VALUES (substr({row}.{id_}, 1, 3), (SELECT number FROM document_changes)) "
                "ON CONFLICT (bucket) DO UPDATE SET number = excluded.number; "
                "END"
            )


def _watch_postgresql() -> None:
    # A sequence: one row that each change counts on would leave as many dead ones behind. Writers
    # run one at a time, so that who commits later has the greater numbers.
    op.execute(f"CREATE SEQUENCE {_SEQUENCE}")
    for watched, id_ in _WATCHED:
        for event, row in _EVENTS:
            named = f"{watched}_{event.lower()}"
            op.execute(
                f"CREATE FUNCTION tell_{named}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "  # noqa: S608  - our words
                "INSERT INTO document_buckets (bucket, number) "
                f"VALUES (substr({row}.{id_}, 1, 3), nextval('{_SEQUENCE}')) "
                "ON CONFLICT (bucket) DO UPDATE SET number = excluded.number; "
                "RETURN NULL; END $$"
            )
            op.execute(
                f"CREATE TRIGGER tr_{named} AFTER {event} ON {watched} "
                f"FOR EACH ROW EXECUTE FUNCTION tell_{named}()"
            )
