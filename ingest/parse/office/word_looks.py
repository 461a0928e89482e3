"""How a run of a Word document looks: hidden, bold, raised, in a font of signs."""

from lxml import etree

from ingest.parse.document.symbol_fonts import CHECKED, UNCHECKED, is_symbol_font, sign, spelled
from ingest.parse.office.package import W
from ingest.parse.office.word_styles import Styles, is_on

_TINY_HALF_POINTS = 3
_MOVED = 4  # half points off the line
_LOOKS = {f"{W}{tag}": f"{W}{tag}Pr/{W}shd" for tag in ("p", "tc", "r")}  # a ground of its own


def is_shaded(node: etree._Element) -> bool:
    """Whether text may stand on a ground that isn't white: then white text is no hidden text."""
    for at in (node, *node.iterancestors()):
        if at.tag in {W + "tbl", W + "txbxContent"}:
            return True
        look = _LOOKS.get(at.tag)  # the body is not asked: it would look at all that it holds
        fill = at.find(look) if look is not None else None
        if fill is not None and (fill.get(W + "fill") or "auto").upper() not in {
            "AUTO",
            "FFFFFF",
        }:
            return True
    return False


def is_unseen(run: etree._Element, shaded: bool, styles: Styles) -> bool:
    looks = run.find(W + "rPr")
    if looks is None:
        return False
    vanish = looks.find(W + "vanish")
    if is_on(vanish) or is_on(looks.find(W + "webHidden")):
        return True
    if vanish is None and styles[value(looks, "rStyle")].hidden:
        return True
    size = value(looks, "sz")
    if size is not None and size.isdigit() and int(size) <= _TINY_HALF_POINTS:
        return True
    white = (value(looks, "color") or "").upper() == "FFFFFF"
    if not white or shaded:
        return False
    return looks.find(W + "highlight") is None and not is_shaded(run)


def is_bold(run: etree._Element, inherited: bool) -> bool:
    node = run.find(f"{W}rPr/{W}b")
    return inherited if node is None else is_on(node)


def symbol(node: etree._Element) -> str:
    """What a `w:sym` draws."""
    font = node.get(W + "font") or ""
    try:
        code = int(node.get(W + "char") or "", 16)
    except ValueError:
        return ""
    if code >= 0xF000 or is_symbol_font(font):
        return sign(font, code) or ""
    return chr(code)


def in_font(run: etree._Element, text: str) -> str:
    """The text of a run as its font draws it."""
    fonts = run.find(f"{W}rPr/{W}rFonts")
    if fonts is None:
        return text
    return spelled(fonts.get(W + "ascii") or fonts.get(W + "hAnsi") or "", text)


def place_on_line(run: etree._Element, styles: Styles) -> str:
    """Whether a run is raised or lowered: "superscript", "subscript" or ""."""
    looks = run.find(W + "rPr")
    if looks is None:
        return ""
    own = value(looks, "vertAlign")
    if own is None:
        own = styles[value(looks, "rStyle")].place_on_line
    if own is None and (moved := value(looks, "position")) is not None:
        half_points = int(moved) if moved.lstrip("-").isdigit() else 0
        own = (
            "superscript"
            if half_points >= _MOVED
            else "subscript"
            if half_points <= -_MOVED
            else ""
        )
    return own if own in {"superscript", "subscript"} else ""


def form_field(node: etree._Element) -> str:
    """The state of a check box, or what a list has chosen, of a field made by `w:fldChar`."""
    box = node.find(f"{W}ffData/{W}checkBox")
    if box is not None:
        state = box.find(W + "checked")
        state = box.find(W + "default") if state is None else state
        return CHECKED if is_on(state) else UNCHECKED
    listed = node.find(f"{W}ffData/{W}ddList")
    if listed is None:
        return ""
    entries = [entry.get(W + "val") or "" for entry in listed.findall(W + "listEntry")]
    chosen = value(listed, "result") or value(listed, "default") or "0"
    return entries[int(chosen)] if chosen.isdigit() and int(chosen) < len(entries) else ""


def value(node: etree._Element, path: str) -> str | None:
    found = node.find("/".join(W + step for step in path.split("/")))
    return None if found is None else found.get(W + "val")
