"""Tables of PDFs beside their true cells: ours, the layout engine alone, camelot and pdfplumber.

The folder holds NAME.pdf with NAME-str.xml beside it (NAMEa-str.xml and NAMEb-str.xml where a file
has several), the structure truth of the ICDAR 2013 table competition: cells by row and column.
Three shares are printed for each reader:

- rows whole: of the true rows with two filled cells or more, those that stand on one line, in
  order, each cell by itself;
- numbers in place: of the true cells that are numbers, those that are a cell of their own,
  character for character, on the line that holds most of their row;
- numbers invented: of the number tokens that a reader gives for the pages, those that the
  characters of the page in the file do not have, or not as often.

Texts are compared after Unicode's NFKC, without blanks, with one kind of dash. camelot and
pdfplumber are read by their documented defaults (camelot: its stream flavour) and give tables
alone, without the text around them; they come with `pip install --group compare`, and a reader
that is not installed is left out.
"""

import argparse
import re
import sys
import time
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import astuple, dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pypdfium2

import sovereign_rag  # noqa: F401  - sets the switches that keep libraries offline
from ingest.parse.document.numbers import number_tokens
from ingest.parse.process.pool import ParserPool
from sovereign_rag.settings import ParseSettings

_DASHES = re.compile("[\u2010-\u2015\u2212]")
_UNSEEN = re.compile("[\u00ad\u200b\ufeff]")
_NUMBER = re.compile(r"[-+(]?[$€£]?\d[\d.,]*\d?%?\)?")

Pages = Mapping[int, str]
"""The text of each page by number; a row of a table is a line, its cells parted by "|"."""

Row = list[str]


@dataclass(slots=True)
class Score:
    """Counts of one file or several."""

    rows: int = 0
    whole: int = 0
    numbers: int = 0
    placed: int = 0
    tokens: int = 0
    invented: int = 0

    def add(self, other: "Score") -> None:
        self.rows, self.whole, self.numbers, self.placed, self.tokens, self.invented = (
            mine + theirs for mine, theirs in zip(astuple(self), astuple(other), strict=True)
        )


def score(pdf: Path, pages: Pages) -> Score:
    """What a reader made of a file."""
    counts = Score()
    for number, table in _true_tables(pdf):
        lines = [
            [plain(cell) for cell in line.split("|")] for line in pages.get(number, "").split("\n")
        ]
        for row in table:
            counts.add(_score_of_row(row, lines))
    for number, invented in _invented(pdf, pages):
        counts.tokens += sum(number_tokens(pages[number]).values())
        counts.invented += sum(invented.values())
    return counts


def _score_of_row(row: Row, lines: Sequence[Row]) -> Score:
    nearest = max(lines, key=lambda line: len(set(row) & set(line)))
    numbers = [cell for cell in row if _NUMBER.fullmatch(cell)]
    return Score(
        rows=1,
        whole=int(any(_is_within(row, line) for line in lines)),
        numbers=len(numbers),
        placed=sum(cell in nearest for cell in numbers),
    )


def _is_within(row: Row, line: Row) -> bool:
    """Whether a line has the cells of a row in their order."""
    left = iter(line)
    return all(cell in left for cell in row)


def _invented(pdf: Path, pages: Pages) -> Iterator[tuple[int, Counter[str]]]:
    """Of each page the number tokens that its characters in the file do not have as often."""
    document = pypdfium2.PdfDocument(pdf)
    try:
        for number, text in pages.items():
            own = number_tokens(document[number - 1].get_textpage().get_text_range())
            yield number, number_tokens(text) - own
    finally:
        document.close()


