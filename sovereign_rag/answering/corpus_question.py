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
    since: int | None = None  # a year


def corpus_question(text: str, language: str) -> CorpusQuestion | None:
    """What is asked about the documents; None: something is asked of what they say."""
    asked = re.sub(r"\s+", " ", text).strip(" ¿?¡!.\n\u00a0\u202f")
    since = _pattern(language, "since").search(asked)
    if since:
        asked = (asked[: since.start()] + asked[since.end() :]).strip(" ,")
    for kind in _KINDS:
        found = _pattern(language, kind).fullmatch(asked)
        if found:
            groups = found.groupdict()
            topics = [groups[name] for name in _TOPICS if groups.get(name)]
            topic = " ".join(topics if kind == "named" else topics[:1])
            page = groups.get("page")
            return CorpusQuestion(
                kind,
                topic.strip(" \"'«»„“”‘’"),
                int(page) if page else None,
                int(since["year"]) if since else None,
            )
    return None


@cache
def _pattern(language: str, key: str) -> re.Pattern[str]:
    return re.compile(expression(language, "corpus", key), re.IGNORECASE)
