"""A model's words as plain text: nothing in them that a reader's browser would fetch or run.

A hostile document may get a model to write an image whose address carries what it read; whoever
renders the answer as Markdown or HTML would send it off. The marks are broken up, not cut out, so
the words stay and nothing that is left can join into a mark again.
"""

import re

_BREAKS = (
    (re.compile(r"<(?=[A-Za-z/!?])"), "\N{SINGLE LEFT-POINTING ANGLE QUOTATION MARK}"),  # tags
    (re.compile(r"\](?=[(\[:])"), "] "),  # [text](address), [text][name], [name]: address
    (re.compile(r"!(?=\[)"), "! "),  # ![image]
)
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]{1,30}://", re.IGNORECASE)
_LAST_WORD = re.compile(r"[!-~]+\Z")  # every mark is made of these, and holds no space


def plain(text: str) -> str:
    """`text` without HTML tags, Markdown links and images, and addresses that turn into links.

    An address loses its scheme: `https://example.org/x` becomes `example.org/x`.
    """
    for mark, broken in _BREAKS:
        text = mark.sub(broken, text)
    while (shorter := _SCHEME.sub("", text)) != text:
        text = shorter
    return text


class PlainStream:
    """`plain` for a text that arrives in pieces; the word at the end waits for its end."""

    def __init__(self) -> None:
        self._held = ""

    def feed(self, piece: str) -> str:
        """Take a piece; returns what can be shown by now."""
        text = self._held + piece
        word = _LAST_WORD.search(text)
        cut = word.start() if word else len(text)
        self._held = text[cut:]
        return plain(text[:cut])

    def close(self) -> str:
        """What was still held back."""
        held, self._held = self._held, ""
        return plain(held)
