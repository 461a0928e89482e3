"""A question about the documents themselves -> which kind it is, and about what.

"Which documents mention Aura?", "How many are there on pseudonymisation?", "Summarise the guide
on algorithms", "page 3 of the handbook": by patterns, in five languages, for the whole question.
"""

import re
from dataclasses import dataclass
from functools import cache
from typing import Final, Literal

from sovereign_rag.text.lexicon import expression

CorpusKind = Literal["page", "summary", "named", "count", "newest", "which", "all"]
_KINDS: Final[tuple[CorpusKind, ...]] = (
    "page",
    "summary",
    "named",
    "count",
    "newest",
    "which",
    "all",
)
_TOPICS: Final = ("topic", "topic2", "topic3", "topic4", "topic5", "topic6")


@dataclass(frozen=True, slots=True)
class CorpusQuestion:
    kind: CorpusKind
    topic: str  # what the documents are about, or what one is called; "" where all are meant
    page: int | None = None
    since: int | None = None  # a year: of documents from then on
    year: int | None = None  # of documents of that year alone


def corpus_question(text: str, language: str) -> CorpusQuestion | None:
    """What is asked about the documents; None: something is asked of what they say.

    "Documents from 2023" are those of that year; in "documents about the strike in 2023" the year
    belongs to what they are about.
    """
    asked = re.sub(r"\s+", " ", text).strip(" ¿?¡!.\n\u00a0\u202f")
    asked, since = _without_year(asked, language, "since")
    dateless, year = _without_year(asked, language, "of_year")
    for kind in _KINDS:
        found = _matched(kind, dateless, language, since, year)
        if found is not None and (year is None or kind == "named" or not found.topic):
            return found
        found = _matched(kind, asked, language, since, None)
        if found is not None:
            return found
    return None


def _matched(
    kind: CorpusKind, asked: str, language: str, since: int | None, year: int | None
) -> CorpusQuestion | None:
    found = _pattern(language, kind).fullmatch(asked)
    if found is None:
        return None
    groups = found.groupdict()
    topics = [groups[name] for name in _TOPICS if groups.get(name)]
    topic = " ".join(topics if kind == "named" else topics[:1])
    page = groups.get("page")
    told = topic.strip(" \"'«»„“”‘’")
    return CorpusQuestion(kind, told, int(page) if page else None, since, year)


def _without_year(asked: str, language: str, key: str) -> tuple[str, int | None]:
    """A question without the year that it names in this way, and the year."""
    found = _pattern(language, key).search(asked)
    if found is None:
        return asked, None
    year = next(year for year in found.groups() if year)
    return " ".join(f"{asked[: found.start()]} {asked[found.end() :]}".split()).strip(" ,"), int(
        year
    )


@cache
def _pattern(language: str, key: str) -> re.Pattern[str]:
    return re.compile(expression(language, "corpus", key), re.IGNORECASE)
