"""What an answer itself says to an asker: the texts `notice.…` of text/locales."""

from sovereign_rag.text.locale import nearest_locale


def message(key: str, language: str, **values: str) -> str:
    """The text `notice.KEY` in `language` (English where we don't speak it), with values put in."""
    return nearest_locale(language)(f"notice.{key}", **values)


def counted(key: str, language: str, n: int) -> str:
    """The text `notice.KEY.one` or `.many`, whichever suits `n` (at least 1) in `language`."""
    return nearest_locale(language).count(f"notice.{key}", n)
