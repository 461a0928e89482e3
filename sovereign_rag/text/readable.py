"""A verbatim quote -> how people are shown it: without the marks that a file has for its own ends.

For display alone. What is cited, checked and sent by the API stays as it stands in the document.
"""

import re
from typing import Final

_IMAGE_OR_LINK: Final = re.compile(
    r"!?\[([^\[\]]*)\]\([^()\s]*(?:\([^()\s]*\)[^()\s]*)*(?: \"[^\"]*\")?\)"
)
_TAG: Final = re.compile(r"</?[a-z][a-z0-9-]*(?:\s[^<>]*)?/?>", re.IGNORECASE)
_EMPHASIS: Final = re.compile(
    r"(?<![\w\\])(\*\*|__|\*|_)(?=[^\s*_])(.+?)(?<=[^\s\\])\1(?!\w)", re.DOTALL
)
_CODE: Final = re.compile(r"(`+)(.+?)\1")
_HEADING: Final = re.compile(r"^#{1,6}[ \t]+", re.MULTILINE)
_BOX: Final = re.compile(
    r"^:{3,}[ \t]*(?:tip|warning|danger|info|note|details)?[ \t]*", re.MULTILINE
)
_ESCAPED: Final = re.compile(r"\\([*_`#\[\]()~>+.!|-])")
_LEADERS: Final = re.compile(r"(?:\s?[.·…_]){5,}")
_CUT_WORD: Final = re.compile(r"(?<=[^\W\d_])[-\N{SOFT HYPHEN}]\n(?=[^\W\d_A-ZÀ-Þ])")
_GLYPH_NUMBER: Final = re.compile(r"\(cid:\d+\)")
_BULLET: Final = re.compile(r"^[ \t]*[\ue000-\uf8ff\N{REPLACEMENT CHARACTER}][ \t]*", re.MULTILINE)
_NO_LETTER: Final = re.compile(
    r"[\ue000-\uf8ff\N{SOFT HYPHEN}\ufeff\u200b\u2060\x00-\x08\x0b-\x1f]"
)
_LIGATURES: Final = str.maketrans(
    {"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st"}
)
_BLANKS: Final = re.compile(r"[ \t\u00a0]{2,}")
_LONG: Final = 20_000  # characters; a longer text is no quote, and is shown as it is


def readable(quote: str) -> str:
    """`quote` without marks of Markdown and HTML, and without what a PDF leaves between words.

    Those are bullets of symbol fonts (shown as •), words cut at a line's end, leaders of a table
    of contents, ligatures, and numbers of glyphs without a letter. Nothing that is read is changed:
    letters, figures, punctuation and lines stay.
    """
    if len(quote) > _LONG:
        return quote
    text = _GLYPH_NUMBER.sub("", _CUT_WORD.sub("", quote)).translate(_LIGATURES)
    text = _NO_LETTER.sub("", _BULLET.sub("• ", text))
    text = _HEADING.sub("", _BOX.sub("", _TAG.sub("", _IMAGE_OR_LINK.sub(r"\1", text))))
    text = _CODE.sub(r"\2", _EMPHASIS.sub(r"\2", _EMPHASIS.sub(r"\2", text)))
    text = _LEADERS.sub(" … ", _ESCAPED.sub(r"\1", text))
    return _BLANKS.sub(" ", text).strip() or quote
