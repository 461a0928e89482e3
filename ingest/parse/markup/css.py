"""Which declarations of a page's own style sheets hold for which element: the cascade.

tinycss2 reads the sheets and cssselect2 matches selectors; in what order rules outdo each other,
and which of them a screen of an ordinary size applies, stands here. Scripts are not run, and
style sheets from elsewhere are never fetched: `Cascade.is_linked` says that one has a say.

Source: CSS Cascading and Inheritance Level 5, Media Queries Level 4, CSS Nesting (W3C).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import cssselect2
import tinycss2
from lxml import etree

from ingest.parse.markup.css_matching import Matcher, StyledElement

SCREEN: Final = (1280.0, 800.0)  # pixels, of whoever reads the page
_BROWSER: Final = """
    [hidden], dialog:not([open]), [popover], datalist, noembed, noframes { display: none }
    details:not([open]) > :not(summary) { content-visibility: hidden }
"""
_MOST_RULES: Final = 5_000
_MOST_SELECTORS: Final = 20_000  # each takes half a millisecond to make ready
_LONGEST_SELECTOR: Final = 2_000  # characters; nested rules can double it at each level
_DEEPEST: Final = 32  # levels of nesting

_BLANK: Final = frozenset({"whitespace", "comment"})

Tokens = Sequence[Any]  # tinycss2's component values, which bring no types
Style = Mapping[str, Tokens]
"""What holds for an element, by property; shorthands as they were written."""


@dataclass(frozen=True, slots=True)
class _Declared:
    """A declaration, and whose it is."""

    name: str
    value: Tokens
    is_important: bool
    is_authors: bool  # else the browser's own
    is_layered: bool

    @property
    def weight(self) -> tuple[bool, bool, bool]:
        """What outdoes specificity and order."""
        return self.is_important, self.is_authors, self.is_layered is self.is_important


class Cascade:
    """The style sheets that a page brings along."""

    def __init__(self, tree: etree._Element, properties: frozenset[str]) -> None:
        """`properties` are those that are asked for; of others no rule is kept."""
        self._properties = properties
        self._matcher = Matcher()
        self._rules = 0
        self._add(_BROWSER, is_authors=False)
        links = (node.get("rel") or "" for node in tree.iter("link"))
        self.is_linked = any("stylesheet" in rel.lower() for rel in links)
        for node in tree.iter("style"):
            if _is_for_screens(_parsed(node.get("media") or "all")):
                self._add(node.text or "", is_authors=True)

    def style_of(self, element: StyledElement) -> dict[str, Tokens]:
        """What the rules and the element's own `style` declare for it."""
        found: list[tuple[Any, ...]] = []
        for specificity, order, pseudo, declared in self._matcher.match(element):
            if pseudo is None:
                found += ((d.weight, False, specificity, order, d) for d in declared)
        own = element.etree_element.get("style")
        if own:
            declared = self._declared(tinycss2.parse_blocks_contents(own), is_authors=True)
            found += ((d.weight, True, (), 0, d) for d in declared)
        found.sort(key=lambda one: one[:4])
        style: dict[str, Tokens] = {}
        for *_, one in found:
            style.pop(one.name, None)  # what is declared last stands last: shorthands need that
            style[one.name] = one.value
        return style

    def _add(self, text: str, *, is_authors: bool) -> None:
        nodes = tinycss2.parse_stylesheet(text, skip_comments=True, skip_whitespace=True)
        for selector, content, is_layered in self._rules_of(nodes, "", False, 0):
            declared = self._declared(content, is_authors=is_authors, is_layered=is_layered)
            if not declared or self._rules >= _MOST_RULES:
                continue
            if self._matcher.order >= _MOST_SELECTORS:
                continue
            self._rules += 1
            try:
                self._matcher.add(selector, declared)
            except (cssselect2.SelectorError, RecursionError, SyntaxError, ValueError):
                continue  # as a browser does: a selector that it can't read takes its rule along

    def _declared(
        self, nodes: Iterable[Any], *, is_authors: bool, is_layered: bool = False
    ) -> list[_Declared]:
        found: list[_Declared] = []
        for node in nodes:
            if node.type != "declaration":
                continue
            name = node.name if node.name.startswith("--") else node.lower_name
            if name.startswith("--") or name in self._properties:
                value = [token for token in node.value if token.type != "comment"]
                found.append(_Declared(name, value, node.important, is_authors, is_layered))
        return found

    def _rules_of(
        self, nodes: Iterable[Any], parent: str, is_layered: bool, depth: int
    ) -> Iterator[tuple[str, list[Any], bool]]:
        """Selectors with their content, in order; a nested rule has its parent's in it."""
        if depth > _DEEPEST:
            return
        nodes = list(nodes)
        own = [node for node in nodes if node.type == "declaration"]
        if own and parent:
            yield parent, own, is_layered
        for node in nodes:
            if node.type == "qualified-rule":
                selector = _nested(tinycss2.serialize(node.prelude).strip(), parent)
                if len(selector) <= _LONGEST_SELECTOR:
                    inside = tinycss2.parse_blocks_contents(node.content)
                    yield from self._rules_of(inside, selector, is_layered, depth + 1)
            elif node.type == "at-rule" and node.lower_at_keyword == "import":
                self.is_linked = True
            elif node.type == "at-rule" and node.content is not None and _applies(node):
                read = tinycss2.parse_blocks_contents if parent else tinycss2.parse_rule_list
                layered = is_layered or node.lower_at_keyword == "layer"
                yield from self._rules_of(read(node.content), parent, layered, depth + 1)


