"""Whether the quotes that answers mark as verified stand verbatim in their sources.

Shares no code with the product. Two kinds of files tell what was quoted.

Result files of `eval answers --out`, with the very files that were asked over (corpora as JSON
lines, question files with texts of their own): each quote is looked up again, twice:

- at its place: the text of a document is one page, its lines that are not blank, joined by a
  blank line; `page[start:end]` must be the quote, character for character;
- anywhere in the document as it was handed over, white space aside, as a reader would look it up.

Answers as `ask --chat --json` prints them, a line each (NAME.jsonl), over PDF files: pdfplumber,
which is not what the product reads PDFs with, gives the characters whose middles stand in the
boxes of each quote, and they have to spell it: letters and figures, with the points, commas and
percent signs between them. A heading over several columns, which the product repeats over each,
may stand there once; letters that are printed twice over each other, as some programs do for bold,
count once; letters that the file has no mapping for are none. `--questions FOLDER` prints questions
for that, lines of the PDF files in FOLDER as pdfplumber reads them:

    verify_quotes.py --questions FOLDER | sovereign-rag ask --chat --kind extracts --json > A.jsonl
    verify_quotes.py A.jsonl

Prints a line a file, what differs, and ends with 1 where less than `--least` stand there.
"""

import argparse
import gzip
import hashlib
import json
import random
import re
import sys
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from itertools import groupby, islice, product
from pathlib import Path
from typing import Any
from urllib.parse import unquote

_FEWEST_WORDS = 6  # of a line that is asked
_MOST_PAGES = 12  # of a file that lines are taken from
_MOST_READINGS = 4_096  # of a row with equal cells side by side
_OVERPRINTED = 0.3  # of a letter's width and height: two of them so near are one
_LEADER = re.compile(r"(?:\.\s*){4,}")
_NUMBER = re.compile(r"\d[\d.,%]*")


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "results", type=Path, nargs="*", help="files of `eval answers --out`, or of answers"
    )
    parser.add_argument(
        "--source",
        type=Path,
        action="append",
        default=[],
        help="folder with corpus*.jsonl, or a question file with `docs`; may be given repeatedly",
    )
    parser.add_argument("--least", type=float, default=0.99, help="least share that must stand")
    parser.add_argument("--questions", type=Path, metavar="FOLDER", help="print questions")
    parser.add_argument("--most", type=int, default=700, help="questions to print")
    options = parser.parse_args(arguments)
    if options.questions is not None:
        print_questions(options.questions, options.most)
        return 0
    answers = [path for path in options.results if path.suffix == ".jsonl"]
    if answers:
        return verify_pages(answers, options.least)

    sources: dict[str, str] = {}
    for source in options.source:
        sources.update(_documents(source))
    marked = standing = 0
    print(f"{'results':<36}{'quotes':>8}{'marked':>8}{'at place':>10}{'in document':>13}")
    for path in options.results:
        rows = json.loads(path.read_text(encoding="utf-8"))["results"]
        quotes = [quote for row in rows for quote in row["citations"]]
        verified = [quote for quote in quotes if quote["verified"]]
        there = [_at_its_place(quote, sources) for quote in verified]
        anywhere = [_in_the_document(quote, sources) for quote in verified]
        both = sum(a and b for a, b in zip(there, anywhere, strict=True))
        marked, standing = marked + len(verified), standing + both
        print(
            f"{path.stem[:35]:<36}{len(quotes):>8}{len(verified):>8}"
            f"{sum(there):>10}{sum(anywhere):>13}"
        )
    if not marked:
        print("No quote is marked as verified.", file=sys.stderr)
        return 1
    share = standing / marked
    print(f"{standing} of {marked} quotes marked as verified stand verbatim: {share:.2%}")
    return 0 if share >= options.least else 1


def _at_its_place(quote: Mapping[str, Any], sources: Mapping[str, str]) -> bool:
    text = sources.get(quote["document"])
    if text is None or quote["page"] != 1 or not quote["quote"]:
        return False
    page = "\n\n".join(line for line in text.splitlines() if line.strip())
    return page[quote["start"] : quote["end"]] == str(quote["quote"])


