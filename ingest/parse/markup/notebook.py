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
from ingest.parse.document.text import decode, one_line
from ingest.parse.markup.html import html_blocks, markdown_blocks
from sovereign_rag.domain import ElementKind
from sovereign_rag.errors import DocumentError

_COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_OVERWRITTEN = re.compile(r"[^\n\r]*\r(?!\n)")  # a line that a terminal writes again: progress
_OLD_FORMS = {"text": "text/plain", "html": "text/html", "latex": "text/latex"}  # of version 3
_RAW_MARKUP = {"text/html": html_blocks, "html": html_blocks, "text/markdown": markdown_blocks}
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
    whole = notebook if isinstance(notebook, dict) else {}
    about = whole.get("metadata")
    about = about if isinstance(about, dict) else {}
    title = one_line(_text(about.get("title", about.get("name"))))
    return unpaged((made for cell in _cells(whole) for made in _cell(cell)), title=title or None)


def _cells(notebook: Mapping[str, object]) -> Iterator[Mapping[str, object]]:
    """The cells of a notebook; version 3 had them on sheets."""
    sheets = notebook.get("worksheets")
    for sheet in (notebook, *(sheets if isinstance(sheets, list) else ())):
        cells = sheet.get("cells") if isinstance(sheet, dict) else None
        yield from (cell for cell in cells or () if isinstance(cell, dict))


def _cell(cell: Mapping[str, object]) -> Iterator[Block | None]:
    kind = cell.get("cell_type")
    source = without_base64(_text(cell.get("source", cell.get("input"))))
    if not source.strip() and kind != "code":
        return
    if kind == "markdown":
        yield from markdown_blocks(source)
    elif kind == "heading":
        level = cell.get("level")
        yield block(ElementKind.TITLE, source, level - 1 if isinstance(level, int) else 0)
    elif kind == "raw":
        about = cell.get("metadata")
        about = about if isinstance(about, dict) else {}
        form = str(about.get("raw_mimetype", about.get("format")))
        made = _RAW_MARKUP.get(form.lower())
        yield from made(source) if made else [block(ElementKind.CODE, source)]
    else:
        yield block(ElementKind.CODE, source)
        outputs = cell.get("outputs")
        for output in outputs if isinstance(outputs, list) else ():
            if isinstance(output, dict):
                yield from _output(output)


def _output(output: Mapping[str, object]) -> Iterator[Block | None]:
    """What a cell printed or showed; of several forms of it a table's, else the plain one."""
    if output.get("output_type") in {"error", "pyerr"}:
        said = f"{output.get('ename', '')}: {output.get('evalue', '')}"
        yield block(ElementKind.CODE, _COLOURS.sub("", said))
        return
    data = output.get("data")
    forms = data if isinstance(data, dict) else {_OLD_FORMS.get(k, k): output[k] for k in output}
    page, plain = _text(forms.get("text/html")), _text(forms.get("text/plain"))
    if "<table" in page:
        yield from html_blocks(page)
    elif markdown := _text(forms.get("text/markdown")):
        yield from markdown_blocks(markdown)
    elif plain and not _is_name_of_object(plain, forms):
        printed = _OVERWRITTEN.sub("", _COLOURS.sub("", plain))
        yield block(ElementKind.CODE, without_base64(printed)[:_LONGEST_OUTPUT])
    elif page:
        yield from html_blocks(page)
    elif (tree := forms.get("application/json")) is not None:
        shown = json.dumps(tree, ensure_ascii=False, indent=2)
        yield block(ElementKind.CODE, shown[:_LONGEST_OUTPUT])
    elif latex := _text(forms.get("text/latex")):
        yield block(ElementKind.CODE, latex)


def _is_name_of_object(text: str, forms: Mapping[str, object]) -> bool:
    """What Python says of a picture: "<Figure size 640x480 with 1 Axes>".

    An object that has no other form but this may say something of itself in it.
    """
    named = re.fullmatch(r"\s*<[^<>\n]*>\s*", text) is not None
    others = any("/" in form and form != "text/plain" for form in forms)
    return named and (others or " at 0x" in text or "png" in forms or "jpeg" in forms)


def _text(value: object) -> str:
    if isinstance(value, list):
        return "".join(part for part in value if isinstance(part, str))
    return value if isinstance(value, str) else ""
