"""Jobs that pause by themselves, tasks that clean up after themselves and may bring a password."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("jobs", sa.Column("pause_reason", sa.Text()))
    op.add_column("jobs", sa.Column("retry_at", TIME))
    op.add_column(
        "jobs", sa.Column("faults", sa.Integer(), nullable=False, server_default=sa.text("0"))
    )
    op.add_column("tasks", sa.Column("password", sa.LargeBinary()))
    op.add_column("tasks", sa.Column("cancelled", TIME))
    op.add_column(
        "tasks", sa.Column("faults", sa.Integer(), nullable=False, server_default=sa.text("0"))
    )
    op.add_column(
        "tasks", sa.Column("leftover", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    # Wide enough that the progress of a long job is counted without reading its tasks.
    op.drop_index("ix_tasks_job_id_state", "tasks")
    op.create_index(
        "ix_tasks_job_id_state_pages_chunks", "tasks", ["job_id", "state", "pages", "chunks"]
    )
    op.create_index("ix_tasks_job_id_finished", "tasks", ["job_id", "finished"])
    op.create_index(
        "ix_tasks_leftover",
        "tasks",
        ["id"],
        sqlite_where=sa.text("leftover = 1"),
        postgresql_where=sa.text("leftover"),
    )
