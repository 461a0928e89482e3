"""What stands beside what a document says: fields, what tells what it is about, bare lists.

"Author: Tom Whitaker." stands under the very title that a question names, and answers no other
question than who wrote it; so does "This protocol describes ..." A list without a lead-in is one
by its heading: "Steps".
"""

import re
from typing import Final

from sovereign_rag.domain import Chunk
from sovereign_rag.text.blocks import paragraphs
from sovereign_rag.text.lexicon import whole_words

_FIELD: Final = re.compile(r"\W{0,3}[^\W\d_][^\n:.!?|]{1,32}[:：]\s{1,3}\S[^\n]{0,110}")
_LONGEST_ITEM: Final = 200
_LONGEST_LIST: Final = 1200
FEWEST_ITEMS: Final = 3


def announces(sentence: str, language: str) -> bool:
    """Whether a sentence says what the document is about instead of saying it."""
    words = whole_words(language, "questions", "announces")
    return bool(words and words.match(sentence.lstrip()))


def fields_name(text: str) -> str | None:
    """What the fields are called that a text is; None: it is none."""
    return " ".join(line.split(":")[0] for line in text.splitlines()) if is_fields(text) else None


def is_fields(text: str) -> bool:
    """Whether each line of a text is a name with its value: "Date: 12 March 2025"."""
    lines = [line for line in text.splitlines() if line.strip()]
    return bool(lines) and all(_FIELD.fullmatch(line.strip()) for line in lines)


def is_bare_list(chunk: Chunk) -> bool:
    """Whether a chunk is a heading with items below it and nothing else."""
    if chunk.kind != "text" or len(chunk.heading_path) < 1 or len(chunk.text) > _LONGEST_LIST:
        return False
    items = [chunk.text[start:end] for start, end in paragraphs(chunk.text)]
    if len(items) < FEWEST_ITEMS or any(len(item) > _LONGEST_ITEM for item in items):
        return False
    closed = sum(item.rstrip().endswith((".", "!", "?", ":")) for item in items)
    return closed * FEWEST_ITEMS <= len(items) and not any(map(is_fields, items))


def is_bare_item(paragraph: str) -> bool:
    """Whether a paragraph looks like an item of a list: short, no sentence, and no field."""
    closed = paragraph.rstrip().endswith((".", "!", "?", ":", ";"))
    return len(paragraph) <= _LONGEST_ITEM and not closed and not is_fields(paragraph)
