"""Lines of calendars and address cards that were folded for their way through the mail."""

import re

_FOLD = re.compile(rb"\r?\n[ \t]")


def unfolded(data: bytes) -> bytes:
    """Content lines in one piece; programs fold them between any two bytes, also of one letter.

    Source: RFC 5545, 3.1.
    """
    return data if b"\0" in data[:200] else _FOLD.sub(b"", data)  # not in UTF-16
