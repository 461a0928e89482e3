"""Styles of a Word document: which paragraphs are headings, in lists, or not shown."""

import re
from dataclasses import dataclass

from lxml import etree

from ingest.parse.office.package import W

_HEADING = re.compile(r"(?:heading|überschrift|titre|título|titolo) ?(\d)$", re.IGNORECASE)
_LIST_NAMES = re.compile(r"list(?: paragraph| bullet| number|enabsatz)", re.IGNORECASE)
_DEEPEST_CHAIN = 20


@dataclass(frozen=True, slots=True)
class WordStyle:
    """What a style says of a paragraph or a run, with what it inherits."""

    name: str = ""
    heading: int | None = None  # 0 is the outermost
    number: str | None = None  # numId of the list
    level: int | None = None  # in that list
    hidden: bool = False
    bold: bool = False
    place_on_line: str | None = None  # "superscript", "subscript", "baseline"

    @property
    def lists(self) -> bool:
        return _LIST_NAMES.match(self.name) is not None and self.name.lower() != "list paragraph"


class Styles:
    """The styles of `styles.xml`, by id."""

    def __init__(self, root: etree._Element | None) -> None:
        nodes = root.findall(W + "style") if root is not None else []
        self._nodes = {node.get(W + "styleId") or "": node for node in nodes}
        self._known: dict[str, WordStyle] = {}
        self.linked_lists = {
            key: number
            for key, node in self._nodes.items()
            if node.get(W + "type") == "numbering" and (number := _path(node, "pPr/numPr/numId"))
        }

    def __getitem__(self, key: str | None) -> WordStyle:
        if not key:
            return WordStyle()
        if key not in self._known:
            self._known[key] = self._resolved(key)
        return self._known[key]

    def _resolved(self, key: str) -> WordStyle:
        chain: list[etree._Element] = []
        at: str | None = key
        while at in self._nodes and len(chain) < _DEEPEST_CHAIN:
            chain.append(self._nodes[at])
            at = _path(chain[-1], "basedOn")
        if not chain:
            return WordStyle(name=key, heading=_named_heading(key))
        name = _path(chain[0], "name") or key
        outline = _first(chain, "pPr/outlineLvl")
        heading = _named_heading(name)
        if heading is None and outline is not None and outline.isdigit() and int(outline) < 9:
            heading = int(outline)
        level = _first(chain, "pPr/numPr/ilvl")
        return WordStyle(
            name=name,
            heading=heading,
            number=_first(chain, "pPr/numPr/numId"),
            level=int(level) if level and level.isdigit() else None,
            hidden=any(is_on(node.find(f"{W}rPr/{W}vanish")) for node in chain[:1]),
            bold=any(is_on(node.find(f"{W}rPr/{W}b")) for node in chain),
            place_on_line=_first(chain, "rPr/vertAlign"),
        )


def is_on(node: etree._Element | None) -> bool:
    """Whether a toggle of Word's (`w:b`, `w:vanish`) is there and not switched off."""
    return node is not None and node.get(W + "val") not in {"0", "false", "off"}


def _named_heading(name: str) -> int | None:
    if name.lower() in {"title", "titel"}:
        return 0
    found = _HEADING.match(name)
    return max(0, int(found.group(1)) - 1) if found else None


def _path(node: etree._Element, path: str) -> str | None:
    found = node.find("/".join(W + step for step in path.split("/")))
    return None if found is None else found.get(W + "val")


def _first(chain: list[etree._Element], path: str) -> str | None:
    return next((value for node in chain if (value := _path(node, path)) is not None), None)
