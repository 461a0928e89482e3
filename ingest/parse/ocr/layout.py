"""Recognised words as blocks: paragraphs, and tables where words stand in columns."""

from bisect import bisect
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise

from ingest.parse.document.blocks import Block
from ingest.parse.document.text import is_broken
from sovereign_rag.domain import Box, ElementKind, Word

_CELL_GAP = 2.2  # times the height of the words: what is further apart stands in another cell
_FEWEST_ROWS = 3
_ROWS_SHARE = 0.6  # of the lines of a block that have cells
_LEVEL_SHARE = 0.5  # of a block's lines that stand on the rows of a table beside it
_SAME_ROW = 0.8  # of a row's height: a line whose middle is above that stands on it
_SEPARATOR = " | "


@dataclass(frozen=True, slots=True)
class RecognisedWord:
    """A recognised word."""

    place: tuple[int, int]  # block and paragraph
    line: int
    text: str
    confidence: float  # 0..1
    box: Box
    pixels: tuple[int, int, int, int]  # left, top, right, bottom in the picture that was read


def blocks_of(tokens: Sequence[RecognisedWord]) -> Iterator[Block]:
    """The blocks of a page, in the order of the tokens.

    Tesseract takes the columns of a table without rules for blocks of their own. A block most of
    whose lines have cells is a table, and blocks beside it whose lines stand on its rows belong
    to it.
    """
    groups = [
        [list(line) for _, line in groupby(group, key=lambda t: (t.place, t.line))]
        for _, group in groupby(tokens, key=lambda token: token.place[0])
    ]
    divided = [index for index, lines in enumerate(groups) if _is_table(lines)]
    figures = [index for index, lines in enumerate(groups) if _is_column_of_figures(lines)]
    owner: dict[int, int] = {}  # of a group, the table that it belongs to
    for table in (*divided, *figures):
        if table in owner:
            continue
        beside = [
            index
            for index, lines in enumerate(groups)
            if index not in owner and index != table and _stands_on_rows(lines, groups[table])
        ]
        if beside or table in divided:
            owner.update(dict.fromkeys((table, *beside), table))
    for index, lines in enumerate(groups):
        if index in owner:
            parts = [at for at, table in owner.items() if table == owner[index]]
            if index == max(parts):  # the headings above it are often read between its parts
                every = [line for at in parts for line in groups[at]]
                yield _table(_aligned([_cells(row) for row in _rows(every)]))
            continue
        flat = (token for line in lines for token in line)
        for _, paragraph in groupby(flat, key=lambda token: token.place):
            yield _paragraph(list(paragraph))


def inserted(blocks: Sequence[Block], found: Sequence[Block]) -> list[Block]:
    """`blocks` with others put behind the nearest that stand wholly above them."""
    joined = list(blocks)
    for block in found:
        place = 0
        for index, other in enumerate(joined, start=1):
            if other.box and block.box and _comes_before(other.box, block.box):
                place = index
        joined.insert(place, block)
    return joined


def _comes_before(first: Box, second: Box) -> bool:
    shares = min(first.right, second.right) > max(first.left, second.left)
    middle = (second.top + second.bottom) / 2
    return (shares and first.bottom <= middle) or (first.top <= middle <= first.bottom)


def _is_table(lines: Sequence[Sequence[RecognisedWord]]) -> bool:
    divided = sum(len(_cells(line)) > 1 for line in lines)
    return divided >= _FEWEST_ROWS and divided >= _ROWS_SHARE * len(lines)


def _is_column_of_figures(lines: Sequence[Sequence[RecognisedWord]]) -> bool:
    tokens = [token for line in lines for token in line]
    numbers = sum(any(map(str.isdigit, token.text)) for token in tokens)
    return len(lines) >= _FEWEST_ROWS and numbers >= _ROWS_SHARE * len(tokens)


def _stands_on_rows(
    lines: Sequence[Sequence[RecognisedWord]], table: Sequence[Sequence[RecognisedWord]]
) -> bool:
    """Whether lines stand at the height of a table's rows, beside them."""
    rows = [_extent(row) for row in table]
    top, bottom = min(row[0] for row in rows), max(row[1] for row in rows)
    tall = sum(row[1] - row[0] for row in rows) / len(rows)
    middles = [sum(_extent(line)) / 2 for line in lines]
    if min(middles) < top - 2 * tall or max(middles) > bottom + 2 * tall:
        return False
    level = sum(any(row[0] < middle < row[1] for row in rows) for middle in middles)
    return level >= _LEVEL_SHARE * len(lines)


