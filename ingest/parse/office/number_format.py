"""Numbers, dates and texts of a spreadsheet as its number formats show them.

Signs are those of the codes themselves: a comma between thousands, a point before decimals,
whatever the machine of the reader would put there.

Source: ECMA-376 part 1, 18.8.30 and 18.8.31 (number formats).
"""

import re
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction
from functools import lru_cache

from ingest.parse.office.date_format import ELAPSED, DateTokens, shown_date

GENERAL = "General"
BUILT_IN = {
    **{1: "0", 2: "0.00", 3: "#,##0", 4: "#,##0.00", 9: "0%", 10: "0.00%", 11: "0.00E+00"},
    **{12: "# ?/?", 13: "# ??/??", 15: "d-mmm-yy", 16: "d-mmm", 17: "mmm-yy"},
    **{18: "h:mm AM/PM", 19: "h:mm:ss AM/PM", 20: "h:mm", 21: "h:mm:ss"},
    # The next follow the settings of a reader's machine; the form without doubt is taken, and no
    # currency is named that the file does not name.
    **{14: "yyyy-mm-dd", 22: "yyyy-mm-dd h:mm", 5: "#,##0;-#,##0", 6: "#,##0;-#,##0"},
    **{
        7: "#,##0.00;-#,##0.00",
        8: "#,##0.00;-#,##0.00",
        41: "#,##0;-#,##0;-",
        42: "#,##0;-#,##0;-",
    },
    **{43: "#,##0.00;-#,##0.00;-", 44: "#,##0.00;-#,##0.00;-"},
    **{37: "#,##0;(#,##0)", 38: "#,##0;(#,##0)", 39: "#,##0.00;(#,##0.00)"},
    **{40: "#,##0.00;(#,##0.00)", 45: "mm:ss", 46: "[h]:mm:ss", 47: "mm:ss.0"},
    **{48: "##0.0E+0", 49: "@"},
}
"""The codes that are known by number alone."""

_SECTION = re.compile(r'(?:"[^"]*"|\\.|[_*].|\[[^\]]*\]|[^;])*', re.DOTALL)
_TOKEN = re.compile(
    r'"(?P<quoted>[^"]*)"|\\(?P<escaped>.)|_(?P<blank>.)|\*(?P<fill>.)|\[(?P<bracket>[^\]]*)\]'
    r"|(?P<general>General)|(?P<exponent>E[+-])|(?P<noon>AM/PM|A/P|上午/下午)"
    r"|(?P<date>[yYmMdDhHsSeEgGbB]+)|(?P<digits>[0#?]+)|(?P<other>.)",
    re.DOTALL | re.IGNORECASE,
)
_CONDITION = re.compile(r"(<=|>=|<>|<|>|=)\s*(-?[\d.]+(?:[eE][+-]?\d+)?)")
_COMPARE = {
    "<": float.__lt__,
    "<=": float.__le__,
    ">": float.__gt__,
    ">=": float.__ge__,
    "=": float.__eq__,
    "<>": float.__ne__,
}
_LETTERS = {"literal": "l", "digits": "d", "comma": "c", "point": ".", "percent": "p"}
_PLAIN = re.compile(r"(l*)([dc.]*d)([lp]*)")
_PLACES = re.compile(r"(?:#,##|#*)(?P<zeros>0+)(?:\.(?P<decimals>0+))?")
_HALF_UP = 1e-15  # of a number: as much as a spreadsheet does not keep of it
_LARGEST_PLAIN = 1e14
_LONGEST_CODE = 1_000


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str  # literal, digits, point, comma, percent, exponent, slash, date, noon, elapsed, ...
    text: str


@dataclass(frozen=True, slots=True)
class _Plain:
    """A section like `0.00 "kg"`, `#,##0.0%`: most of them are, and Python writes those itself."""

    before: str
    form: str  # for `format`
    after: str
    scale: int  # 100 to the power of the percent signs


@dataclass(frozen=True, slots=True)
class _Part:
    """One of the up to four sections of a code."""

    tokens: tuple[_Token, ...]
    condition: tuple[str, float] | None
    language: int  # a Windows language id, 0: none is named
    plain: _Plain | None = None
    dated: bool = False

    def has(self, *kinds: str) -> bool:
        return any(token.kind in kinds for token in self.tokens)


