"""The quality gate: what the product reaches on the sets beside this file, against their floors.

Each of `fr`, `de` and `en` is a labelled set as `sovereign-rag eval` takes it: a corpus in that
language, asked in it and in the two others. `floors.toml` holds the least values that a change may
leave. `python -m tests.quality.gate` measures and prints both, for whoever moves a floor.
"""

import sys
import tempfile
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from sovereign_rag.domain import SearchMode
from sovereign_rag.embedding.dense import DenseEmbedder
from sovereign_rag.embedding.protocol import Embedder
from sovereign_rag.evaluation.answers import AnswerReport, AnswerResult, evaluate_answers
from sovereign_rag.evaluation.datasets import read_corpus, read_questions, read_retrieval_set
from sovereign_rag.evaluation.measures import mean
from sovereign_rag.evaluation.retrieval import RetrievalReport, evaluate_retrieval
from sovereign_rag.evaluation.scratch import ScratchIndex, fill
from sovereign_rag.settings import Settings, load_settings
from sovereign_rag.wiring import open_service

HERE: Final = Path(__file__).parent
LANGUAGES: Final = ("fr", "de", "en")
MODES: Final[tuple[SearchMode, ...]] = ("hybrid", "dense", "lexical")

Values = Mapping[str, float]
"""A measure's name -> its value; the higher the better."""
Searches = Mapping[SearchMode, RetrievalReport]


def measure(
    language: str, settings: Settings, *, embedder: Embedder
) -> tuple[Searches, AnswerReport]:
    """Index a set in a fresh data folder, search it with each leg and both, and ask it."""
    folder = HERE / language
    with open_service(settings, embedder=embedder) as application:
        index = ScratchIndex(application)
        corpus = list(read_corpus(folder))
        fill(index, corpus, total=len(corpus), on_progress=_silent)
        labelled = read_retrieval_set(folder)
        searches = {
            mode: evaluate_retrieval(labelled, index, mode=mode, on_progress=_silent)
            for mode in MODES
        }
        questions = read_questions(folder / "questions.jsonl")
        answers = evaluate_answers(language, questions, index, on_progress=_silent)
    return searches, answers


def search_values(language: str, searches: Searches) -> Values:
    """Of the questions in the corpus' own language, and of those across languages.

    `over_legs` is what hybrid search has more than the better of its two legs.
    """
    values: dict[str, float] = {}
    for group, within in _GROUPS.items():
        ndcg, recall = (
            {
                mode: mean(
                    result.values[name]
                    for result in report.results
                    if within(result.language, language)
                )
                or 0.0
                for mode, report in searches.items()
            }
            for name in ("nDCG@10", "R@5")
        )
        values[f"ndcg_{group}"] = ndcg["hybrid"]
        values[f"recall_{group}"] = recall["hybrid"]
        values[f"over_legs_{group}"] = ndcg["hybrid"] - max(ndcg["dense"], ndcg["lexical"])
    return values


def answer_values(language: str, report: AnswerReport) -> Values:
    """Of the answerable questions by group; `refused` of the others; `verified` of all quotes.

    A quote counts as verified where it was looked up in the stored text once more, without the
    product's own check. A run without a quote has verified none.
    """
    values: dict[str, float] = {}
    for group, within in _GROUPS.items():
        asked = [r for r in report.results if r.answerable and within(r.language, language)]
        values[f"answered_{group}"] = mean(not result.abstained for result in asked) or 0.0
        values[f"containment_{group}"] = mean(bool(result.contains) for result in asked) or 0.0
    values["refused"] = mean(r.abstained for r in report.results if not r.answerable) or 0.0
    quotes = _sum(report, lambda result: result.quotes)
    values["verified"] = _sum(report, lambda result: result.quotes_true) / max(quotes, 1)
    return values


def floors(language: str) -> Values:
    """The least values of a set, from `floors.toml`."""
    with (HERE / "floors.toml").open("rb") as file:
        table: Mapping[str, Values] = tomllib.load(file)
    return table[language]


def shortfalls(values: Values, least: Values) -> list[str]:
    """What lies below its floor, one line each. A value without a floor is a KeyError."""
    return [
        f"{name} is {value:.3f}, its floor {least[name]:.3f}"
        for name, value in values.items()
        if value < least[name]
    ]


_GROUPS: Final[Mapping[str, Callable[[str, str], bool]]] = {
    "own": lambda asked, corpus: asked == corpus,
    "across": lambda asked, corpus: asked != corpus,
}


def _sum(report: AnswerReport, count: Callable[[AnswerResult], int]) -> int:
    return sum(count(result) for result in report.results)


def _silent(done: int, total: int) -> None:
    """These sets are small: nobody needs to see how far they are."""


def main() -> int:
    embedder = DenseEmbedder.open(load_settings())
    missed = 0
    for language in LANGUAGES:
        with tempfile.TemporaryDirectory() as folder:
            settings = load_settings(overrides={"data_dir": Path(folder)})
            searches, answers = measure(language, settings, embedder=embedder)
        values = {**search_values(language, searches), **answer_values(language, answers)}
        least = floors(language)
        missed += len(shortfalls(values, least))
        print(f"[{language}]{'measured':>26}   floor")
        for name, value in values.items():
            print(f"{name:<22}{value:>8.3f}{least[name]:>8.3f}{'  !' * (value < least[name])}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
