"""BM25 alone, vectors alone, ours, and LlamaIndex's hybrid, on labelled sets, in one table.

    python benchmarks/retrieval.py SET...                    folders as `eval retrieval` takes them
    python benchmarks/retrieval.py SET... --measure R@10 --by-language
    python benchmarks/retrieval.py SET... --limit-queries 50 --json

The peer is what LlamaIndex's `QdrantVectorStore` does by default with hybrid search: relative score
fusion with alpha 0.5. Its formula is written out here, because its package is not a dependency of
ours; it fuses the very chunks, vectors and BM25 scores that ours does (German compounds and each
language's stemmer included), so that the difference is the fusion. It is asked the question alone;
ours and its legs are asked with what was said before, where a set has it.

Prints Markdown, or JSON with everything. `p` is a paired randomisation test over the queries, ours
against the peer. Indexes are kept in the user's cache, as those of `eval retrieval`, and are the
same ones. Exit code 1: somewhere ours is more than 0.005 below the better of its legs.
"""

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np

from sovereign_rag.access import DEFAULT_TENANT
from sovereign_rag.domain import Passage, SearchMode
from sovereign_rag.evaluation.datasets import corpus_hash, read_corpus, read_retrieval_set
from sovereign_rag.evaluation.retrieval import QueryResult, evaluate_retrieval
from sovereign_rag.evaluation.scratch import Searchable, cache_folder, fill, open_scratch
from sovereign_rag.evaluation.significance import randomisation_p
from sovereign_rag.retrieval.conversation import Turn
from sovereign_rag.settings import load_settings
from sovereign_rag.wiring import open_service

ALPHA: Final = 0.5
ALLOWED: Final = 0.005  # below the better leg
SYSTEMS: Final = ("bm25", "dense", "ours", "llama_index")
_MODES: Final[Mapping[str, SearchMode]] = {"bm25": "lexical", "dense": "dense", "ours": "hybrid"}


class RelativeScoreFusion:
    """Another index's legs, joined as LlamaIndex does."""

    def __init__(self, index: Searchable) -> None:
        self._index = index

    @property
    def model_id(self) -> str:
        return self._index.model_id

    def present(self, tenant: str = DEFAULT_TENANT) -> frozenset[str]:
        return self._index.present(tenant)

    def search(
        self,
        query: str,
        *,
        mode: SearchMode | None,
        limit: int,
        tenant: str = DEFAULT_TENANT,
        history: Sequence[Turn] = (),
    ) -> list[Passage]:
        dense = self._index.search(query, mode="dense", limit=limit, tenant=tenant)
        lexical = self._index.search(query, mode="lexical", limit=limit, tenant=tenant)
        return fuse(dense, lexical)[:limit]


def fuse(dense: Sequence[Passage], lexical: Sequence[Passage]) -> list[Passage]:
    """Relative score fusion: each leg's scores stretched over 0 to 1, then half of each.

    A passage that a leg didn't find has 0 there, and so has the last one that it did find.

    Source: `relative_score_fusion` of llama-index-vector-stores-qdrant, alpha 0.5, down to a leg
    whose scores are all the same (it keeps them) or that is empty (the other one stands).
    """
    if not dense or not lexical:
        return list(dense or lexical)
    meant, said = _stretched(dense), _stretched(lexical)
    fused = [
        replace(p, score=ALPHA * meant.get(p.id, 0.0) + (1 - ALPHA) * said.get(p.id, 0.0))
        for p in {p.id: p for p in (*dense, *lexical)}.values()
    ]
    return sorted(fused, key=lambda passage: -passage.score)


def _stretched(passages: Sequence[Passage]) -> dict[str, float]:
    scores = [passage.score for passage in passages]
    least, most = min(scores), max(scores)
    if least == most:
        return {passage.id: most for passage in passages}
    return {p.id: (p.score - least) / (most - least) for p in passages}


@dataclass(frozen=True, slots=True)
class Row:
    """One set, or one language of it."""

    name: str
    queries: int
    values: Mapping[str, float]  # mean of the measure, by system
    p: float  # ours against the peer

    @property
    def over_legs(self) -> float:
        return self.values["ours"] - max(self.values["bm25"], self.values["dense"])

    def as_json(self) -> dict[str, object]:
        return {
            "set": self.name,
            "queries": self.queries,
            **self.values,
            "over_better_leg": self.over_legs,
            "over_peer": self.values["ours"] - self.values["llama_index"],
            "p": self.p,
        }


