"""Bytes of tokens -> text that may be shown: whole characters, and nothing of a stop string."""

import codecs
from collections.abc import Sequence


class TextStream:
    """The text of one answer as it is written."""

    def __init__(self, stop: Sequence[str]) -> None:
        self._stop = tuple(s for s in stop if s)
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._held = ""  # could be the beginning of a stop string
        self.stopped = False

    def feed(self, data: bytes) -> str:
        """The text that `data` completes; sets `stopped` where a stop string began."""
        return self._release(self._decoder.decode(data))

    def finish(self) -> str:
        """What was held back, once nothing follows."""
        text = self._release(self._decoder.decode(b"", final=True))
        held, self._held = self._held, ""
        return text if self.stopped else text + held

    def _release(self, text: str) -> str:
        if self.stopped:
            return ""
        text = self._held + text
        ends = [at for stop in self._stop if (at := text.find(stop)) >= 0]
        if ends:
            self.stopped, self._held = True, ""
            return text[: min(ends)]
        keep = max((_overlap(text, stop) for stop in self._stop), default=0)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]


def _overlap(text: str, stop: str) -> int:
    """Length of the longest end of `text` that `stop` begins with."""
    longest = min(len(text), len(stop) - 1)
    return next((n for n in range(longest, 0, -1) if text.endswith(stop[:n])), 0)