@lru_cache(maxsize=50_000)
def shown(value: float | str, code: str) -> str:
    """A value as the number format `code` shows it.

    Args:
        value: A number; of a date the days since 30 December 1899; or a text.
        code: As in the file. One that can't be read is taken for "General".
    """
    parts = _parts(code[:_LONGEST_CODE])
    if isinstance(value, str):
        return _shown_text(value, parts)
    try:
        part, signed = _chosen(float(value), parts)
        return _shown_number(value if signed else abs(value), part).strip()
    except (ValueError, OverflowError, ArithmeticError):
        return general(value)


def general(value: float) -> str:
    """A number as people write it: no noise of binary fractions, no ".0"."""
    if isinstance(value, int) or (value.is_integer() and abs(value) < 1e15):
        return str(int(value))
    return f"{value:.15g}"


def is_date(code: str) -> bool:
    """Whether a code shows a date or a time."""
    return any(part.has("date", ELAPSED) for part in _parts(code[:_LONGEST_CODE]))


@lru_cache(maxsize=2_000)
def _parts(code: str) -> tuple[_Part, ...]:
    found, at = [], 0
    while at <= len(code):
        match = _SECTION.match(code, at)
        end = match.end() if match else len(code)
        found.append(_part(code[at:end]))
        at = end + 1
    return tuple(found[:4])


def _part(section: str) -> _Part:
    tokens: list[_Token] = []
    condition, language = None, 0
    for match in _TOKEN.finditer(section):
        kind, text = str(match.lastgroup), match.group(match.lastgroup or 0)
        if kind == "bracket":
            compared = _CONDITION.fullmatch(text.strip())
            if compared:
                condition = compared.group(1), float(compared.group(2))
            elif text.startswith("$"):
                sign, _, tag = text[1:].rpartition("-") if "-" in text else (text[1:], "", "")
                tokens += [_Token("literal", sign)] if sign else []
                language = int(tag, 16) & 0xFFFF if re.fullmatch(r"[0-9A-Fa-f]+", tag) else 0
            elif re.fullmatch(r"h+|m+|s+", text.lower()):
                tokens.append(_Token(ELAPSED, text.lower()))
            # a colour, or a way of writing digits
        else:
            tokens.append(_token(kind, text))
    settled = tuple(_settled(tokens))
    dated = any(token.kind in {"date", ELAPSED} for token in settled)
    return _Part(settled, condition, language, None if dated else _plain(settled), dated)


def _plain(tokens: tuple[_Token, ...]) -> _Plain | None:
    kinds = "".join(_LETTERS.get(token.kind, "x") for token in tokens)
    match = _PLAIN.fullmatch(kinds)
    if match is None:
        return None
    places = "".join(token.text for token in tokens[match.start(2) : match.end(2)])
    shape = _PLACES.fullmatch(places)
    if shape is None:
        return None
    grouped = "," if "," in places else ""
    decimals = len(shape.group("decimals") or "")
    width = len(shape.group("zeros")) + (decimals + 1 if decimals else 0)
    before = "".join(token.text for token in tokens[: match.end(1)])
    after = "".join(token.text for token in tokens[match.start(3) :])
    zeros = f"0{width}" if len(shape.group("zeros")) > 1 else ""
    return _Plain(before, f"{zeros}{grouped}.{decimals}f", after, 100 ** kinds.count("p"))


def _token(kind: str, text: str) -> _Token:
    signs = {".": "point", ",": "comma", "%": "percent", "/": "slash", "@": "text"}
    if kind in {"quoted", "escaped"}:
        return _Token("literal", text)
    if kind == "blank":
        return _Token("literal", " ")
    if kind == "fill":
        return _Token("literal", "")  # repeated as often as the column is wide
    if kind == "other":
        return _Token(signs.get(text, "literal"), text)
    return _Token(kind, text)


