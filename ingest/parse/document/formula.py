"""Formulas in one line: (a + b)/2, √(x), 10⁻⁶, ∑_(i=1)^n.

Source: W3C MathML 3, chapter 3, for the elements; UnicodeMath for the linear form.
"""

import re
from collections.abc import Callable, Sequence

from lxml import etree

from ingest.parse.document.scripts import subscript

MATHML = "{http://www.w3.org/1998/Math/MathML}"

_RAISED = str.maketrans("0123456789+-−=()ni", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾ⁿⁱ")
_RAISES = re.compile(r"[0-9+\-−=()ni]+")
_WORD = re.compile(r"[^\W_]+(?:[.,]\d+)*[⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺ⁿ₀-₉′]*")
_FACTORS = re.compile(r"(?:[^\W_]|[.,′⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺ⁿ₀-₉])*(?:\([^()]*\)[⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺ⁿ]*)*")
_NUMBER_OR_LETTER = re.compile(r"\d+(?:[.,]\d+)*|[^\W\d_][₀-₉]*|[^\W\d_]{3,}")
_RELATION = re.compile(r" *([=≈≠≤≥≡≅∼<>→⇒⇔]) *")
_APPLIED = re.compile("[\u2061-\u2064]")  # "function of", "times": not to be seen
_ACCENTS = {
    "¯": "\u0305",
    "‾": "\u0305",
    "^": "\u0302",
    "~": "\u0303",
    "→": "\u20d7",
    "˙": "\u0307",
}


def tidy(text: str) -> str:
    """A whole formula, with spaces around what relates its sides."""
    spaced = _RELATION.sub(r" \1 ", " ".join(_APPLIED.sub("", text).split()))
    return spaced.strip()


def fraction(above: str, below: str) -> str:
    above = above if _FACTORS.fullmatch(above) else f"({above})"
    return f"{above}/{below if _NUMBER_OR_LETTER.fullmatch(below) else f'({below})'}"


def power(base: str, exponent: str) -> str:
    base = _APPLIED.sub("", base)
    base = (
        base
        if not base or _WORD.fullmatch(base) or _closed(base) or len(base) == 1
        else f"({base})"
    )
    if _RAISES.fullmatch(exponent):
        return base + exponent.translate(_RAISED)
    if exponent in {"′", "'", "″", "*", "°", "∘"}:
        return base + exponent.replace("∘", "°")
    return f"{base}^{_grouped(exponent)}"


def index(base: str, below: str) -> str:
    low = subscript(below)
    return base + low if low != below else f"{base}_{_grouped(below)}"


def root(radicand: str, degree: str = "") -> str:
    inside = radicand if _NUMBER_OR_LETTER.fullmatch(radicand) else f"({radicand})"
    if degree and not _RAISES.fullmatch(degree):
        return f"root({degree}; {radicand})"
    return f"{degree.translate(_RAISED)}√{inside}"


def scripts(base: str, below: str, above: str) -> str:
    """Limits of a sum or an integral, or indices above and below."""
    text = f"{base}_{_grouped(below)}" if below else base
    return f"{text}^{_grouped(above)}" if above else text


def function(name: str, argument: str) -> str:
    name = _APPLIED.sub("", name).strip()
    if not argument:
        return name
    if _closed(argument):
        return name + argument
    return (
        f"{name} {argument}"
        if _WORD.fullmatch(argument) and name[-1:].isalpha()
        else f"{name}({argument})"
    )


def matrix(rows: Sequence[Sequence[str]]) -> str:
    return "[" + "; ".join(", ".join(row) for row in rows) + "]"


def accent(base: str, sign: str) -> str:
    mark = _ACCENTS.get(sign, sign)
    return base + mark if len(base) == 1 and len(mark) == 1 else f"{sign}({base})"


def _grouped(text: str) -> str:
    return text if len(text) <= 1 or _WORD.fullmatch(text) else f"({text})"


def _closed(text: str) -> bool:
    """Whether a text is one pair of brackets around everything else."""
    if text[:1] not in "([{|" or text[-1:] not in ")]}|":
        return False
    depth = 0
    for at, sign in enumerate(text):
        depth += (sign in "([{") - (sign in ")]}")
        if depth == 0 and at < len(text) - 1:
            return False
    return True


def mathml(node: etree._Element) -> str:
    """A MathML formula in one line."""
    return tidy(_mathml(node))


def _mathml(node: etree._Element) -> str:
    if not isinstance(node.tag, str):
        return ""
    name = node.tag.rpartition("}")[2].rpartition(":")[2].lower()
    if name in {"annotation", "annotation-xml", "mphantom", "none", "mprescripts"}:
        return ""
    parts = [inner for inner in node if isinstance(inner.tag, str)]
    if name == "mtable":
        rows = [[_mathml(cell) for cell in row] for row in parts]
        return "; ".join("".join(row) for row in rows) if len(parts) < 2 else matrix(rows)
    if name == "mfenced":
        inside = (node.get("separators") or ",")[0].join(_mathml(inner) for inner in parts)
        return f"{node.get('open', '(')}{inside}{node.get('close', ')')}"
    if name == "mroot" and len(parts) == 2:
        return root(_mathml(parts[0]), _mathml(parts[1]))
    made = _BY_NAME.get(name)
    if made is not None and len(parts) == made[0]:
        return made[1](*(_mathml(inner) for inner in parts))
    inside = "".join(
        [_leaf(node, name), *(_mathml(inner) + (inner.tail or "").strip() for inner in parts)]
    )
    return root(inside) if name == "msqrt" else inside


def _leaf(node: etree._Element, name: str) -> str:
    text = " ".join((node.text or "").split())
    if name == "mspace":
        return " "
    return f" {text} " if name == "mtext" and text else text


def _over(base: str, above: str) -> str:
    return (
        accent(base, above)
        if above in _ACCENTS or above in {"^", "~"}
        else scripts(base, "", above)
    )


_BY_NAME: dict[str, tuple[int, Callable[..., str]]] = {
    "mfrac": (2, fraction),
    "msup": (2, power),
    "msub": (2, index),
    "msubsup": (3, lambda base, low, high: power(index(base, low), high)),
    "munder": (2, lambda base, low: scripts(base, low, "")),
    "mover": (2, _over),
    "munderover": (3, scripts),
}