def _rows(lines: Sequence[Sequence[RecognisedWord]]) -> list[list[RecognisedWord]]:
    """Lines that stand at the same height as one, from left to right; rows from top to bottom."""
    rows: list[list[RecognisedWord]] = []
    last = (0.0, 0.0)
    for line in sorted(lines, key=lambda line: sum(_extent(line))):
        extent = _extent(line)
        if rows and sum(extent) / 2 < last[0] + _SAME_ROW * (last[1] - last[0]):
            rows[-1] += line
        else:
            rows.append(list(line))
            last = extent
    return [sorted(row, key=lambda token: token.pixels[0]) for row in rows]


def _extent(line: Sequence[RecognisedWord]) -> tuple[float, float]:
    """Top and bottom of the middling word."""
    tops, bottoms = (sorted(t.pixels[edge] for t in line) for edge in (1, 3))
    return tops[len(line) // 2], bottoms[len(line) // 2]


def _cells(line: Sequence[RecognisedWord]) -> list[list[RecognisedWord]]:
    height = sorted(t.pixels[3] - t.pixels[1] for t in line)[len(line) // 2]
    cells = [[line[0]]]
    for before, token in pairwise(line):
        if token.pixels[0] - before.pixels[2] > _CELL_GAP * height:
            cells.append([])
        cells[-1].append(token)
    return cells


def _aligned(
    rows: Sequence[Sequence[Sequence[RecognisedWord]]],
) -> list[Sequence[Sequence[RecognisedWord]]]:
    """Rows with an empty cell wherever the longest ones have one and nothing was recognised.

    A recogniser passes over figures that stand alone; what stands behind them keeps its column.
    """
    most = max(map(len, rows))
    extents = [[_across(cell) for cell in row] for row in rows if len(row) == most]
    columns = [
        (min(left for left, _ in own), max(right for _, right in own))
        for own in zip(*extents, strict=True)
    ]
    if any(right >= left for (_, right), (left, _) in pairwise(columns)):
        return list(rows)
    borders = [(right + left) / 2 for (_, right), (left, _) in pairwise(columns)]
    made: list[Sequence[Sequence[RecognisedWord]]] = []
    for row in rows:
        own = {bisect(borders, sum(_across(cell)) / 2): cell for cell in row}
        fits = len(own) == len(row)
        made.append([own.get(place, ()) for place in range(most)] if fits else row)
    return made


def _across(cell: Sequence[RecognisedWord]) -> tuple[float, float]:
    return cell[0].pixels[0], cell[-1].pixels[2]


def _table(rows: Sequence[Sequence[Sequence[RecognisedWord]]]) -> Block:
    text = ""
    words: list[Word] = []
    for row in rows:
        text += "\n" if text else ""
        for column, cell in enumerate(row):
            text += _SEPARATOR if column else ""
            for index, token in enumerate(cell):
                text += " " if index else ""
                words.append(_word(token, len(text)))
                text += token.text
    tokens = [token for row in rows for cell in row for token in cell]
    return Block(ElementKind.TABLE, text, words=tuple(words), box=_around(tokens))


def _paragraph(tokens: Sequence[RecognisedWord]) -> Block:
    """Words joined by spaces; a word that was broken at a line's end is put together again."""
    text = ""
    words: list[Word] = []
    last_line = tokens[0].line
    for token in tokens:
        broken = token.line != last_line and text.endswith("-")
        if broken and is_broken(text[:-1], token.text):
            text = text[:-1]
            words[-1] = replace(words[-1], end=len(text))
        elif text:
            text += " "
        words.append(_word(token, len(text)))
        text += token.text
        last_line = token.line
    return Block(ElementKind.PARAGRAPH, text, words=tuple(words), box=_around(tokens))


def _word(token: RecognisedWord, start: int) -> Word:
    return Word(start, start + len(token.text), token.box, token.confidence)


def _around(tokens: Sequence[RecognisedWord]) -> Box:
    return Box(
        page=tokens[0].box.page,
        left=min(t.box.left for t in tokens),
        top=min(t.box.top for t in tokens),
        right=max(t.box.right for t in tokens),
        bottom=max(t.box.bottom for t in tokens),
    )