def _settled(tokens: list[_Token]) -> list[_Token]:
    """Signs that mean something among digits alone are plain ones elsewhere."""
    dated = any(token.kind in {"date", ELAPSED} for token in tokens)
    digits = any(token.kind == "digits" for token in tokens)
    plain = {"comma", "slash"} | (set() if digits else {"point"})
    if not dated:
        return tokens if digits else [_literal(t) if t.kind in plain else t for t in tokens]
    return [_literal(t) if t.kind in {"comma", "slash", "percent"} else t for t in tokens]


def _literal(token: _Token) -> _Token:
    return _Token("literal", token.text)


def _chosen(value: float, parts: tuple[_Part, ...]) -> tuple[_Part, bool]:
    """The section for a number, and whether its sign is still to be written."""
    numeric = [part for part in parts[:3] if not (part is parts[-1] and part.has("text"))]
    if not numeric:
        return parts[0], True
    if any(part.condition for part in numeric):
        for part in numeric:
            if part.condition is None or _COMPARE[part.condition[0]](value, part.condition[1]):
                return part, len(numeric) < 2 or part is numeric[0]
        return numeric[-1], True
    if value < 0 and len(numeric) > 1:
        return numeric[1], False
    if value == 0 and len(numeric) > 2:
        return numeric[2], True
    return numeric[0], True


def _shown_text(value: str, parts: tuple[_Part, ...]) -> str:
    last = parts[-1]
    if not last.has("text") or (len(parts) < 4 and len(last.tokens) == 1):
        return value
    return "".join(
        value if token.kind == "text" else token.text if token.kind == "literal" else ""
        for token in last.tokens
    ).strip()


def _shown_number(value: float, part: _Part) -> str:
    if (plain := part.plain) is not None and -_LARGEST_PLAIN < value < _LARGEST_PLAIN:
        scaled = abs(value) * plain.scale
        digits = format(scaled + scaled * _HALF_UP, plain.form)
        sign = "-" if value < 0 and digits.strip("0.,") else ""
        return f"{sign}{plain.before}{digits}{plain.after}"
    if part.dated:
        tokens: DateTokens = [(token.kind, token.text) for token in part.tokens]
        return shown_date(value, tokens, part.language)
    if part.has("general") or (part.has("text") and not part.has("digits")):
        made = general(value)
        return "".join(
            made if token.kind in {"general", "text"} else token.text for token in part.tokens
        )
    if not part.has("digits"):
        return "".join(token.text for token in part.tokens)  # words, or nothing: ";;;" hides
    exact = Decimal(repr(round(value, 15)) if abs(value) < 1e15 else repr(value))
    exact *= Decimal(100) ** sum(token.kind == "percent" for token in part.tokens)
    sign, exact = "-" if exact < 0 else "", abs(exact)
    if part.has("slash"):
        text = _fraction(exact, part.tokens)
    elif part.has("exponent"):
        text = _exponential(exact, part.tokens)
    else:
        text = _fixed(exact, part.tokens)
    return sign + text if re.search(r"[1-9]", text) else text


def _fixed(value: Decimal, tokens: tuple[_Token, ...]) -> str:
    """Digits put where the code has places for them, what stands between them left there."""
    point = next((k for k, t in enumerate(tokens) if t.kind == "point"), len(tokens))
    last = max((k for k in range(point) if tokens[k].kind == "digits"), default=-1)
    first = min((k for k in range(point) if tokens[k].kind == "digits"), default=point)
    commas = [k for k in range(point) if tokens[k].kind == "comma"]
    scale = sum(k > last for k in commas) if last >= 0 else 0
    scale += _trailing(tokens, point)
    places = "".join(t.text for t in tokens[point:] if t.kind == "digits")
    rounded = (value / Decimal(1000) ** scale).quantize(
        Decimal(1).scaleb(-len(places)), rounding=ROUND_HALF_UP
    )
    whole, _, decimals = f"{rounded:f}".partition(".")
    whole = whole.lstrip("0")
    grouped = any(first < k < last for k in commas)
    left = _left(whole, [(k, t) for k, t in enumerate(tokens[:point])], grouped)
    right, used = "", 0
    for token in tokens[point:]:
        if token.kind == "point":
            right += "."
        elif token.kind == "digits":
            piece = decimals[used : used + len(token.text)]
            used += len(token.text)
            right += _optional(piece, token.text)
        elif token.kind != "comma":
            right += token.text
    bare = places and set(places) == {"#"} and not decimals.strip("0")
    return left + (right.replace(".", "", 1) if bare else right)


