"""Notebooks of Jupyter: text, code and what the code printed, cell by cell.

Source: the notebook format, version 4 (nbformat).
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from ingest.parse.document.base64_text import without_base64
from ingest.parse.document.blocks import Block, DocumentDraft, block, unpaged
from ingest.parse.document.job import Job
from ingest.parse.document.text import decode
from ingest.parse.markup.html import html_blocks, markdown_blocks
from sovereign_rag.domain import ElementKind
from sovereign_rag.errors import DocumentError

_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_LONGEST_OUTPUT = 20_000  # characters of what one cell printed


def read_notebook(path: Path, job: Job) -> DocumentDraft:
    """The `Reader` of Jupyter notebooks.

    Raises:
        DocumentError: "broken".
    """
    del job
    try:
        notebook = json.loads(decode(path.read_bytes()))
    except json.JSONDecodeError as error:
        raise DocumentError(
            "broken", f"The notebook is damaged ({error}). Save it anew in Jupyter."
        ) from error
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    if cells is None and isinstance(notebook, dict):  # version 3 had sheets of cells
        sheets = notebook.get("worksheets") or [{}]
        cells = sheets[0].get("cells") if isinstance(sheets[0], dict) else None
    found = [cell for cell in cells or [] if isinstance(cell, dict)]
    return unpaged(made for cell in found for made in _cell(cell))


def _cell(cell: Mapping[str, object]) -> Iterator[Block | None]:
    kind = cell.get("cell_type")
    source = without_base64(_text(cell.get("source", cell.get("input"))))
    if kind == "markdown":
        yield from markdown_blocks(source) if source.strip() else ()
    elif kind == "heading":
        yield block(ElementKind.TITLE, source)
    elif kind == "code":
        yield block(ElementKind.CODE, source)
        outputs = cell.get("outputs")
        for output in outputs if isinstance(outputs, list) else ():
            if isinstance(output, dict):
                yield from _output(output)
    else:
        yield block(ElementKind.PARAGRAPH, source)


def _output(output: Mapping[str, object]) -> Iterator[Block | None]:
    """What a cell printed or showed; of several forms of it a table's, else the plain one."""
    if output.get("output_type") == "error":
        yield block(ElementKind.CODE, f"{output.get('ename', '')}: {output.get('evalue', '')}")
        return
    data = output.get("data", output)
    forms = data if isinstance(data, dict) else {}
    page = _text(forms.get("text/html"))
    plain = _text(forms.get("text/plain", output.get("text")))
    if "<table" in page:
        yield from html_blocks(page)
    elif markdown := _text(forms.get("text/markdown")):
        yield from markdown_blocks(markdown)
    elif plain and not _is_name_of_object(plain):
        yield block(ElementKind.CODE, without_base64(_COLOURS.sub("", plain))[:_LONGEST_OUTPUT])
    elif page:
        yield from html_blocks(page)


def _is_name_of_object(text: str) -> bool:
    """What Python says of a picture: "<Figure size 640x480 with 1 Axes>"."""
    return re.fullmatch(r"\s*<[^<>\n]*>\s*", text) is not None


def _text(value: object) -> str:
    if isinstance(value, list):
        return "".join(part for part in value if isinstance(part, str))
    return value if isinstance(value, str) else ""
