"""The house's list of acronyms: "RTT = réduction du temps de travail", searched in both directions.

A text file of the admin's, one entry a line; several meanings stand behind one another with ";".
Lines that begin with "#" and empty lines say nothing.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Final, Self

from sovereign_rag.errors import SettingsError

_ENTRY: Final = re.compile(r"\s*(?P<acronym>[^=#\s][^=]{0,40}?)\s*=\s*(?P<meanings>\S.*)")
_SHORTEST_IN_ANY_CASE: Final = 3
_MOST_MEANT: Final = 4  # of one question


@dataclass(frozen=True, slots=True)
class Acronyms:
    """What acronyms stand for in a house; none knows nothing."""

    meanings: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # by acronym

    @classmethod
    def open(cls, file: Path | None) -> Self:
        """The list in a file, UTF-8; an empty one where there is no file named.

        Raises:
            SettingsError: The file can't be read, or a line is no entry.
        """
        if file is None:
            return cls()
        try:
            lines = file.read_text(encoding="utf-8-sig").splitlines()
        except (OSError, UnicodeDecodeError) as error:
            raise SettingsError(
                f"The list of acronyms {file} can't be read: {error}. Set retrieval.acronyms to a "
                "text file in UTF-8, or unset it."
            ) from error
        meanings: dict[str, tuple[str, ...]] = {}
        for number, line in enumerate(lines, start=1):
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            entry = _ENTRY.fullmatch(line)
            if entry is None:
                raise SettingsError(
                    f"Line {number} of the list of acronyms {file} is no entry. Write "
                    '"RTT = réduction du temps de travail".'
                )
            told = tuple(part.strip() for part in entry["meanings"].split(";") if part.strip())
            meanings[entry["acronym"]] = (*meanings.get(entry["acronym"], ()), *told)
        return cls(meanings)

    def with_more(self, words: Iterable[tuple[str, str]]) -> Self:
        """This list with more entries, (acronym, meaning) each, behind its own."""
        meanings = dict(self.meanings)
        for acronym, meaning in words:
            if meaning not in meanings.get(acronym, ()):
                meanings[acronym] = (*meanings.get(acronym, ()), meaning)
        return replace(self, meanings=meanings)

    def met_in(self, question: str) -> tuple[tuple[str, str], ...]:
        """The entries that a question names by either side: (acronym, meaning), in the list's
        order, at most four.
        """
        return tuple(self._met_in(question))[:_MOST_MEANT]

    def _met_in(self, question: str) -> Iterator[tuple[str, str]]:
        for acronym, meanings in self.meanings.items():
            for meaning in meanings:
                if _names(acronym).search(question) or _names(meaning).search(question):
                    yield acronym, meaning


@cache
def _names(words: str) -> re.Pattern[str]:
    """The words as a whole, whatever the spaces between them and, but for two letters, the case."""
    inside = r"[\s-]+".join(re.escape(word) for word in re.split(r"[\s-]+", words) if word)
    as_written = len(words) < _SHORTEST_IN_ANY_CASE  # "IT" is not "it"
    return re.compile(rf"(?<!\w){inside}(?!\w)", 0 if as_written else re.IGNORECASE)