def _true_tables(pdf: Path) -> Iterator[tuple[int, list[Row]]]:
    """(page, rows) of each region; a row has the filled cells that stand in it alone."""
    stem = re.sub(r"(?<=\d)[ab]$", "", pdf.stem)
    for truth in sorted(pdf.parent.glob(f"{stem}*-str.xml")):
        tree = ElementTree.parse(truth)  # noqa: S314 - truth that its reader chose, not a document
        for region in tree.getroot().iter("region"):
            rows: dict[int, list[tuple[int, str]]] = defaultdict(list)
            for cell in region.findall("cell"):
                first = int(cell.get("start-row", 0))
                text = plain(cell.findtext("content") or "")
                if text and int(cell.get("end-row", first)) == first:
                    rows[first].append((int(cell.get("start-col", 0)), text))
            ordered = [[text for _, text in sorted(row)] for _, row in sorted(rows.items())]
            yield int(region.get("page", 1)), [row for row in ordered if len(row) > 1]


def plain(text: str) -> str:
    """Text as it is compared."""
    text = _UNSEEN.sub("", unicodedata.normalize("NFKC", text))
    return "".join(_DASHES.sub("-", text).split())


# -- readers -------------------------------------------------------------------------------------


def _engine(pdf: Path) -> Pages:
    """The layout engine's own tables and text."""
    from ingest.parse.pdf.layout import page_layouts

    layouts, _ = page_layouts(pdf, None)
    return {n: "\n\n".join(r.text for r in layout.regions) for n, layout in layouts.items()}


def _camelot(pdf: Path) -> Pages:
    pages: dict[int, str] = defaultdict(str)
    for table in import_module("camelot").read_pdf(str(pdf), pages="all", flavor="stream"):
        pages[table.page] += _lines(table.df.values.tolist())
    return pages


def _pdfplumber(pdf: Path) -> Pages:
    with import_module("pdfplumber").open(pdf) as document:
        return {
            page.page_number: "".join(_lines(table) for table in page.extract_tables())
            for page in document.pages
        }


def _lines(rows: Iterable[Iterable[Any]]) -> str:
    return "".join(" | ".join(" ".join(str(c or "").split()) for c in row) + "\n" for row in rows)


def _readers(stack: ExitStack) -> dict[str, Callable[[Path], Pages]]:
    pool = stack.enter_context(ParserPool(ParseSettings(workers=1)))

    def ours(pdf: Path) -> Pages:
        return {page.number: page.text for page in pool.parse(pdf, name=pdf.name).pages}

    others = {"camelot": _camelot, "pdfplumber": _pdfplumber}
    return {
        "ours": ours,
        "the engine alone": _engine,
        **{name: read for name, read in others.items() if find_spec(name)},
    }


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="folder with NAME.pdf and NAME-str.xml")
    parser.add_argument("--only", action="append", metavar="READER", help="repeatable")
    parser.add_argument("--each", action="store_true", help="also what each file lacks")
    arguments = parser.parse_args()
    files = sorted(arguments.folder.glob("*.pdf"))
    print(f"{len(files)} files")
    with ExitStack() as stack:
        for name, read in _readers(stack).items():
            if arguments.only and name not in arguments.only:
                continue
            started, total = time.process_time(), Score()
            for pdf in files:
                pages = read(pdf)
                counts = score(pdf, pages)
                total.add(counts)
                if arguments.each:
                    _print_file(pdf, pages, counts)
            print(_summary(name, total), f"{time.process_time() - started:6.1f} s here")
    return 0


def _summary(name: str, total: Score) -> str:
    return (
        f"{name:18} rows whole {total.whole}/{total.rows} = {total.whole / total.rows:.3f}  "
        f"numbers in place {total.placed}/{total.numbers} = {total.placed / total.numbers:.4f}  "
        f"invented {total.invented} of {total.tokens}"
    )


def _print_file(pdf: Path, pages: Pages, counts: Score) -> None:
    if (counts.whole, counts.placed, counts.invented) == (counts.rows, counts.numbers, 0):
        return
    named = [f"{token} (page {n})" for n, found in _invented(pdf, pages) for token in found]
    print(
        f"  {pdf.name:16} rows {counts.whole}/{counts.rows}  numbers {counts.placed}/"
        f"{counts.numbers}  invented {', '.join(named[:6]) or 'none'}"
    )


if __name__ == "__main__":
    sys.exit(main())
