"""Alembic's entry: it works on the connection, and in the transaction, that `migrate` hands it."""

from alembic import context

from sovereign_rag.catalog.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    render_as_batch=True,
)
context.run_migrations()
