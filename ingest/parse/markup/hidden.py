"""Text that an HTML page holds and a browser does not show: where instructions are hidden.

Each text is judged by what holds for the element around it, inherited or its own: whether it is
drawn, how large, in which colour on which ground, and where. What a script or a style sheet from
elsewhere would do is not known, nor what lies over a text or next to a picture of its colour.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

import lxml.html

from ingest.parse.markup.css import Cascade, Style, Tokens
from ingest.parse.markup.css_matching import StyledElement
from ingest.parse.markup.css_values import (
    BLACK,
    ROOT_PX,
    WHITE,
    Rgba,
    colour,
    font_size,
    functions,
    html_colour,
    is_picture,
    number,
    px,
    sides,
    size_in_font,
    substituted,
)

_NO_TEXT: Final = frozenset({"head", "script", "style", "template", "noscript", "title"})
_LEAST_FONT_PX: Final = 2.0  # up to here nobody reads it
_LEAST_OPACITY: Final = 0.05
_FAR_PX: Final = -900.0  # off the screen, where no scrolling leads
_LEAST_BOX_PX: Final = 1.0  # of a box that cuts off what is in it
_LEAST_SCALE: Final = 0.01
_READ: Final = frozenset(
    {
        *("background", "background-color", "background-image", "background-clip"),
        *("-webkit-background-clip", "-webkit-text-fill-color", "color", "filter", "opacity"),
        *("font", "font-size", "scale", "transform", "translate", "zoom", "text-indent"),
        *("display", "visibility", "content-visibility", "mso-hide", "clip", "clip-path"),
        *("position", "inset", "top", "right", "bottom", "left"),
        *("margin", "margin-top", "margin-left", "overflow", "overflow-x", "overflow-y"),
        *("height", "width", "max-height", "max-width"),
    }
)
_HINTS: Final = frozenset({"color", "text", "bgcolor", "background"})  # looks before CSS
_MOVED: Final = frozenset({"absolute", "fixed", "relative", "sticky"})


@dataclass(frozen=True, slots=True)
class _Look:
    """How a text would be drawn directly in an element."""

    is_gone: bool = False  # with everything inside, whatever that says of itself
    is_visible: bool = True
    font_px: float = ROOT_PX
    scale: float = 1.0
    opacity: float = 1.0
    colour: Rgba = BLACK
    is_coloured: bool = False  # somebody chose the colour
    ground: Rgba | None = WHITE  # None: a picture, or what can't be told
    is_painted: bool = False  # the letters show what is behind them
    is_closed: bool = False  # a <details> whose own text waits to be opened
    variables: Mapping[str, Tokens] = field(default_factory=dict)

    @property
    def is_hidden(self) -> bool:
        if self.is_gone or self.is_closed or not self.is_visible:
            return True
        if self.font_px * self.scale <= _LEAST_FONT_PX or self.opacity < _LEAST_OPACITY:
            return True
        if not self.is_coloured or self.is_painted:
            return False
        if self.ground is None:
            return self.colour.alpha * self.opacity < _LEAST_OPACITY
        seen = replace(self.colour, alpha=self.colour.alpha * self.opacity).over(self.ground)
        return seen.is_like(self.ground)


def separate_hidden(tree: lxml.html.HtmlElement) -> list[str]:
    """Take what is not shown out of a page; returns its texts, in order."""
    cascade = Cascade(tree, _READ)
    looks = _looks(StyledElement.from_html_root(tree), cascade)
    wholly = _wholly_hidden(tree, looks)
    found: list[str] = []
    for node in _outermost(tree, wholly, looks):
        text = "".join(node.itertext()) if node in wholly else _own_text(node, take=True)
        found.append(" ".join(text.split()))
        if node in wholly:
            node.drop_tree()
    return [text for text in found if text]


def _looks(root: StyledElement, cascade: Cascade) -> dict[lxml.html.HtmlElement, _Look]:
    ground = None if cascade.is_linked else WHITE
    looks: dict[lxml.html.HtmlElement, _Look] = {}
    stack = [(root, _Look(ground=ground))]
    while stack:
        element, around = stack.pop()
        if element.local_name in _NO_TEXT:
            continue
        look = around if around.is_gone else _look(element, around, cascade.style_of(element))
        looks[element.etree_element] = look
        below = replace(look, is_closed=False) if look.is_closed else look
        stack += ((child, below) for child in element.iter_children())
    return looks


def _wholly_hidden(
    tree: lxml.html.HtmlElement, looks: Mapping[lxml.html.HtmlElement, _Look]
) -> set[lxml.html.HtmlElement]:
    """Elements that hold text, of which none is shown."""
    shown: set[lxml.html.HtmlElement] = set()
    hidden: set[lxml.html.HtmlElement] = set()
    for node in reversed(list(looks)):  # what is inside before what is around it
        inside = [child for child in node if child in looks]
        has_text = bool(_own_text(node).strip())
        if any(child in shown for child in inside) or (has_text and not looks[node].is_hidden):
            shown.add(node)
        elif has_text or any(child in hidden for child in inside):
            hidden.add(node)
    return hidden - {tree, *tree.iterchildren("body")}


def _outermost(
    tree: lxml.html.HtmlElement,
    wholly: set[lxml.html.HtmlElement],
    looks: Mapping[lxml.html.HtmlElement, _Look],
) -> list[lxml.html.HtmlElement]:
    """In order: what is wholly hidden, and where else an element's own text is."""
    found: list[lxml.html.HtmlElement] = []
    stack = [tree]
    while stack:
        node = stack.pop()
        if node in wholly:
            found.append(node)
            continue
        if looks[node].is_hidden and _own_text(node).strip():
            found.append(node)
        stack += (child for child in reversed(node) if child in looks)
    return found


