"""The tables of conversations; of what was asked and answered they hold sealed bytes alone."""

from sqlalchemy import Boolean, Column, ForeignKey, Index, LargeBinary, String, Table, Text, false

from sovereign_rag.catalog.tables import ID, CleanText, UtcTime, metadata

conversations = Table(
    "conversations",
    metadata,
    Column("id", String(36), primary_key=True),
    Column("tenant", Text, nullable=False),
    Column("owner", CleanText, nullable=False),
    Column("title", LargeBinary, nullable=False),
    Column("created", UtcTime, nullable=False),
    Column("updated", UtcTime, nullable=False, index=True),
    Index("ix_conversations_tenant_owner_updated", "tenant", "owner", "updated"),
)

turns = Table(
    "conversation_turns",
    metadata,
    Column("id", ID, primary_key=True, autoincrement=True),
    Column(
        "conversation_id",
        String(36),
        ForeignKey("conversations.id", ondelete="CASCADE"),
        nullable=False,
        index=True,
    ),
    Column("asked", UtcTime, nullable=False),
    Column("question", LargeBinary, nullable=False),
    Column("answer", LargeBinary),  # NULL: it never came whole, or a document it was from is gone
    Column("kind", String(16)),  # of the answer; NULL while there is none
    # Its words, not just where quotes stand: they go with any document that they were drawn from.
    Column("holds_words", Boolean, nullable=False, server_default=false()),
    Column("share", String(43), unique=True),  # in the address that a colleague opens it by
    Column("is_helpful", Boolean),
    Column("reason", LargeBinary),
    Column("voted", UtcTime),
    sqlite_autoincrement=True,
)

turn_documents = Table(  # what an answer was drawn from
    "conversation_turn_documents",
    metadata,
    Column(
        "turn_id", ID, ForeignKey("conversation_turns.id", ondelete="CASCADE"), primary_key=True
    ),
    Column("document_id", String(36), primary_key=True, index=True),
)