def _in_the_document(quote: Mapping[str, Any], sources: Mapping[str, str]) -> bool:
    text = sources.get(quote["document"], "")
    return bool(quote["quote"].strip()) and _plain(quote["quote"]) in _plain(text)


def _plain(text: str) -> str:
    return " ".join(text.split())


def _documents(source: Path) -> Iterator[tuple[str, str]]:
    """(name, text) of every document of a corpus, or of the texts inside a question file."""
    if source.is_file():
        for row in _rows(source):
            texts = [str(text) for text in row.get("docs", ())]
            # Texts of a question's own are named after the question and what they say.
            content = "\0".join((str(row["id"]), *texts))
            folder = f"q-{hashlib.sha256(content.encode()).hexdigest()[:16]}"
            yield from ((f"{folder}/{number}", text) for number, text in enumerate(texts))
        return
    for path in sorted(source.glob("corpus*.jsonl*")):
        for row in _rows(path):
            yield str(row["id"]), str(row["text"])


def _rows(path: Path) -> Iterator[Mapping[str, Any]]:
    data = path.read_bytes()
    text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8")
    for line in text.split("\n"):
        if line.strip():
            yield json.loads(line)


def print_questions(folder: Path, most: int) -> None:
    """Lines of several words from the pages of PDF files, as many of each file as of any other."""
    chosen = random.Random(12)
    lines: list[list[str]] = []
    for path in sorted(folder.rglob("*.pdf")):
        try:
            with import_module("pdfplumber").open(path) as document:
                texts = [page.extract_text() for page in document.pages[:_MOST_PAGES]]
        except (
            Exception
        ) as error:  # damaged files are among them, and libraries raise what they like
            print(f"{path.name}: {error!r}", file=sys.stderr)
            continue
        own = [line for text in texts for line in text.splitlines() if _is_asked(line)]
        chosen.shuffle(own)
        lines.append(own)
    most_of_one = max(map(len, lines), default=0)
    every = [own[place] for place in range(most_of_one) for own in lines if place < len(own)]
    for line in every[:most]:
        print(f"{line}\n/new")


def _is_asked(line: str) -> bool:
    return len(line.split()) >= _FEWEST_WORDS and not line.startswith("/") and len(line) < 300


def verify_pages(answers: Sequence[Path], least: float) -> int:
    """Hold the verified quotes of PDF pages against their characters; returns the exit code."""
    quotes: dict[tuple[str, int, int, int], Mapping[str, Any]] = {}
    skipped: Counter[str] = Counter()
    for path in answers:
        for row in _rows(path):
            for quote in row["citations"]:
                if (why := _why_not(quote)) is not None:
                    skipped[why] += 1
                else:
                    quotes[quote["uri"], quote["page"], quote["start"], quote["end"]] = quote
    by_file: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for quote in quotes.values():
        by_file[quote["uri"]].append(quote)
    equal = 0
    for uri, own in sorted(by_file.items()):
        for quote, spelled in _spelled(uri, own):
            readings = [_signs(reading) for reading in _readings(quote["quote"])]
            if any(_are_equal(wanted, spelled) for wanted in readings):
                equal += 1
            else:
                name = uri.rpartition("/")[2]
                print(f"{name}, page {quote['page']}\n  quote {readings[0]}\n  page  {spelled}")
    for why, count in skipped.items():
        print(f"left out: {count} quotes, {why}")
    if not quotes:
        print("No quote of a PDF is marked as verified.", file=sys.stderr)
        return 1
    print(f"{equal} of {len(quotes)} quotes from {len(by_file)} PDFs: the page spells the same")
    return 0 if equal >= least * len(quotes) else 1


def _are_equal(wanted: str, spelled: str) -> bool:
    return sorted(wanted) == sorted(spelled) and _numbers(wanted) == _numbers(spelled)


def _why_not(quote: Mapping[str, Any]) -> str | None:
    if not quote["uri"].lower().endswith(".pdf"):
        return "not of a PDF"
    if not quote["verified"]:
        return f"not verified ({quote['verdict']})"
    if quote["ocr_confidence"] is not None:
        return "recognised from an image: the file has no characters"
    return None if quote["boxes"] else "without a place: a form's field, or an attachment"


