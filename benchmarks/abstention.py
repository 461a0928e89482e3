"""Fit the confidence that passages hold an answer, and tell how it does where it was not fitted.

    sovereign-rag eval answers FILE --index DIR --kind extracts --out RUN.json   # for each set
    python benchmarks/abstention.py RUN.json...

Reads the signals that each question of those runs gave, whatever was answered. Prints the weights
of a logistic regression (ridge), which `sovereign_rag/confidence.py` holds; how well the questions
of each set are told apart by weights that were fitted to the other languages alone, and by one
signal alone; and what answering within a risk gives on each set, with those weights.
`sovereign-rag eval abstention RUN.json... --plot FILE` draws risk against coverage for the weights
in use.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import product_first  # noqa: F401  - the product before the files beside this one
from numpy.typing import NDArray

from sovereign_rag.confidence import WEIGHTS
from sovereign_rag.evaluation.abstention import (
    Judged,
    curve,
    read_judged,
    reliability,
    separation,
)

Numbers = NDArray[np.float64]
_RIDGE = 0.02  # of the mean log loss; signals in units of their spread
_STEPS = 50


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", type=Path, nargs="+", help="files of `eval answers --out`")
    parser.add_argument("--risk", type=float, default=0.15, help="most that may be wrong")
    options = parser.parse_args(arguments)

    asked = [q for path in options.runs for q in read_judged(path) if q.signals]
    names = list(WEIGHTS)
    signals = np.array([[q.signals.get(name, np.nan) for name in names] for q in asked])
    answerable = np.array([q.answerable for q in asked])
    sets = np.array([f"{q.set_name}, {q.language}" for q in asked])
    languages = np.array([q.language for q in asked])

    usual, weights, bias = _fit(signals, answerable, sets)
    print(f"fitted to {len(asked)} questions, {int(answerable.sum())} of them answerable")
    for name, mean, weight in zip(names, usual, weights, strict=True):
        print(f"  {name:<12} usual {mean:8.4f}   per unit {weight:8.4f}")
    print(f"  bias {bias:.4f}")

    # Whole languages are left out, so that no index is on both sides.
    held_out = np.zeros(len(asked))
    for language in np.unique(languages):
        here = languages == language
        fitted = _fit(signals[~here], answerable[~here], sets[~here])
        held_out[here] = _confidence(signals[here], *fitted)
    _print_separation(names, signals, held_out, answerable, sets, languages)
    _print_points(asked, held_out, options.risk)
    return 0


def _fit(
    signals: Numbers, answerable: NDArray[np.bool_], sets: NDArray[np.str_]
) -> tuple[Numbers, Numbers, float]:
    """(usual values, weights per unit, bias) by Newton's method.

    A set weighs as the square root of its questions, answerable and unanswerable ones the same.
    """
    usual, spread = np.nanmean(signals, axis=0), np.nanstd(signals, axis=0) + 1e-9
    x = np.nan_to_num((signals - usual) / spread)
    x = np.column_stack([x, np.ones(len(x))])
    share = np.ones(len(x))
    for name in np.unique(sets):
        for kind in (True, False):
            here = (sets == name) & (answerable == kind)
            if here.any():
                share[here] = 1 / np.sqrt(here.sum())
    for kind in (True, False):
        share[answerable == kind] /= 2 * share[answerable == kind].sum()
    ridge = np.diag([_RIDGE] * len(usual) + [0.0])
    w = np.zeros(x.shape[1])
    for _ in range(_STEPS):
        p = 1 / (1 + np.exp(-x @ w))
        gradient = x.T @ (share * (p - answerable)) + ridge @ w
        hessian = (x * (share * p * (1 - p))[:, None]).T @ x + ridge
        w -= np.linalg.solve(hessian, gradient)
    return usual, w[:-1] / spread, float(w[-1])


def _confidence(signals: Numbers, usual: Numbers, weights: Numbers, bias: float) -> Numbers:
    logit = bias + np.nan_to_num(signals - usual) @ weights
    return np.asarray(1 / (1 + np.exp(-logit)))


def _print_separation(
    names: Sequence[str],
    signals: Numbers,
    held_out: Numbers,
    answerable: NDArray[np.bool_],
    sets: NDArray[np.str_],
    languages: NDArray[np.str_],
) -> None:
    """How often an answerable question is above one of a set's unanswerable ones."""
    print("\nseparation (0.5 is chance)  left out  " + "".join(f"{n:>11}" for n in names))
    for name in np.unique(sets[~answerable]):
        no = (sets == name) & ~answerable
        # Sets without answers are held against the answerable questions of their language.
        yes = answerable & (sets == name)
        if not yes.any():
            yes = answerable & (languages == languages[no][0])
        if not yes.any():
            continue
        columns = [held_out, *(np.nan_to_num(signals[:, n]) for n in range(len(names)))]
        shown = [separation(list(c[yes]), list(c[no])) or 0.0 for c in columns]
        print(f"{name:<28}{shown[0]:>8.2f}  " + "".join(f"{value:>11.2f}" for value in shown[1:]))


def _print_points(asked: Sequence[Judged], held_out: Numbers, risk: float) -> None:
    """What each set gets where answers begin at the point that keeps all within `risk`."""
    judged = [replace(q, confidence=float(c)) for q, c in zip(asked, held_out, strict=True)]
    point = curve("all", judged).within(risk).confidence
    print(f"\nanswered from {point:.3f} on, with the weights of the other languages")
    for name in sorted({f"{q.set_name}, {q.language}" for q in judged}):
        each = curve(name, [q for q in judged if f"{q.set_name}, {q.language}" == name])
        here = each.at(point)
        told = [
            f"{share:.0%} of {count} {kind}"
            for share, count, kind in (
                (here.coverage, each.answerable, "answerable"),
                (here.risk, each.unanswerable, "unanswerable"),
            )
            if share is not None
        ]
        print(f"  {name:<28}" + ", ".join(told))
    print("\nconfidence, with those weights, and how many had an answer")
    for low, mean, share, questions in reliability(judged):
        print(
            f"  from {low:.1f} on: {mean:.2f} of {questions:>4} questions, {share:.0%} answerable"
        )


if __name__ == "__main__":
    sys.exit(main())