def main(arguments: Sequence[str] | None = None) -> int:
    summary, _, more = (__doc__ or "").partition("\n")
    parser = argparse.ArgumentParser(
        description=summary, epilog=more, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sets", type=Path, nargs="+", metavar="SET", help="retrieval set's folder")
    parser.add_argument("--measure", default="nDCG@10", help="nDCG@10, R@1, R@5, R@10 or RR@10")
    parser.add_argument("--limit-queries", type=int, help="only so many of each set")
    parser.add_argument("--by-language", action="store_true", help="a row for each language too")
    parser.add_argument("--fresh", action="store_true", help="build the indexes anew")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args(arguments)

    rows: list[Row] = []
    if not options.json:
        _print_head(options.measure)
    for folder in options.sets:
        results = measure(folder, limit=options.limit_queries, fresh=options.fresh)
        made = table(folder.resolve().name, results, options.measure, options.by_language)
        if not options.json:
            _print_rows(made)
        rows += made
    if options.json:
        print(json.dumps([row.as_json() for row in rows], ensure_ascii=False, indent=1))
    return 1 if any(row.over_legs < -ALLOWED for row in rows) else 0


def measure(folder: Path, *, limit: int | None, fresh: bool) -> dict[str, tuple[QueryResult, ...]]:
    """Every query's result, by system; the corpus is indexed where it isn't yet."""
    labelled = read_retrieval_set(folder)
    settings = load_settings()
    with open_scratch(
        settings, cache_folder(), corpus_hash(folder), fresh=fresh, open_service=open_service
    ) as index:
        total = sum(1 for _ in read_corpus(folder))
        progress = _Progress(f"{folder.name}: indexing")
        fill(index, read_corpus(folder), total=total, on_progress=progress)
        results: dict[str, tuple[QueryResult, ...]] = {}
        for system in SYSTEMS:
            report = evaluate_retrieval(
                labelled,
                index if system in _MODES else RelativeScoreFusion(index),
                mode=_MODES.get(system, "hybrid"),
                limit_queries=limit,
                on_progress=_Progress(f"{folder.name}: {system}"),
            )
            results[system] = report.results
    return results


def table(
    name: str,
    results: Mapping[str, Sequence[QueryResult]],
    measure: str,
    by_language: bool,
) -> list[Row]:
    """The set's row, then one for each of its languages if wanted and there are several."""
    languages = sorted({result.language for result in results["ours"]})
    groups: list[str | None] = [None, *(languages if by_language and len(languages) > 1 else ())]
    rows: list[Row] = []
    for language in groups:
        values = {
            system: np.array(
                [r.values[measure] for r in found if language in (None, r.language)], np.float64
            )
            for system, found in results.items()
        }
        rows.append(
            Row(
                name=f"{name}, {language}" if language else name,
                queries=len(values["ours"]),
                values={system: float(found.mean()) for system, found in values.items()},
                p=randomisation_p(values["ours"] - values["llama_index"]),
            )
        )
    return rows


def _print_head(measure: str) -> None:
    titles = ("queries", *SYSTEMS, "ours - better leg", "ours - llama_index", "p")
    print(f"| set ({measure}) | {' | '.join(titles)} |")
    print("|---" * (len(titles) + 1) + "|", flush=True)


def _print_rows(rows: Sequence[Row]) -> None:
    for row in rows:
        means = " | ".join(f"{row.values[system]:.3f}" for system in SYSTEMS)
        over_peer = row.values["ours"] - row.values["llama_index"]
        ends = f"{row.over_legs:+.3f} | {over_peer:+.3f} | {row.p:.4f}"
        print(f"| {row.name} | {row.queries} | {means} | {ends} |", flush=True)


class _Progress:
    """A line on standard error at every tenth of the way."""

    def __init__(self, doing: str) -> None:
        self._doing, self._said = doing, -1

    def __call__(self, done: int, total: int) -> None:
        tenth = 10 * done // total
        if tenth > self._said:
            self._said = tenth
            print(f"{self._doing} {done}/{total}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