def _spelled(
    uri: str, quotes: Sequence[Mapping[str, Any]]
) -> Iterator[tuple[Mapping[str, Any], str]]:
    """Each quote with what the characters in its boxes spell, a box after the other."""
    with import_module("pdfplumber").open(unquote(uri.removeprefix("file://"))) as document:
        for number, own in groupby(sorted(quotes, key=_page), key=_page):
            page = document.pages[number - 1]
            own_characters = _printed_once(page.chars)
            for quote in own:
                left = list(own_characters)  # one counts once, also where boxes overlap
                lines = (_signs(_taken(left, page.cropbox, box)) for box in quote["boxes"])
                yield quote, "".join(lines)
            page.close()


def _page(quote: Mapping[str, Any]) -> int:
    return int(quote["page"])


def _taken(left: list[Mapping[str, Any]], shown: Sequence[float], box: Mapping[str, float]) -> str:
    """Take the characters in a box, a line of a quote, from those that are left.

    From where their line begins to where it ends; a glyph that the file gives no letter for, which
    pdfplumber writes as (cid:7), is none.
    """
    width, height = shown[2] - shown[0], shown[3] - shown[1]
    found = []
    for character in left:
        x = ((character["x0"] + character["x1"]) / 2 - shown[0]) / width
        y = ((character["top"] + character["bottom"]) / 2 - shown[1]) / height
        if box["left"] <= x <= box["right"] and box["top"] <= y <= box["bottom"]:
            found.append(character)
    taken = {id(character) for character in found}
    left[:] = [character for character in left if id(character) not in taken]
    found.sort(key=_along)
    return "".join(c["text"] for c in found if not c["text"].startswith("(cid:"))


def _along(character: Mapping[str, Any]) -> float:
    """How far along its line a character stands, whichever way the text is turned."""
    across, up = character["matrix"][:2]
    middle = (character["x0"] + character["x1"]) / 2, -(character["top"] + character["bottom"]) / 2
    if abs(across) >= abs(up):
        return float(middle[0] if across >= 0 else -middle[0])
    return float(middle[1] if up > 0 else -middle[1])


def _printed_once(characters: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Characters without those that are printed over the same one, a little aside."""
    kept: dict[tuple[str, int, int], list[Mapping[str, Any]]] = defaultdict(list)
    once = []
    for character in characters:
        size = max(1.0, float(character["size"]))
        x, y = float(character["x0"]), float(character["top"])
        column, line = int(x // size), int(y // size)
        near = (
            other
            for across in (column - 1, column, column + 1)
            for down in (line - 1, line, line + 1)
            for other in kept[character["text"], across, down]
        )
        if not any(_are_over_each_other(character, other) for other in near):
            kept[character["text"], column, line].append(character)
            once.append(character)
    return once


def _are_over_each_other(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    width = max(0.5, min(one["x1"] - one["x0"], other["x1"] - other["x0"]))
    off = max(abs(one["x0"] - other["x0"]) / width, abs(one["top"] - other["top"]) / one["size"])
    return bool(off < _OVERPRINTED)


def _readings(quote: str) -> Iterator[str]:
    """A quote as its page may show it, first as it is.

    Equal cells side by side may be one heading over several columns, which stands once. Headings
    with figures are not repeated, so equal numbers side by side are two.
    """
    runs: list[tuple[str, int]] = []
    for row in quote.split("\n"):
        for place, cell in enumerate(re.split(r" ?\| ?", row)):
            if place and cell == runs[-1][0] and not any(map(str.isdigit, cell)):
                runs[-1] = cell, runs[-1][1] + 1
            else:
                runs.append((cell, 1))
    choices = [range(count, 0, -1) if cell else (1,) for cell, count in runs]
    for times in islice(product(*choices), _MOST_READINGS):
        cells = ((cell, count) for (cell, _), count in zip(runs, times, strict=True))
        yield " ".join(" ".join([cell] * count) for cell, count in cells)


def _signs(text: str) -> str:
    """Letters and figures in small, and the signs within numbers; no blanks, dashes or leaders."""
    plain = _LEADER.sub("", unicodedata.normalize("NFKD", text).casefold())
    return "".join(c for c in plain if c.isalnum() or c in ".,%")


def _numbers(signs: str) -> Counter[str]:
    return Counter(number.strip(".,") for number in _NUMBER.findall(signs))


if __name__ == "__main__":
    sys.exit(main())
