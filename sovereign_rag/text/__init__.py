"""Natural language: which one it is, where its sentences end."""
