"""Whether the quotes that answers mark as verified stand verbatim in their sources.

Shares no code with the product: it reads the result files of `eval answers --out`, and the very
files that were asked over (corpora as JSON lines, question files with texts of their own), and
looks each quote up again, twice:

- at its place: the text of a document is one page, its lines that are not blank, joined by a
  blank line; `page[start:end]` must be the quote, character for character;
- anywhere in the document as it was handed over, white space aside, as a reader would look it up.

Prints a line a result file, and ends with 1 where less than `--least` of them stand there.
"""

import argparse
import gzip
import hashlib
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("results", type=Path, nargs="+", help="files of `eval answers --out`")
    parser.add_argument(
        "--source",
        type=Path,
        action="append",
        required=True,
        help="folder with corpus*.jsonl, or a question file with `docs`; may be given repeatedly",
    )
    parser.add_argument("--least", type=float, default=0.99, help="least share that must stand")
    options = parser.parse_args(arguments)

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


if __name__ == "__main__":
    sys.exit(main())