def _own_text(node: lxml.html.HtmlElement, *, take: bool = False) -> str:
    """The text directly in an element, between what else is in it; `take`: it is gone then."""
    parts = [node.text or "", *(child.tail or "" for child in node)]
    if take:
        node.text = None
        for child in node:
            child.tail = None
    return " ".join(parts)


def _look(element: StyledElement, around: _Look, declared: Style) -> _Look:
    node = element.etree_element
    if not declared and _HINTS.isdisjoint(node.keys()) and element.local_name != "details":
        return around
    own = {name: value for name, value in declared.items() if name.startswith("--")}
    variables = {**around.variables, **own} if own else around.variables
    style = dict(_longhands(declared, variables))
    size = font_size(style.get("font-size", ()), around.font_px)
    chosen = colour(style.get("-webkit-text-fill-color", style.get("color", ())), around.colour)
    chosen = chosen or html_colour(node.get("color") or node.get("text"))
    look = _Look(
        is_visible=_is_visible(style, around),
        font_px=around.font_px if size is None else size,
        scale=around.scale * _scale(style),
        opacity=around.opacity * _opacity(style),
        colour=chosen or around.colour,
        is_coloured=around.is_coloured or chosen is not None,
        ground=_ground(node, style, around, chosen or around.colour),
        is_painted=around.is_painted or "text" in _clips(style),
        is_closed=element.local_name == "details" and "open" not in node.attrib,
        variables=variables,
    )
    return replace(look, is_gone=_is_gone(style, look))


def _longhands(declared: Style, variables: Style) -> Iterator[tuple[str, Tokens]]:
    """The style without shorthands, in the order in which one thing outdoes the other."""
    for name, raw in declared.items():
        value = substituted(raw, variables)
        match name:
            case "font":
                yield "font-size", size_in_font(value)
            case "background":
                yield "background-color", value
                yield "background-image", value
            case "inset" | "margin":
                prefix = "" if name == "inset" else "margin-"
                yield from ((prefix + side, [token]) for side, token in sides(value).items())
            case "overflow-x" | "overflow-y":
                yield "overflow", value
            case _:
                yield name, value


def _is_gone(style: Style, look: _Look) -> bool:
    return (
        _word(style, "display") == "none"
        or _word(style, "content-visibility") == "hidden"
        or _word(style, "mso-hide") == "all"
        or look.scale < _LEAST_SCALE
        or _is_cut_off(style, look.font_px)
        or _is_off_screen(style, look.font_px)
    )


def _is_visible(style: Style, around: _Look) -> bool:
    said = _word(style, "visibility")
    if said in {"hidden", "collapse"}:
        return False
    return said in {"visible", "initial"} or around.is_visible


