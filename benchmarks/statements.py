"""How well the statement checker tells what a text says from what it does not say.

Reads JSON lines of one of three kinds. With `claim`, `context` and `label` (supported, refuted,
not_enough_info), as the SciFact claims have them, it prints precision, recall and the share of each
label by verdict. With `response`, `contexts` (texts) and `human_median.faithfulness` (1 to 4) it
prints the share of supported statements by rating, and how well that share tells faithful answers
(4) from others (1, 2). With `question`, `answers` and `gold_doc_ids` it prints how many labelled
answers pass as the whole of what a model wrote, and how many labelled answers to another question
about the same text.
"""

import argparse
import json
import math
import random
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from sovereign_rag.answering.verification import ClaimVerifier
from sovereign_rag.domain import Chunk, PageSpan, PageText, Passage, QuoteVerdict, Verdict
from sovereign_rag.embedding.dense import DenseEmbedder
from sovereign_rag.embedding.lexical import Bm25Encoder
from sovereign_rag.settings import load_settings

Row = dict[str, Any]  # a line of JSON
_WORST_FIRST = (Verdict.UNSUPPORTED, Verdict.PARTLY, Verdict.SUPPORTED)
_LEXICAL = Bm25Encoder()


class Texts:
    """The texts given, as the stored pages of a document each."""

    def __init__(self, texts: Sequence[str], language: str) -> None:
        self.passages = [_passage(n, text, language) for n, text in enumerate(texts)]
        self._pages = {p.chunk.document_id: PageText(1, p.chunk.text) for p in self.passages}

    def page(self, passage: Passage, number: int) -> PageText | None:
        return self._pages.get(passage.chunk.document_id) if number == 1 else None

    def verdict(self, passage: Passage, page: PageText, start: int, end: int) -> QuoteVerdict:
        return QuoteVerdict.VERIFIED


