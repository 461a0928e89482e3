"""Text that an HTML page holds and a browser does not show: where instructions are hidden.

Read are the `hidden` attribute, `style` attributes, and rules of `<style>` for one tag, class or
id. What a script or a style sheet from elsewhere would do is not known.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

import lxml.html
from lxml import etree

_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_AT_BLOCK = re.compile(r"@[^{};]*\{(?:[^{}]*\{[^{}]*\})*[^{}]*\}")
_AT_LINE = re.compile(r"@[^{};]*;")
_RULE = re.compile(r"([^{}]+)\{([^{}]*)\}")
_SIMPLE = re.compile(r"(?:[a-z][a-z0-9]*)?(?:[.#][\w-]+)?$", re.IGNORECASE)
_NUMBER = re.compile(r"(-?\d*\.?\d+)\s*(px|pt|em|rem|ex|%|vw|vh|in|cm|mm)?$")
_NEVER = frozenset({"html", "body", "head", "script", "style", "template", "noscript", "title"})
_WHITE = frozenset({"white", "#fff", "#ffffff", "rgb(255,255,255)", "rgba(255,255,255,1)"})
_CLEAR = frozenset({"", "none", "transparent", "inherit", "initial", "unset", "#fff0"})
_TINY_FONT = {"px": 1.0, "pt": 1.0, "em": 0.1, "rem": 0.1, "%": 5.0}
_FAR = 900.0  # pixels off the screen
_MOST_RULES = 5_000

Style = Mapping[str, str]


@dataclass(slots=True)
class _Rules:
    """Declarations by "tag", ".class", "#id" and "tag.class"."""

    by_selector: dict[str, dict[str, str]] = field(default_factory=dict)
    linked: bool = False  # whether a style sheet from elsewhere has a say

    def of(self, node: lxml.html.HtmlElement) -> dict[str, str]:
        found: dict[str, str] = {}
        tag = node.tag.lower()
        names = [tag, *(f".{c}" for c in (node.get("class") or "").split())]
        names += [f"#{node.get('id')}"] if node.get("id") else []
        for name in names if self.by_selector else ():
            found |= self.by_selector.get(name, {})
            found |= self.by_selector.get(tag + name, {}) if name != tag else {}
        if node.get("style"):
            found |= _declared(node.get("style"))
        return found


def separate_hidden(tree: lxml.html.HtmlElement) -> list[str]:
    """Take what is not shown out of a page; returns its texts, in order."""
    rules = _rules(tree)
    hidden: list[tuple[lxml.html.HtmlElement, str]] = []
    gone: set[lxml.html.HtmlElement] = set()
    for node in tree.iter(etree.Element):
        if node.tag in _NEVER or node.getparent() is None:
            continue
        styled = node.get("style") or node.get("class") or node.get("id") or "hidden" in node.attrib
        tagged = node.tag in rules.by_selector or node.get("color") or node.get("size")
        if not (styled or tagged) or any(above in gone for above in node.iterancestors()):
            continue
        if _is_hidden(node, rules):
            gone.add(node)
            hidden.append((node, " ".join(" ".join(node.itertext()).split())))
    for node, _ in hidden:
        node.drop_tree()
    return [text for _, text in hidden if text]


def _is_hidden(node: lxml.html.HtmlElement, rules: _Rules) -> bool:
    style = rules.of(node)
    if "hidden" in node.attrib and style.get("display", "none") == "none":
        return True
    if style.get("display") == "none" or style.get("mso-hide") == "all":
        return True
    if style.get("visibility") in {"hidden", "collapse"}:
        return True
    opacity = _NUMBER.match(style.get("opacity", "1"))
    if opacity is not None and float(opacity.group(1)) < 0.05:
        return True
    font = _NUMBER.match(style.get("font-size", ""))
    if font is not None and float(font.group(1)) <= _TINY_FONT.get(font.group(2) or "px", 0.0):
        return "".join(node.itertext()).strip() != "" and not _grows(node, rules)
    return _is_clipped(style) or _is_off_screen(style) or _is_in_its_ground(node, style, rules)


def _grows(node: lxml.html.HtmlElement, rules: _Rules) -> bool:
    """Whether something inside has a font size of its own: a trick against gaps in layouts."""
    return any("font-size" in rules.of(inner) for inner in node.iterdescendants(etree.Element))


def _is_clipped(style: Style) -> bool:
    if style.get("clip", "").replace(" ", "").startswith(("rect(0,0,0,0", "rect(0000", "rect(0px")):
        return True
    if style.get("overflow") != "hidden":
        return False
    sizes = (
        _NUMBER.match(style.get(n, "")) for n in ("height", "width", "max-height", "max-width")
    )
    return any(size is not None and float(size.group(1)) <= 1.0 for size in sizes)


def _is_off_screen(style: Style) -> bool:
    names = ["text-indent"]
    if style.get("position") in {"absolute", "fixed"}:
        names += ["left", "top", "right", "bottom"]
    for name in (*names, "margin-left", "margin-top"):
        found = _NUMBER.match(style.get(name, ""))
        if found is not None and float(found.group(1)) <= -_FAR and found.group(2) != "%":
            return True
    return False


def _is_in_its_ground(node: lxml.html.HtmlElement, style: Style, rules: _Rules) -> bool:
    """Whether a text has the colour of what is behind it."""
    colour = style.get("color", (node.get("color") or "").lower()).replace(" ", "")
    if not colour:
        return False
    for at in (node, *node.iterancestors()):
        ground = _ground(at, rules)
        if ground == "?":
            return False
        if ground not in _CLEAR:
            return ground == colour or (ground in _WHITE and colour in _WHITE)
    return (colour in _WHITE and not rules.linked) or colour == "transparent"


def _ground(node: lxml.html.HtmlElement, rules: _Rules) -> str:
    """The colour behind an element's text; "?" for a picture or what can't be told."""
    style = rules.of(node)
    if "background-image" in style or node.get("background"):
        return "?"
    ground = style.get("background-color") or style.get("background") or node.get("bgcolor") or ""
    ground = ground.lower().replace(" ", "")
    return "?" if "url(" in ground or "gradient" in ground or "var(" in ground else ground


def _rules(tree: lxml.html.HtmlElement) -> _Rules:
    rules = _Rules()
    links = tree.iter("link")
    rules.linked = any("stylesheet" in (n.get("rel") or "").lower() for n in links)
    for node in tree.iter("style"):
        text = _AT_LINE.sub("", _AT_BLOCK.sub("", _COMMENT.sub("", node.text or "")))
        for found in _RULE.finditer(text):
            for selector in found.group(1).split(","):
                name = selector.strip()
                if _SIMPLE.match(name) and name and len(rules.by_selector) < _MOST_RULES:
                    name = name if name.startswith((".", "#")) else _lower_tag(name)
                    rules.by_selector.setdefault(name, {}).update(_declared(found.group(2)))
    return rules


def _lower_tag(selector: str) -> str:
    tag = re.match(r"[a-zA-Z0-9]*", selector)
    end = tag.end() if tag else 0
    return selector[:end].lower() + selector[end:]


def _declared(text: str) -> dict[str, str]:
    found = {}
    for declaration in text.split(";"):
        name, colon, value = declaration.partition(":")
        if colon:
            cleaned = value.lower().replace("!important", "").strip()
            found[name.strip().lower()] = cleaned
    return found
