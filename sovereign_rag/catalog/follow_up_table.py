"""The tables of what the vector store is still to be told; beside the others in `tables`."""

from sqlalchemy import Boolean, Column, Integer, String, Table, Text, false
from sqlalchemy.types import JSON

from sovereign_rag.catalog.tables import UtcTime, metadata

follow_ups = Table(  # what the vector store is still to be told of documents
    "follow_ups",
    metadata,
    Column("document_id", String(36), primary_key=True),
    Column("tenant", Text, nullable=False, index=True),
    Column("readers", JSON(none_as_null=True)),  # that it will have; NULL: as the catalog says
    Column("level", Integer),
    Column("stamp", String(32), nullable=False),  # another one with each change
    # What is found by words may be in another language than is stated.
    Column("language", Boolean, nullable=False, server_default=false()),
    Column("noted", UtcTime, nullable=False),
    Column("holder", Text),  # who tells the store of it right now
    Column("held_until", UtcTime),
)

late_writes = Table(  # documents that a node of the store may yet change, which was given up
    "late_writes",
    metadata,
    Column("document_id", String(36), primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("looks", Integer, nullable=False),  # taken so far
    Column("look_at", UtcTime, nullable=False, index=True),
)
