"""Passages for a question, within what its asker may read."""
