"""Words of a language that rules look for, one TOML file a language.

A file holds tables, one for each module that reads it; a value is a regular expression without
its borders, or a list of words. Patterns are matched whatever the case, at word borders.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any

from sovereign_rag.domain import LANGUAGES


def table(language: str, name: str) -> Mapping[str, str | Sequence[str]]:
    """The table `name` of a language; English's where it has no file, empty where it has none."""
    return _tables(language if language in LANGUAGES else "en").get(name, {})


@cache
def _tables(language: str) -> Mapping[str, Mapping[str, str | Sequence[str]]]:
    file = resources.files("sovereign_rag.text") / "lexicons" / f"{language}.toml"
    return tomllib.loads(file.read_text(encoding="utf-8"))


@cache
def expression(language: str, name: str, key: str) -> str:
    """The regular expression `key` of a table, as a group; one that never matches where none is."""
    found = table(language, name).get(key, r"(?!)")
    return f"(?:{found if isinstance(found, str) else '|'.join(map(re.escape, found))})"


@cache
def pattern(language: str, name: str, key: str) -> re.Pattern[str]:
    """The expression `key` of a table at word borders, whatever the case."""
    return re.compile(rf"(?<!\w){expression(language, name, key)}(?!\w)", re.IGNORECASE)


@cache
def words(language: str, name: str, key: str) -> frozenset[str]:
    """The list `key` of a table, case folded."""
    found = table(language, name).get(key, ())
    return frozenset(
        word.casefold() for word in (found.split() if isinstance(found, str) else found)
    )


@cache
def entries(language: str | None, name: str) -> Mapping[str, Any]:
    """The table `name` of a language, whatever it holds; empty where the language has no file."""
    return table(language, name) if language in LANGUAGES else {}


@cache
def whole_words(language: str | None, name: str, key: str) -> re.Pattern[str] | None:
    """As `pattern`; None where the language has no file, or its table no such words."""
    return pattern(language, name, key) if entries(language, name).get(key) else None