def _is_cut_off(style: Style, font_px: float) -> bool:
    clip = dict(functions(style.get("clip", ())))
    if _word(style, "position") in {"absolute", "fixed"} and "rect" in clip:
        edges = [px(token, font_px) for token in clip["rect"]]
        if len(edges) == 4 and _is_empty(edges[0], edges[2]) and _is_empty(edges[3], edges[1]):
            return True
    if any(_leaves_nothing(*one) for one in functions(style.get("clip-path", ()))):
        return True
    if _word(style, "overflow") not in {"hidden", "clip"}:
        return False
    return any(
        size is not None and size <= _LEAST_BOX_PX
        for name in ("height", "width", "max-height", "max-width")
        for size in [_length(style, name, font_px)]
    )


def _is_empty(start: float | None, end: float | None) -> bool:
    return start is not None and end is not None and end - start <= _LEAST_BOX_PX


def _leaves_nothing(shape: str, arguments: list[Any]) -> bool:
    """Whether a basic shape of `clip-path` has next to no area."""
    sizes = [px(token, ROOT_PX, 100.0) for token in arguments]
    match shape:
        case "inset":
            edges = sides([size for size in sizes[:4] if size is not None])
            percent = all(token.type == "percentage" for token in arguments[:4])
            return bool(edges) and percent and _crosses(edges)
        case "circle" | "ellipse":
            return any(size is not None and size <= _LEAST_BOX_PX for size in sizes[:1])
        case "polygon":
            points = [size for size in sizes if size is not None]
            return any(max(axis) - min(axis) == 0 for axis in (points[::2], points[1::2]) if axis)
        case "rect" | "xywh":
            width = sizes[2:3] if shape == "xywh" else sizes[1:2]
            return any(size is not None and size <= _LEAST_BOX_PX for size in width)
    return False


def _crosses(edges: Mapping[str, float]) -> bool:
    return edges["top"] + edges["bottom"] >= 100 or edges["left"] + edges["right"] >= 100


def _is_off_screen(style: Style, font_px: float) -> bool:
    names = ["text-indent", "margin-left", "margin-top"]
    if _word(style, "position") in _MOVED:
        names += ["left", "top", "right", "bottom"]
    lengths = [_length(style, name, font_px) for name in names]
    lengths += [px(token, font_px) for token in style.get("translate", ())]
    for name, arguments in functions(style.get("transform", ())):
        if name.startswith("translate"):
            lengths += [px(token, font_px) for token in arguments]
    return any(length is not None and length <= _FAR_PX for length in lengths)


def _scale(style: Style) -> float:
    """How much smaller an element is drawn; 0 where it stands edgewise."""
    scale = min(1.0, *(float(t.value) for t in style.get("scale", ()) if t.type == "number"), 1.0)
    zoom = number(style.get("zoom", ()))
    scale *= 1.0 if zoom is None else zoom
    for name, arguments in functions(style.get("transform", ())):
        values = [float(token.value) for token in arguments if token.type == "number"]
        if name in {"scale", "scalex", "scaley", "scale3d"} and values:
            scale *= min(abs(value) for value in values[:2])
        elif name == "matrix" and len(values) == 6:
            scale *= min(1.0, abs(values[0] * values[3] - values[1] * values[2]) ** 0.5)
    return scale


def _opacity(style: Style) -> float:
    said = number(style.get("opacity", ()))
    opacity = 1.0 if said is None else min(1.0, max(0.0, said))
    for name, arguments in functions(style.get("filter", ())):
        if name == "opacity":
            part = number(arguments)
            opacity *= 1.0 if part is None else part
    return opacity


def _ground(node: lxml.html.HtmlElement, style: Style, around: _Look, current: Rgba) -> Rgba | None:
    """The colour behind an element's text; None for a picture or what can't be told."""
    if is_picture(style.get("background-image", ())) or node.get("background"):
        return None
    said = style.get("background-color")
    own = html_colour(node.get("bgcolor")) if said is None else colour(said, current)
    if own is None:
        return around.ground
    if own.alpha >= 1:
        return own
    return None if around.ground is None else own.over(around.ground)


def _clips(style: Style) -> set[str]:
    return {_word(style, f"{prefix}background-clip") for prefix in ("", "-webkit-")}


def _length(style: Style, name: str, font_px: float) -> float | None:
    tokens = style.get(name, ())
    return px(tokens[0], font_px) if tokens else None


def _word(style: Style, name: str) -> str:
    tokens = style.get(name, ())
    return str(tokens[0].lower_value) if tokens and tokens[0].type == "ident" else ""
