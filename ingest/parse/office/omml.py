"""Formulas of Word and PowerPoint in one line.

Source: ECMA-376 part 1, 22.1 (Office Math).
"""

from collections.abc import Callable

from lxml import etree

from ingest.parse.document import formula

M = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
FORMULAS = frozenset({M + "oMath", M + "oMathPara"})


def linear(node: etree._Element) -> str:
    """An `m:oMath` or `m:oMathPara` element as text."""
    if node.tag == M + "oMathPara":
        return "\n".join(linear(inner) for inner in node.iter(M + "oMath"))
    return formula.tidy(_inside(node))


def _inside(node: etree._Element | None) -> str:
    if node is None:
        return ""
    return "".join(_linear(inner) for inner in node if isinstance(inner.tag, str))


def _linear(node: etree._Element) -> str:
    if not node.tag.startswith(M):
        # Inserted runs and the like stand around parts of a formula; what is deleted does not.
        return "" if node.tag.endswith(("}del", "}rPr", "}ctrlPr")) else _inside(node)
    name = node.tag.removeprefix(M)
    if name == "t":
        return node.text or ""
    if name.endswith("Pr"):
        return ""
    made = _MAKERS.get(name)
    return made(node) if made is not None else _inside(node)


def _part(node: etree._Element, name: str) -> str:
    return _inside(node.find(M + name)).strip()


def _setting(node: etree._Element, path: str, default: str = "") -> str:
    found = node.find("/".join(M + step for step in path.split("/")))
    return default if found is None else found.get(M + "val", default)


def _fraction(node: etree._Element) -> str:
    above, below = _part(node, "num"), _part(node, "den")
    if _setting(node, "fPr/type") == "noBar":
        return f"({above}; {below})"
    return formula.fraction(above, below)


def _nary(node: etree._Element) -> str:
    sign = _setting(node, "naryPr/chr", "∫")
    limits = formula.scripts(sign, _part(node, "sub"), _part(node, "sup"))
    return f"{limits} {_part(node, 'e')}"


def _brackets(node: etree._Element) -> str:
    between = _setting(node, "dPr/sepChr", "|")
    inside = between.join(_inside(part).strip() for part in node.findall(M + "e"))
    return f"{_setting(node, 'dPr/begChr', '(')}{inside}{_setting(node, 'dPr/endChr', ')')}"


def _matrix(node: etree._Element) -> str:
    rows = [
        [_inside(cell).strip() for cell in row.findall(M + "e")] for row in node.findall(M + "mr")
    ]
    return formula.matrix(rows)


def _equations(node: etree._Element) -> str:
    return "; ".join(_inside(part).replace("&", "").strip() for part in node.findall(M + "e"))


def _root(node: etree._Element) -> str:
    return formula.root(_part(node, "e"), _part(node, "deg"))


def _before(node: etree._Element) -> str:
    return formula.scripts("", _part(node, "sub"), _part(node, "sup")) + _part(node, "e")


_MAKERS: dict[str, Callable[[etree._Element], str]] = {
    "f": _fraction,
    "sSup": lambda n: formula.power(_part(n, "e"), _part(n, "sup")),
    "sSub": lambda n: formula.index(_part(n, "e"), _part(n, "sub")),
    "sSubSup": lambda n: formula.power(
        formula.index(_part(n, "e"), _part(n, "sub")), _part(n, "sup")
    ),
    "sPre": _before,
    "rad": _root,
    "nary": _nary,
    "d": _brackets,
    "func": lambda n: formula.function(_part(n, "fName"), _part(n, "e")),
    "m": _matrix,
    "eqArr": _equations,
    "limLow": lambda n: formula.scripts(_part(n, "e"), _part(n, "lim"), ""),
    "limUpp": lambda n: formula.scripts(_part(n, "e"), "", _part(n, "lim")),
    "acc": lambda n: formula.accent(_part(n, "e"), _setting(n, "accPr/chr", "^")),
    "bar": lambda n: formula.accent(_part(n, "e"), "¯"),
}
