"""Notebooks: text, code and what the code printed, cell by cell, in every version."""

import json
from collections.abc import Mapping
from pathlib import Path

import pytest

from ingest.parse.process.pool import ParserPool
from sovereign_rag.domain import ElementKind
from sovereign_rag.errors import DocumentError
from tests.parsed import GERMAN, headings, of_kind

PICTURE = "iVBORw0KGgo" * 90


def write(path: Path, notebook: Mapping[str, object]) -> Path:
    path.write_text(json.dumps(notebook, indent=1), encoding="utf-8")
    return path


def test_a_notebook_is_read_cell_by_cell(pool: ParserPool, tmp_path: Path) -> None:
    image = {"image/png": PICTURE, "text/plain": ["<Figure size 640x480 with 1 Axes>"]}
    cells = [
        {"cell_type": "markdown", "source": ["# Auswertung\n", "\n", GERMAN]},
        {
            "cell_type": "code",
            "source": ["def rate(x):\n", "    return x * 12\n"],
            "outputs": [
                {"output_type": "stream", "text": ["Summe 529.87\n"]},
                {"output_type": "display_data", "data": image},
                {"output_type": "error", "ename": "ValueError", "evalue": "no rows"},
            ],
        },
    ]
    notebook = {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    path = write(tmp_path / "a.ipynb", notebook)

    found = pool.parse(path, name="a.ipynb")

    assert headings(found) == [(0, "Auswertung")]
    assert of_kind(found, ElementKind.PARAGRAPH) == [GERMAN]
    assert of_kind(found, ElementKind.CODE) == [
        "def rate(x):\n    return x * 12",
        "Summe 529.87",
        "ValueError: no rows",
    ]


def test_raw_cells_are_read_in_their_own_markup_and_else_as_they_are_typed(
    pool: ParserPool, tmp_path: Path
) -> None:
    raw = "<div>The margin is <b>12.5&nbsp;%</b>.</div>"
    cells = [
        {"cell_type": "raw", "metadata": {"raw_mimetype": "text/html"}, "source": raw},
        {"cell_type": "raw", "metadata": {"format": "html"}, "source": [raw]},
        {"cell_type": "raw", "metadata": {}, "source": "limits:\n  memory: 512Mi\n\nend"},
        {"cell_type": "raw", "metadata": {}, "source": ""},
    ]
    path = write(
        tmp_path / "a.ipynb",
        {"cells": cells, "nbformat": 4, "metadata": {"title": "Quarter three"}},
    )

    found = pool.parse(path, name="a.ipynb")

    assert found.title == "Quarter three"
    assert of_kind(found, ElementKind.PARAGRAPH) == ["The margin is 12.5 %."] * 2
    assert of_kind(found, ElementKind.CODE) == ["limits:\n  memory: 512Mi\n\nend"]


def test_of_what_a_cell_shows_the_form_that_says_most_is_read_once(
    pool: ParserPool, tmp_path: Path
) -> None:
    table = "<table><tr><th></th><th>net</th></tr><tr><td>0</td><td>1234.50</td></tr></table>"
    shown = [
        {"text/html": [table], "text/plain": ["net\n0 1234.50"]},
        {"text/latex": "$\\frac{1}{2}$", "text/plain": "1/2"},
        {"application/json": {"sum": 529.87}, "text/plain": "<IPython.core.display.JSON object>"},
        {"text/markdown": ["Total **12**"], "text/plain": "<IPython.core.display.Markdown object>"},
        {"text/plain": "<Sales total=731.2>"},
        {"image/png": PICTURE, "text/plain": "<Figure size 640x480 with 1 Axes>"},
    ]
    outputs: list[dict[str, object]] = [
        {"output_type": "execute_result", "data": data} for data in shown
    ]
    printed = "\r".join(["10 of 30", "20 of 30", "\x1b[32m30 of 30\x1b[0m\n"])
    outputs.append({"output_type": "stream", "name": "stderr", "text": [printed]})
    told = {"ename": "KeyError", "evalue": "\x1b[31m'net'\x1b[0m", "traceback": ["----> 1 sum"]}
    outputs.append({"output_type": "error", **told})
    cell = {"cell_type": "code", "source": "report()", "outputs": outputs}
    path = write(tmp_path / "a.ipynb", {"cells": [cell], "nbformat": 4, "metadata": {}})

    found = pool.parse(path, name="a.ipynb")

    assert of_kind(found, ElementKind.TABLE) == ["| net\n0 | 1234.50"]
    assert of_kind(found, ElementKind.PARAGRAPH) == ["Total 12"]
    assert of_kind(found, ElementKind.CODE) == [
        "report()",
        "1/2",
        '{\n  "sum": 529.87\n}',
        "<Sales total=731.2>",
        "30 of 30",
        "KeyError: 'net'",
    ]


def test_a_notebook_of_the_version_before_is_read_sheet_by_sheet(
    pool: ParserPool, tmp_path: Path
) -> None:
    outputs = [
        {"output_type": "pyout", "text": ["7.5"], "html": ["<table><tr><td>7.5</td></tr></table>"]},
        {"output_type": "display_data", "png": PICTURE, "text": ["<Figure at 0x7f>"]},
        {"output_type": "pyerr", "ename": "ZeroDivisionError", "evalue": "by zero"},
        {"output_type": "stream", "stream": "stdout", "text": ["done\n"]},
    ]
    first = [
        {"cell_type": "heading", "level": 2, "source": ["Zahlen"]},
        {"cell_type": "code", "input": ["x = 7.5\n", "x"], "outputs": outputs},
    ]
    sheets = [{"cells": first}, {"cells": [{"cell_type": "markdown", "source": [GERMAN]}]}]
    path = write(tmp_path / "a.ipynb", {"nbformat": 3, "worksheets": sheets, "metadata": {}})

    found = pool.parse(path, name="a.ipynb")

    assert headings(found) == [(1, "Zahlen")]
    assert of_kind(found, ElementKind.TABLE) == ["7.5"]
    assert of_kind(found, ElementKind.CODE) == [
        "x = 7.5\nx",
        "ZeroDivisionError: by zero",
        "done",
    ]
    assert of_kind(found, ElementKind.PARAGRAPH) == [GERMAN]


def test_a_notebook_that_is_cut_off_is_refused_with_a_way_out(
    pool: ParserPool, tmp_path: Path
) -> None:
    path = write(tmp_path / "a.ipynb", {"cells": [], "nbformat": 4, "metadata": {}})
    path.write_text(path.read_text(encoding="utf-8")[:-4], encoding="utf-8")

    with pytest.raises(DocumentError, match="Save it anew in Jupyter") as refusal:
        pool.parse(path, name="a.ipynb")

    assert refusal.value.reason == "broken"