def _parsed(text: str) -> Tokens:
    found: Tokens = tinycss2.parse_component_value_list(text, skip_comments=True)
    return found


def _nested(selector: str, parent: str) -> str:
    if not parent:
        return selector.replace("&", ":root")
    if "&" in selector:
        return selector.replace("&", f":is({parent})")
    return ", ".join(f":is({parent}) {part.strip()}" for part in _split(selector))


def _split(selector: str) -> Iterator[str]:
    """The parts between the commas that stand in no brackets."""
    for part in _between_commas(_parsed(selector)):
        yield tinycss2.serialize(part)


def _applies(rule: Any) -> bool:
    match rule.lower_at_keyword:
        case "media":
            return _is_for_screens(rule.prelude)
        case "supports":
            words = _words(rule.prelude)
            return not words or words[0] != "not"
        case "layer":
            return True
    return False


def _is_for_screens(prelude: Tokens) -> bool:
    """Whether a list of media queries has one that an ordinary screen fulfils."""
    queries = _between_commas(prelude)
    return any(_is_fulfilled([t for t in one if t.type not in _BLANK]) for one in queries)


def _between_commas(tokens: Tokens) -> Iterator[list[Any]]:
    part: list[Any] = []
    for item in tokens:
        if item == ",":
            yield part
            part = []
        else:
            part.append(item)
    yield part


def _is_fulfilled(query: Tokens) -> bool:
    words = _words(query)
    features = [_has_feature(token.content) for token in query if token.type == "() block"]
    kinds = [word for word in words if word not in {"not", "only", "and", "or"}]
    fits = not kinds or kinds[0] in {"screen", "all"}
    fits = fits and (any(features) if "or" in words else all(features))
    return not fits if words[:1] == ["not"] else fits


def _has_feature(content: Tokens) -> bool:
    inside = [token for token in content if token.type not in _BLANK]
    if any(token.type == "() block" for token in inside):
        return _is_fulfilled(inside)
    name = inside[0].lower_value if inside and inside[0].type == "ident" else ""
    for axis, size in zip(("width", "height"), SCREEN, strict=True):
        if name in {f"min-{axis}", f"max-{axis}"} and inside[-1].type in {"dimension", "number"}:
            scale = 16.0 if getattr(inside[-1], "lower_unit", "px") in {"em", "rem"} else 1.0
            limit = inside[-1].value * scale
            return bool(size >= limit if name.startswith("min-") else size <= limit)
    said = [token.lower_value for token in inside[1:] if token.type == "ident"]
    return name in _SCREEN_HAS and (not said or said[0] in _SCREEN_HAS[name])


_SCREEN_HAS: Final[Mapping[str, frozenset[str]]] = {
    "color": frozenset(),
    "width": frozenset(),
    "height": frozenset(),
    "hover": frozenset({"hover"}),
    "any-hover": frozenset({"hover"}),
    "pointer": frozenset({"fine"}),
    "any-pointer": frozenset({"fine"}),
    "orientation": frozenset({"landscape"}),
    "prefers-color-scheme": frozenset({"light"}),
    "prefers-reduced-motion": frozenset({"no-preference"}),
    "prefers-contrast": frozenset({"no-preference"}),
    "scripting": frozenset({"enabled"}),
    "update": frozenset({"fast"}),
    "display-mode": frozenset({"browser"}),
}


def _words(tokens: Tokens) -> list[str]:
    return [token.lower_value for token in tokens if token.type == "ident"]
