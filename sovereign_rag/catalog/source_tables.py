"""Tables of what the console knows of sources: those that it added, what is wanted, what was."""

from sqlalchemy import JSON, Boolean, Column, ForeignKey, Index, String, Table, Text, false

from sovereign_rag.catalog.tables import ID, CleanText, UtcTime, metadata

source_plans = Table(
    "source_plans",
    metadata,
    Column("name", String(64), primary_key=True),  # one name for all tenants, as in the settings
    Column("tenant", Text, nullable=False, index=True),
    Column("section", JSON),  # NULL: the settings name it
    Column("is_paused", Boolean, nullable=False, server_default=false()),
    Column("wanted", UtcTime),  # somebody asked for a sync then, and none has begun since
    Column("created", UtcTime, nullable=False),
    Column("created_by", CleanText, nullable=False),
)

source_runs = Table(
    "source_runs",
    metadata,
    Column("id", ID, primary_key=True, autoincrement=True),
    Column("source_id", String(36), ForeignKey("sources.id", ondelete="CASCADE"), nullable=False),
    Column("started", UtcTime, nullable=False),
    Column("finished", UtcTime, nullable=False),
    Column("counts", JSON),  # NULL: it did not come to its end
    Column("error", CleanText),
    Index("ix_source_runs_source_id_id", "source_id", "id"),
)