def _trailing(tokens: tuple[_Token, ...], point: int) -> int:
    """Commas behind the last decimal: each divides by a thousand."""
    last = max((k for k, t in enumerate(tokens) if t.kind == "digits"), default=-1)
    return sum(k > last > point and t.kind == "comma" for k, t in enumerate(tokens))


def _optional(digits: str, places: str) -> str:
    """Decimals, without the zeros at the end that "#" does not ask for."""
    kept = len(digits)
    while kept and digits[kept - 1] == "0" and places[kept - 1] in "#?":
        kept -= 1
    return digits[:kept]


def _left(whole: str, tokens: list[tuple[int, _Token]], grouped: bool) -> str:
    """The digits before the point, from the right to the left through their places."""
    places = [(k, place) for k, t in tokens if t.kind == "digits" for place in t.text]
    out: dict[int, str] = {}
    rest, count = whole, 0
    for number, (k, place) in enumerate(reversed(places)):
        is_first = number == len(places) - 1
        taken = rest if is_first else rest[-1:]
        rest = "" if is_first else rest[:-1]
        taken = taken or ("0" if place == "0" else "")
        for digit in reversed(taken):
            comma = "," if grouped and count and count % 3 == 0 else ""
            out[k] = digit + comma + out.get(k, "")
            count += 1
    shown = (
        out.get(k, "") if t.kind == "digits" else t.text for k, t in tokens if t.kind != "comma"
    )
    return "".join(shown)


def _exponential(value: Decimal, tokens: tuple[_Token, ...]) -> str:
    at = next(k for k, t in enumerate(tokens) if t.kind == "exponent")
    front, mark, back = tokens[:at], tokens[at].text, tokens[at + 1 :]
    point = next((k for k, t in enumerate(front) if t.kind == "point"), len(front))
    wide = sum(len(t.text) for t in front[:point] if t.kind == "digits") or 1
    decimals = sum(len(t.text) for t in front[point:] if t.kind == "digits")
    power = value.adjusted() if value else 0
    if wide > 1:
        power = power // wide * wide
    mantissa = value.scaleb(-power)
    rounded = mantissa.quantize(Decimal(1).scaleb(-decimals), rounding=ROUND_HALF_UP)
    if rounded >= Decimal(10) ** wide:
        power += wide
        mantissa = value.scaleb(-power)
    places = "".join(t.text for t in back if t.kind == "digits")
    sign = "-" if power < 0 else "+" if mark[1] == "+" else ""
    after = "".join(t.text for t in back if t.kind not in {"digits", "comma"})
    return f"{_fixed(mantissa, front)}{mark[0]}{sign}{str(abs(power)).zfill(len(places))}{after}"


def _fraction(value: Decimal, tokens: tuple[_Token, ...]) -> str:
    at = next(k for k, t in enumerate(tokens) if t.kind == "slash")
    above = max((k for k in range(at) if tokens[k].kind == "digits"), default=-1)
    mixed = any(t.kind == "digits" for t in tokens[:above])
    below = "".join(t.text for t in tokens[at + 1 :] if t.kind in {"digits", "literal"}).strip()
    exact = Fraction(value)
    whole = int(exact) if mixed else 0
    rest = exact - whole
    if fixed := re.fullmatch(r"[1-9]\d*", below):
        divisor = int(fixed.group())
        top = int(rest * divisor + Fraction(1, 2))
    else:
        near = rest.limit_denominator(10 ** max(1, len(re.findall(r"[0#?]", below))) - 1)
        top, divisor = near.numerator, near.denominator
    if mixed and top == divisor:
        whole, top = whole + 1, 0
    text = f"{top}/{divisor}" if top or not mixed else ""
    return f"{whole or (0 if not text else '')} {text}".strip() if mixed else text
