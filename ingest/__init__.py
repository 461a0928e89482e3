"""The write side: an organisation's documents become searchable chunks."""

import sovereign_rag  # the first import: it turns off everything that would phone home  # noqa: F401
