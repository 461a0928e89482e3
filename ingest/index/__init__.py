"""Chunks become vectors in an index; the version and the rights of what stands there."""
