"""PostgreSQL tells of changes to jobs, tasks, keys and sessions as they are committed."""

from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

_TELL = """
CREATE FUNCTION sovereign_rag_tell() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_ARGV[0] = 'callers' THEN
        PERFORM pg_notify('sovereign_rag', TG_TABLE_SCHEMA || '.callers');
    ELSE
        EXECUTE format(
            'SELECT pg_notify(''sovereign_rag'', %L || id) FROM'
            ' (SELECT DISTINCT %I AS id FROM changed LIMIT 100) AS jobs',
            TG_TABLE_SCHEMA || '.job:', TG_ARGV[0]
        );
    END IF;
    RETURN NULL;
END
$$
"""

_JOBS = (("jobs", "id"), ("tasks", "job_id"))
_CALLERS = ("api_keys", "sessions")


def upgrade() -> None:
    if op.get_bind().dialect.name != "postgresql":
        return
    op.execute(_TELL)
    for table, column in _JOBS:
        for event in ("INSERT", "UPDATE"):
            op.execute(
                f"CREATE TRIGGER {table}_tell_{event.lower()} AFTER {event} ON {table} "
                "REFERENCING NEW TABLE AS changed FOR EACH STATEMENT "
                f"EXECUTE FUNCTION sovereign_rag_tell('{column}')"
            )
    for table in _CALLERS:
        op.execute(
            f"CREATE TRIGGER {table}_tell AFTER INSERT OR UPDATE OR DELETE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION sovereign_rag_tell('callers')"
        )