class Weights:
    """How rare a term is among the texts of the set, as the search of an index weighs it."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        """`texts`: text -> its language."""
        self._all = len(texts)
        self._count: Counter[int] = Counter()
        for text, language in texts.items():
            self._count.update(_LEXICAL.encode_query(text, language).indices)

    def __call__(self, terms: Sequence[int]) -> Mapping[int, float]:
        return {
            t: math.log1p((self._all - n + 0.5) / (n + 0.5))
            for t in terms
            for n in [self._count[t]]
        }


def _passage(number: int, text: str, language: str) -> Passage:
    span = PageSpan(1, 0, len(text))
    chunk = Chunk(f"text-{number}", "v1", 0, text, (span,), language=language)
    return Passage(chunk, f"text {number}", f"text:{number}", False, 1.0, {})


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, help="JSON lines, see above")
    parser.add_argument("--corpus", type=Path, help="JSON lines (id, text) of the documents named")
    parser.add_argument("--questions", type=Path, help="JSON lines (id, question) for `task_id`")
    parser.add_argument("--limit", type=int, help="only the first so many lines")
    options = parser.parse_args(arguments)

    rows = list(_lines(options.file))[: options.limit]
    corpus = {r["id"]: r["text"] for r in _lines(options.corpus)} if options.corpus else {}
    asked = {r["id"]: r["question"] for r in _lines(options.questions)} if options.questions else {}
    checker = ClaimVerifier(embedder=DenseEmbedder.open(load_settings()), lexical=_LEXICAL)
    if "claim" in rows[0]:
        _claims(rows, checker, corpus)
    elif "response" in rows[0]:
        _answers(rows, checker, corpus, asked)
    else:
        _short_answers(rows, checker, corpus)
    return 0


def _claims(rows: Sequence[Row], checker: ClaimVerifier, corpus: Mapping[str, str]) -> None:
    verdicts: dict[str, Counter[Verdict]] = defaultdict(Counter)
    spoken = {str(row["context"]): str(row.get("lang", "en")) for row in rows}
    weights = Weights({text: "en" for text in corpus.values()} if corpus else spoken)
    for number, row in enumerate(rows, start=1):
        language = row.get("lang", "en")
        texts = Texts([row["context"]], language)
        checked = checker.check(row["claim"], language, texts.passages, texts, rarity=weights)
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
    if right:
        print(f"precision of `supported` {right / said:.3f}, ", end="")
        print(f"recall {right / verdicts['supported'].total():.3f}")


def _answers(
    rows: Sequence[Row], checker: ClaimVerifier, corpus: Mapping[str, str], asked: Mapping[str, str]
) -> None:
    shares: dict[int, list[float]] = defaultdict(list)
    weights = Weights({text: "en" for text in corpus.values()})
    for number, row in enumerate(rows, start=1):
        contexts = [corpus[i] for i in row["context_doc_ids"] if i in corpus]
        texts = Texts(contexts, row["lang"])
        checked = checker.check(
            row["response"],
            row["lang"],
            texts.passages,
            texts,
            question=asked.get(row["task_id"], ""),
            rarity=weights,
        )
        rating = round(row["human_median"]["faithfulness"])
        shares[rating].append(sum(s.supported for s in checked) / max(1, len(checked)))
        _progress(number, len(rows))
    print(f"{'rating':<8}{'answers':>8}{'supported statements':>22}")
    for rating, values in sorted(shares.items()):
        print(f"{rating:<8}{len(values):>8}{sum(values) / len(values):>22.3f}")
    auroc = _auroc(shares[4], [*shares[1], *shares[2]])
    print(f"AUROC of the share, rated 4 against 1 and 2: {auroc:.3f}")


def _auroc(better: Sequence[float], worse: Sequence[float]) -> float:
    """How often one of `better` is above one of `worse`; equal counts as half."""
    pairs = [(a > b) + 0.5 * (a == b) for a in better for b in worse]
    return sum(pairs) / len(pairs) if pairs else math.nan


def _short_answers(rows: Sequence[Row], checker: ClaimVerifier, corpus: Mapping[str, str]) -> None:
    passed: Counter[bool] = Counter()
    language = rows[0]["lang"]
    weights = Weights({text: language for text in corpus.values()})
    pairs = list(_right_and_wrong(rows, corpus))
    for number, (question, right, wrong, text) in enumerate(pairs, start=1):
        texts = Texts([text], language)
        for answer in (right, wrong):
            (*_, checked) = checker.check(
                answer, language, texts.passages, texts, question=question, rarity=weights
            )
            passed[answer is right] += checked.supported
        _progress(number, len(pairs))
    print(
        f"{language}: of {len(pairs)} short answers pass, right {passed[True] / len(pairs):.2f}, ",
        end="",
    )
    print(f"of another question about the same text {passed[False] / len(pairs):.2f}")


def _right_and_wrong(
    rows: Sequence[Row], corpus: Mapping[str, str]
) -> Iterator[tuple[str, str, str, str]]:
    """Question, its labelled answer, another's of the same kind about the same text, the text."""
    chance = random.Random(5)
    of_text: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        if row["answerable"] and row["gold_doc_ids"] and row["gold_doc_ids"][0] in corpus:
            of_text[row["gold_doc_ids"][0]].append(row)
    for document, asked in of_text.items():
        text = corpus[document]
        for row in asked:
            right = row["answers"][0]
            others = [
                a for r in asked if r is not row if _is_another(a := r["answers"][0], row, text)
            ]
            alike = [other for other in others if _kind(other) == _kind(right)]
            if others and right.casefold() in text.casefold():
                yield row["question"], right, chance.choice(alike or others), text


def _is_another(answer: str, row: Row, text: str) -> bool:
    folded, right = answer.casefold(), row["answers"][0].casefold()
    return (
        folded not in right
        and right not in folded
        and folded not in row["question"].casefold()
        and folded in text.casefold()
    )


def _kind(answer: str) -> str:
    return "number" if re.search(r"\d", answer) else "name" if answer[:1].isupper() else "other"


def _lines(path: Path) -> Iterator[Row]:
    with path.open(encoding="utf-8") as file:
        yield from map(json.loads, file)


def _progress(done: int, total: int) -> None:
    print(f"\r{done} of {total}", end="\n" if done == total else "", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
