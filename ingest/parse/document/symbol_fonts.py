"""Signs that fonts such as Wingdings draw in the place of letters: boxes, ticks, arrows."""

from collections.abc import Mapping
from typing import Final

CHECKED, UNCHECKED = "☒", "☐"
"""How the state of every kind of check box is written."""

_BOXES = {0x6F: UNCHECKED, 0xA8: UNCHECKED, 0xFE: CHECKED, 0xFD: CHECKED, 0x78: CHECKED}
_GREEK = dict(zip(map(ord, "abgdezhqiklmnxoprstufcyw"), "αβγδεζηθικλμνξοπρστυφχψω", strict=True))
_GREEK |= dict(zip(map(ord, "GDQLXPSFYW"), "ΓΔΘΛΞΠΣΦΨΩ", strict=True))
_FONTS: Final[Mapping[str, Mapping[int, str]]] = {
    "wingdings": {
        **_BOXES,
        **{0xFC: "✓", 0xFB: "✗", 0xE0: "→", 0xF0: "⇒", 0xA7: "▪", 0x6E: "■", 0xD8: "➢"},
        **{0x76: "❖", 0x71: UNCHECKED, 0x9F: "•", 0x6C: "●", 0xA1: "○", 0xA4: "◉", 0x28: "☎"},
        **{0x2A: "✉", 0x4A: "☺", 0x4C: "☹", 0xDF: "←", 0xE1: "↑", 0xE2: "↓"},
    },
    "wingdings 2": {
        **{0x50: "✓", 0x4F: "✗", 0x51: CHECKED, 0x52: CHECKED, 0x53: CHECKED, 0x54: CHECKED},
        **{0xA3: UNCHECKED, 0x2A: UNCHECKED, 0x30: UNCHECKED},
    },
    "wingdings 3": {0x22: "↑", 0x23: "↓", 0x21: "→", 0x67: "→", 0x7D: "▶"},
    "webdings": {0x61: "✓", 0x63: UNCHECKED, 0x67: "■", 0x72: "✗"},
    "zapfdingbats": {
        **{0x33: "✓", 0x34: "✓", 0x35: "✗", 0x36: "✗", 0x37: "✗", 0x38: "✗", 0x6C: "●"},
        **{0x6E: "■", 0x6F: UNCHECKED, 0x70: UNCHECKED, 0x71: UNCHECKED, 0x72: UNCHECKED},
    },
    "symbol": {
        **_GREEK,
        **{0xB7: "•", 0xB0: "°", 0xB1: "±", 0xA3: "≤", 0xB3: "≥", 0xB4: "×", 0x6D: "µ"},
        **{0xB9: "≠", 0xBB: "≈", 0xA5: "∞", 0xAE: "→", 0xD6: "√", 0xE5: "∑", 0x2D: "−"},
    },
}
_PRIVATE = range(0xF020, 0xF100)  # where such fonts have their signs in Unicode's own terms
_UNNAMED = {**_BOXES, 0xFC: "✓", 0xFB: "✗", 0xE0: "→", 0xB7: "•", 0xA7: "▪", 0xD8: "➢", 0x76: "❖"}


def sign(font: str, code: int) -> str | None:
    """What a font draws for a character; None: it is no font of signs, or draws something else.

    Args:
        font: Its name, in whatever case.
        code: Of the character, in Unicode's private area or as a byte.
    """
    signs = _FONTS.get(_known(font))
    return None if signs is None else signs.get(code & 0xFF)


def is_symbol_font(font: str) -> bool:
    return _known(font) in _FONTS


def spelled(font: str, text: str) -> str:
    """A text in a font of signs as what is seen of it; signs that are not known are left out.

    Letters in the font Symbol stay letters: many programs name it and show another one.
    """
    if not is_symbol_font(font):
        return text
    letters = _known(font) == "symbol"
    return "".join(
        c if c.isspace() or (letters and ord(c) < _PRIVATE.start) else sign(font, _byte(c)) or ""
        for c in text
    )


def private_sign(code: int) -> str | None:
    """A sign of the private area whose font is not known: boxes, ticks and bullets alone."""
    return _UNNAMED.get(code & 0xFF) if code in _PRIVATE else None


def _byte(character: str) -> int:
    if ord(character) in _PRIVATE:
        return ord(character) & 0xFF
    return character.encode("cp1252", "replace")[0]


def _known(font: str) -> str:
    name = font.strip("'\" ").lower()
    return "zapfdingbats" if "zapf" in name and "dingbats" in name else name
