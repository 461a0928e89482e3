"""Check boxes and option buttons that lie on a spreadsheet, with their state and lettering.

Source: [MS-OI29500] and ECMA-376 part 4, 19.4 (VML of spreadsheets).
"""

from collections.abc import Iterator

from lxml import etree

from ingest.parse.document.blocks import Block, block
from ingest.parse.document.symbol_fonts import CHECKED, UNCHECKED
from ingest.parse.document.text import one_line
from sovereign_rag.domain import ElementKind

_X = "{urn:schemas-microsoft-com:office:excel}"
_V = "{urn:schemas-microsoft-com:vml}"
_SIGNS = {"Checkbox": (UNCHECKED, CHECKED), "Radio": ("○", "◉")}


def form_controls(root: etree._Element | None) -> Iterator[Block]:
    """The controls of a sheet's drawing, one paragraph each."""
    for shape in root.iter(_V + "shape") if root is not None else ():
        data = shape.find(_X + "ClientData")
        signs = _SIGNS.get(data.get("ObjectType") or "") if data is not None else None
        if signs is None or data is None:
            continue
        box = shape.find(_V + "textbox")
        text = one_line(" ".join(box.itertext())) if box is not None else ""
        sign = signs[(data.findtext(_X + "Checked") or "").strip() == "1"]
        made = block(ElementKind.PARAGRAPH, f"{sign} {text}") if text else None
        if made is not None:
            yield made
