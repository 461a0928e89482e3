"""What values of CSS come to: lengths in pixels, colours, what a shorthand says of one property."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import tinycss2
from tinycss2 import color5

from ingest.parse.markup.css import SCREEN, Style, Tokens

ROOT_PX: Final = 16.0
_UNITS: Final[Mapping[str, float]] = {
    **{"px": 1.0, "pt": 96 / 72, "pc": 16.0, "in": 96.0, "cm": 96 / 2.54, "mm": 96 / 25.4},
    **{"q": 96 / 101.6, "rem": ROOT_PX},
    **{f"{kind}vw": SCREEN[0] / 100 for kind in ("", "s", "l", "d")},
    **{f"{kind}vh": SCREEN[1] / 100 for kind in ("", "s", "l", "d")},
    **{"vmin": min(SCREEN) / 100, "vmax": max(SCREEN) / 100},
}
_OF_FONT: Final[Mapping[str, float]] = {"em": 1.0, "ex": 0.5, "ch": 0.5, "lh": 1.2}
_NAMED_SIZES: Final[Mapping[str, float]] = {
    **{"xx-small": 9.0, "x-small": 10.0, "small": 13.0, "medium": 16.0, "large": 18.0},
    **{"x-large": 24.0, "xx-large": 32.0, "xxx-large": 48.0},
}
_DEEPEST: Final = 8  # variables within variables
_ALIKE: Final = 0.05  # of a channel's range: closer, and nobody reads it
# XYZ of white D65 to linear sRGB; IEC 61966-2-1.
_TO_RGB: Final = (
    (3.2406, -1.5372, -0.4986),
    (-0.9689, 1.8758, 0.0415),
    (0.0557, -0.2040, 1.0570),
)


@dataclass(frozen=True, slots=True)
class Rgba:
    """A colour of sRGB; each channel in [0, 1]."""

    red: float
    green: float
    blue: float
    alpha: float = 1.0

    def over(self, ground: "Rgba") -> "Rgba":
        """As it is seen on a ground that lets nothing through."""
        a = self.alpha
        return Rgba(
            self.red * a + ground.red * (1 - a),
            self.green * a + ground.green * (1 - a),
            self.blue * a + ground.blue * (1 - a),
        )

    def is_like(self, other: "Rgba") -> bool:
        """Whether nobody would tell a text of the one on the other."""
        mine, others = (self.red, self.green, self.blue), (other.red, other.green, other.blue)
        return max(abs(a - b) for a, b in zip(mine, others, strict=True)) < _ALIKE


WHITE, BLACK = Rgba(1.0, 1.0, 1.0), Rgba(0.0, 0.0, 0.0)


def substituted(value: Tokens, variables: Style, depth: int = 0) -> list[Any]:
    """A value with its variables filled in, those within functions too, and without spaces."""
    found: list[Any] = []
    for token in value:
        if token.type in {"whitespace", "comment"}:
            continue
        if token.type != "function" or depth > _DEEPEST:
            found.append(token)
        elif token.lower_name == "var":
            name, *rest = [t for t in token.arguments if t.type != "whitespace"] or [None]
            held = variables.get(getattr(name, "value", ""))
            found += substituted(rest[1:] if held is None else held, variables, depth + 1)
        else:
            inside = substituted(token.arguments, variables, depth + 1)
            made = type(token)(token.source_line, token.source_column, token.name, inside)
            one = inside[0] if len(inside) == 1 else None
            is_sum = token.lower_name in {"calc", "min", "max"} and one is not None
            found.append(one if is_sum else made)
    return found


def px(token: Any, font_px: float, whole: float | None = None) -> float | None:
    """A length in pixels; None: it is none, or a share of what is not known.

    Args:
        token: A component value.
        font_px: What an `em` is.
        whole: What 100 % are.
    """
    if token.type == "number":
        return float(token.value)  # 0, or what quirks take for pixels
    if token.type == "percentage":
        return None if whole is None else token.value / 100 * whole
    if token.type != "dimension":
        return None
    unit = token.lower_unit
    if unit in _OF_FONT:
        return float(token.value * _OF_FONT[unit] * font_px)
    return float(token.value * _UNITS[unit]) if unit in _UNITS else None


def number(tokens: Tokens) -> float | None:
    """The first number or share of a value; a share of 100 % is 1."""
    for token in tokens:
        if token.type == "number":
            return float(token.value)
        if token.type == "percentage":
            return float(token.value / 100)
    return None


def font_size(tokens: Tokens, parent_px: float) -> float | None:
    """The `font-size` that a value says, in pixels; None: it says none."""
    for token in tokens:
        if token.type == "ident":
            relative = {"smaller": parent_px / 1.2, "larger": parent_px * 1.2}
            found = _NAMED_SIZES.get(token.lower_value, relative.get(token.lower_value))
        else:
            found = px(token, parent_px, parent_px)
        if found is not None:
            return found
    return None


def size_in_font(tokens: Tokens) -> Tokens:
    """Of the shorthand `font`: its size, which is told from the weight by what it looks like."""
    for at, token in enumerate(tokens):
        is_followed = at + 1 < len(tokens) and tokens[at + 1] == "/"
        is_zero = token.type == "number" and token.value == 0
        is_named = token.type == "ident" and token.lower_value in {
            *_NAMED_SIZES,
            "smaller",
            "larger",
        }
        if is_followed or is_zero or is_named or token.type in {"dimension", "percentage"}:
            return [token]
    return []


def sides(tokens: Tokens) -> dict[str, Any]:
    """Of a shorthand of one to four sides: the value of each."""
    if not tokens:
        return {}
    top, right, bottom, left = (
        (list(tokens) * 4)[:4]
        if len(tokens) in {1, 4}
        else ((*tokens, *tokens)[:4] if len(tokens) == 2 else (*tokens[:3], tokens[1]))
    )
    return {"top": top, "right": right, "bottom": bottom, "left": left}


def colour(tokens: Tokens, current: Rgba | None = None) -> Rgba | None:
    """The first colour of a value; None: there is none that can be told."""
    for token in tokens:
        found = _parsed_colour(token)
        if found == "currentcolor":
            return current
        if found is not None:
            return _rgba(found)
    return None


def html_colour(text: str | None) -> Rgba | None:
    """A colour as `bgcolor` and `<font color>` have it: a number may lack its "#"."""
    if not text:
        return None
    token = tinycss2.parse_one_component_value(text.strip(), skip_comments=True)
    found = None if token.type == "error" else colour([token])
    if found is None:
        token = tinycss2.parse_one_component_value(f"#{text.strip()}", skip_comments=True)
        found = None if token.type == "error" else colour([token])
    return found


def is_picture(tokens: Tokens) -> bool:
    """Whether a background has a picture or a gradient: what is behind a text can't be told."""
    return any(
        token.type == "url" or (token.type == "function" and _parsed_colour(token) is None)
        for token in tokens
    )


