"""Text as people type it when they look for it: without capitals and accents."""

import unicodedata


def folded(text: str) -> str:
    """`text` in lower case and without accents: "Économie" and "ECONOMIE" give the same."""
    parts = unicodedata.normalize("NFKD", text)
    return "".join(c for c in parts if not unicodedata.combining(c)).casefold()
