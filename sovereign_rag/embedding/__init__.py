"""Texts become vectors: `protocol` says what is asked, `dense` and `lexical` do it."""