def functions(tokens: Tokens) -> Iterator[tuple[str, list[Any]]]:
    """The functions of a value, with their arguments but for spaces and commas."""
    for token in tokens:
        if token.type == "function":
            parts = [t for t in token.arguments if t.type != "whitespace" and t != ","]
            yield token.lower_name, parts


def _parsed_colour(token: Any) -> Any:
    try:
        return color5.parse_color(token)
    except (ValueError, TypeError, AttributeError, IndexError):  # `color()` without a space
        return None


def _rgba(found: Any) -> Rgba | None:
    if found.space in {"srgb", "hsl", "hwb"}:
        return _clipped([value or 0.0 for value in found.to("srgb").coordinates], found.alpha)
    try:
        xyz = found.to("xyz-d50" if found.space in {"lab", "lch", "xyz-d50"} else "xyz-d65")
    except NotImplementedError:  # a wide gamut: its white and black are those of sRGB
        if len(found.coordinates) != 3:
            return None
        return _clipped([value or 0.0 for value in found.coordinates], found.alpha)
    white = color5.D50 if xyz.space == "xyz-d50" else color5.D65
    scaled = [v / w * d for v, w, d in zip(xyz.coordinates, white, color5.D65, strict=True)]
    channels = [sum(m * v for m, v in zip(row, scaled, strict=True)) for row in _TO_RGB]
    return _clipped([_gamma(channel) for channel in channels], found.alpha)


def _clipped(channels: Sequence[float], alpha: float) -> Rgba:
    red, green, blue = (min(1.0, max(0.0, channel)) for channel in channels)
    return Rgba(red, green, blue, alpha)


def _gamma(linear: float) -> float:
    linear = max(0.0, linear)
    return 12.92 * linear if linear <= 0.0031308 else float(1.055 * linear ** (1 / 2.4) - 0.055)
