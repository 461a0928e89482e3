"""The right to work on a document or a source, held by one process at a time."""
