"""How well the statement checker tells what a text says from what it does not say.

Reads JSON lines with `claim`, `context` and `label` (supported, refuted, not_enough_info), as the
SciFact claims have them, and prints precision, recall and the share of each label by verdict. With
`response`, `contexts` (texts) and `human_median.faithfulness` (1 to 4) it prints the share of
supported statements by rating instead.
"""

import argparse
import json
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from sovereign_rag.answering.verification import ClaimVerifier
from sovereign_rag.domain import Chunk, PageSpan, PageText, Passage, Statement, Verdict
from sovereign_rag.embedding.dense import DenseEmbedder
from sovereign_rag.embedding.lexical import Bm25Encoder
from sovereign_rag.settings import load_settings

Row = dict[str, Any]  # a line of JSON
_WORST_FIRST = (Verdict.UNSUPPORTED, Verdict.PARTLY, Verdict.SUPPORTED)


class Texts:
    """The texts given, as the stored pages of a document each."""

    def __init__(self, texts: Sequence[str], language: str) -> None:
        self.passages = [_passage(n, text, language) for n, text in enumerate(texts)]
        self._pages = {p.chunk.document_id: PageText(1, p.chunk.text) for p in self.passages}

    def page(self, passage: Passage, number: int) -> PageText | None:
        return self._pages.get(passage.chunk.document_id) if number == 1 else None


def _passage(number: int, text: str, language: str) -> Passage:
    span = PageSpan(1, 0, len(text))
    chunk = Chunk(f"text-{number}", "v1", 0, text, (span,), language=language)
    return Passage(chunk, f"text {number}", f"text:{number}", False, 1.0, {})


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, help="JSON lines, see above")
    parser.add_argument("--corpus", type=Path, help="JSON lines (id, text) for `context_doc_ids`")
    parser.add_argument("--limit", type=int, help="only the first so many lines")
    options = parser.parse_args(arguments)

    rows = list(_lines(options.file))[: options.limit]
    corpus = {r["id"]: r["text"] for r in _lines(options.corpus)} if options.corpus else {}
    checker = ClaimVerifier(embedder=DenseEmbedder.open(load_settings()), lexical=Bm25Encoder())
    if "claim" in rows[0]:
        _claims(rows, checker)
    else:
        _answers(rows, checker, corpus)
    return 0


def _claims(rows: Sequence[Row], checker: ClaimVerifier) -> None:
    verdicts: dict[str, Counter[Verdict]] = defaultdict(Counter)
    for number, row in enumerate(rows, start=1):
        texts = Texts([row["context"]], row.get("lang", "en"))
        checked = _check(checker, row["claim"], texts)
        worst = min((s.verdict for s in checked), key=_WORST_FIRST.index)
        verdicts[row["label"]][worst] += 1
        _progress(number, len(rows))
    print(f"{'label':<18}{'n':>5}{'supported':>12}{'partly':>9}{'unsupported':>13}")
    for label, counts in verdicts.items():
        n = counts.total()
        shares = [counts[v] / n for v in (Verdict.SUPPORTED, Verdict.PARTLY, Verdict.UNSUPPORTED)]
        print(f"{label:<18}{n:>5}{shares[0]:>12.3f}{shares[1]:>9.3f}{shares[2]:>13.3f}")
    right = verdicts["supported"][Verdict.SUPPORTED]
    said = sum(counts[Verdict.SUPPORTED] for counts in verdicts.values())
    print(f"precision of `supported` {right / said if said else 0:.3f}, ", end="")
    print(f"recall {right / verdicts['supported'].total():.3f}")


def _answers(rows: Sequence[Row], checker: ClaimVerifier, corpus: dict[str, str]) -> None:
    shares: dict[int, list[float]] = defaultdict(list)
    for number, row in enumerate(rows, start=1):
        contexts = [corpus[i] for i in row["context_doc_ids"] if i in corpus]
        texts = Texts(contexts, row["lang"])
        checked = _check(checker, row["response"], texts)
        rating = round(row["human_median"]["faithfulness"])
        shares[rating].append(sum(s.supported for s in checked) / max(1, len(checked)))
        _progress(number, len(rows))
    print(f"{'rating':<8}{'answers':>8}{'supported statements':>22}")
    for rating, values in sorted(shares.items()):
        print(f"{rating:<8}{len(values):>8}{sum(values) / len(values):>22.3f}")


def _check(checker: ClaimVerifier, draft: str, texts: Texts) -> tuple[Statement, ...]:
    return checker.check(draft, "en", texts.passages, texts)


def _lines(path: Path) -> Iterator[Row]:
    with path.open(encoding="utf-8") as file:
        yield from map(json.loads, file)


def _progress(done: int, total: int) -> None:
    print(f"\r{done} of {total}", end="\n" if done == total else "", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
