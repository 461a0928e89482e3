"""From which confidence of the text recognition on a quote of a scan may be called verified.

Scans whose true text is known are read, and each of their sentences is taken for a quote: its
confidence is that of its least sure word, as in an answer, and it is wrong where one of its words
isn't among the true ones. For each limit that `answer.min_scan_confidence` may have, how many of
the quotes would be verified, and how many of those are wrong.

FOLDER is one of `benchmarks/parsing.py`; of its files those are read whose manifest names a true
text and whose pages are pictures. With `--most-wrong SHARE` the exit code is 1 where more of the
quotes that are verified at the product's own limit are wrong.
"""

import argparse
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

from parsing_cases import Case, manifest, plain

from ingest.parse.process.pool import ParserPool
from sovereign_rag.answering.citations import confidence
from sovereign_rag.settings import AnswerSettings, ParseSettings
from sovereign_rag.text.sentences import sentences

_LIMITS = (0.0, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)
_FEWEST_WORDS = 4
_WORD = re.compile(r"\w+(?:[.,]\d+)*")


@dataclass(frozen=True, slots=True)
class _Quote:
    text: str
    sure: float  # of its least sure word, 0 to 1
    wrong: tuple[str, ...]  # words that the true text doesn't have


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="folder with MANIFEST.jsonl")
    parser.add_argument("--most-wrong", type=float, metavar="SHARE")
    parser.add_argument("--show", type=int, default=10, help="wrong quotes to print (10)")
    options = parser.parse_args()
    quotes = [quote for case in _scans(options.folder) for quote in _quotes_of(case)]
    own = AnswerSettings().min_scan_confidence
    wrong = sum(bool(quote.wrong) for quote in quotes)
    print(f"{len(quotes)} sentences of scans, {wrong} with a wrong word")
    print("limit  verified   share  wrong   share  of the wrong ones left out")
    for limit in sorted({*_LIMITS, own}):
        _print_row(limit, quotes, own)
    let_in = [q for q in quotes if q.wrong and q.sure >= own]
    for quote in sorted(let_in, key=lambda q: -q.sure)[: options.show]:
        print(f"{quote.sure:.2f} {', '.join(quote.wrong)}: {quote.text[:100]}")
    verified = sum(q.sure >= own for q in quotes)
    share = len(let_in) / max(1, verified)
    return int(options.most_wrong is not None and share > options.most_wrong)


def _print_row(limit: float, quotes: Sequence[_Quote], own: float) -> None:
    verified = [q for q in quotes if q.sure >= limit]
    wrong = sum(bool(q.wrong) for q in verified)
    every = sum(bool(q.wrong) for q in quotes)
    mark = "  the product's" if limit == own else ""
    print(
        f"{limit:>6.2f}{len(verified):>10}{len(verified) / max(1, len(quotes)):>8.1%}"
        f"{wrong:>7}{wrong / max(1, len(verified)):>8.1%}{1 - wrong / max(1, every):>28.1%}{mark}"
    )


def _scans(folder: Path) -> list[Case]:
    return [case for case in manifest(folder) if case.true_text and "scanned" in case.format]


def _quotes_of(case: Case) -> Iterator[_Quote]:
    assert case.true_text is not None
    true = _words(case.true_text.read_text("utf-8"))
    known = {*true, *(first + second for first, second in pairwise(true))}
    settings = ParseSettings(workers=1, timeout_s=300)
    with ParserPool(settings) as pool:
        document = pool.parse(case.path, name=case.path.name)
    for page in document.pages:
        for start, end in sentences(page.text, document.language):
            sure = confidence(page, start, end)
            words = _words(page.text[start:end])
            if sure is None or len(words) < _FEWEST_WORDS:
                continue
            wrong = tuple(word for word in words if word not in known)
            yield _Quote(plain(page.text[start:end]), sure, wrong)


def _words(text: str) -> list[str]:
    return _WORD.findall(plain(text).casefold())


if __name__ == "__main__":
    sys.exit(main())
