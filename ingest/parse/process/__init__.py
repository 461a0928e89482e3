"""The sandboxed processes in which documents are read."""
