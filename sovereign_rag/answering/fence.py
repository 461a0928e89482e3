"""What a document says, as a language model may read it: data between two marks, and no more.

Nothing in it can look like the marks it stands between, and what no reader sees is left out: an
order can hide in characters without a shape.

Source: the smuggling of text in tag characters and variation selectors, Unicode TR36, section 3.8.
"""

import re
import unicodedata
from functools import cache
from typing import Final

from sovereign_rag.answering.injection import speaks_to_a_model

_OPENING: Final = "\N{SINGLE LEFT-POINTING ANGLE QUOTATION MARK}"
_CLOSING: Final = "\N{SINGLE RIGHT-POINTING ANGLE QUOTATION MARK}"
_BRACKETS: Final = str.maketrans(
    dict.fromkeys("<＜﹤", _OPENING) | dict.fromkeys(">＞﹥", _CLOSING)
)
_UNSEEN: Final = re.compile(
    "[\u200b\u2028-\u202e\u2060-\u206f\ufe00-\ufe0f\ufeff\U000e0000-\U000e0fff]"
)
_LONGEST_LABEL: Final = 120  # characters: a title, not a text


def harmless(text: str, mark: str) -> str:
    """A text that can't open or close the fence it stands in.

    The bracket is replaced, not cut out: what is left of a cut could be a fence again.

    Args:
        mark: The fence's name, e.g. "passage".
    """
    return _bracket(mark).sub(_OPENING, _UNSEEN.sub("", text))


def label(text: str) -> str:
    """A title, heading or file name for a model: one line without brackets, and no order to it."""
    shown = "".join(
        c for c in unicodedata.normalize("NFKC", text) if unicodedata.category(c) != "Cf"
    )
    line = " ".join(shown.split()).translate(_BRACKETS)
    return "…" if speaks_to_a_model(line) else line[:_LONGEST_LABEL]


@cache
def _bracket(mark: str) -> re.Pattern[str]:
    """A bracket before the mark's name, whatever stands between their characters."""
    name = r"[\W_]*".join(mark)
    return re.compile(rf"[<＜﹤](?=[\W_]*{name})", re.IGNORECASE)
