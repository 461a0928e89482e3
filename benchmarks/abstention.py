"""Fit the confidence that passages hold an answer, and tell how it does where it was not fitted.

    sovereign-rag eval answers FILE --index DIR --mini --out RUN.json                   # each set
    sovereign-rag eval answers FILE --index DIR --mini --leave-out-gold --out RUN.json
    python benchmarks/abstention.py RUN.json... [--measured RUN.json...]

Reads the signals that each question of those runs gave, whatever was answered. Prints the weights
of a logistic regression (ridge) as `answering/confidence.py` holds them, fitted to RUN...
alone; then, each time fitted without the set, or without the language, that is looked at:

- how well the questions of each set are told apart, by all signals and by one alone;
- how many of the answerable questions are answered where at most a share (--risk) of the others
  is, with all signals and without each of them, sets weighing the same;
- what answering from the point in use on gives, set by set.

With --written the runs are of `--kind auto` with a trusted model, and the weights those of
`answering/decision.py`, over the questions that it was asked.

Sets after --measured are never fitted to. `sovereign-rag eval abstention RUN.json... --plot FILE`
draws risk against coverage for the weights in use. docs/quality.md lists the runs.
"""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from sovereign_rag.answering import confidence, decision
from sovereign_rag.evaluation.abstention import (
    Judged,
    curve,
    read_judged,
    reliability,
    separation,
)
from sovereign_rag.settings import AnswerSettings

Numbers = NDArray[np.float64]
_RIDGE = 0.02  # of the mean log loss; signals in units of their spread
_STEPS = 50


@dataclass(frozen=True, slots=True)
class _Asked:
    """Questions with their signals; all arrays have one row a question."""

    names: tuple[str, ...]  # of the signals
    questions: tuple[Judged, ...]
    signals: Numbers  # (questions, signals); nan: missing
    answerable: NDArray[np.bool_]
    sets: NDArray[np.str_]
    languages: NDArray[np.str_]
    fitted: NDArray[np.bool_]  # whether the weights may be fitted to it

    @classmethod
    def of(
        cls, names: Sequence[str], fitted: Sequence[Judged], measured: Sequence[Judged]
    ) -> "_Asked":
        """The questions that have one of the signals at least."""
        # What answers was not found: neither answerable from the passages nor known not to be.
        questions = tuple(
            q for q in (*fitted, *measured) if set(names) & set(q.signals) and q.found is not False
        )
        of_fit = {id(q) for q in fitted}
        return cls(
            tuple(names),
            questions,
            np.array([[q.signals.get(name, np.nan) for name in names] for q in questions]),
            np.array([q.answerable for q in questions]),
            np.array([q.set_name for q in questions]),
            np.array([q.language for q in questions]),
            np.array([id(q) in of_fit for q in questions]),
        )


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", type=Path, nargs="+", help="files of `eval answers --out`")
    parser.add_argument("--measured", type=Path, nargs="+", default=[], help="not fitted to")
    parser.add_argument("--written", action="store_true", help="with a trusted model, see above")
    parser.add_argument("--risk", type=float, default=0.15, help="most that may be wrong")
    options = parser.parse_args(arguments)

    fitted = [question for path in options.runs for question in read_judged(path)]
    names = tuple(decision.WEIGHTS if options.written else confidence.WEIGHTS)
    asked = _Asked.of(names, fitted, [q for path in options.measured for q in read_judged(path)])
    for groups in (asked.sets, asked.languages):
        if len(np.unique(groups[asked.fitted])) < 2:
            parser.error("to leave one out it takes runs of two sets, and of two languages.")
    usual, weights, bias = _fit(asked, asked.fitted, every := np.ones(len(names), bool))
    yes = int((asked.fitted & asked.answerable).sum())
    print(f"fitted to {int(asked.fitted.sum())} questions, {yes} of them answerable")
    for name, mean, weight in zip(names, usual, weights, strict=True):
        print(f'    "{name}": Weight({mean:.3f}, {weight:.3f}),')
    print(f"BIAS: Final = {bias:.3f}")

    by_set = _held_out(asked, asked.sets, every)
    _print_separation(asked, by_set)
    _print_ablation(asked, options.risk)
    _print_points(asked, by_set, options.risk)
    return 0


def _fit(
    asked: _Asked, rows: NDArray[np.bool_], used: NDArray[np.bool_]
) -> tuple[Numbers, Numbers, float]:
    """(usual values, weights per unit, bias) by Newton's method; unused signals weigh 0.

    A set weighs as the square root of its questions, answerable and unanswerable ones the same.
    """
    signals, answerable, sets = asked.signals[rows], asked.answerable[rows], asked.sets[rows]
    usual, spread = np.nanmean(signals, axis=0), np.nanstd(signals, axis=0) + 1e-9
    x = np.nan_to_num((signals - usual) / spread) * used
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


def _held_out(asked: _Asked, groups: NDArray[np.str_], used: NDArray[np.bool_]) -> Numbers:
    """Each question's confidence by weights that were fitted without its group."""
    found = np.zeros(len(asked.questions))
    for group in np.unique(groups):
        here = groups == group
        usual, weights, bias = _fit(asked, asked.fitted & ~here, used)
        logit = bias + np.nan_to_num(asked.signals[here] - usual) @ weights
        found[here] = 1 / (1 + np.exp(-logit))
    return found


def _print_separation(asked: _Asked, held_out: Numbers) -> None:
    """How often an answerable question is above one of a set's unanswerable ones."""
    print("\nseparation (0.5 is chance)  left out  " + "".join(f"{n:>11}" for n in asked.names))
    names = np.array([f"{q.set_name}, {q.language}" for q in asked.questions])
    for name in np.unique(names[~asked.answerable]):
        no = (names == name) & ~asked.answerable
        yes = asked.answerable & (names == name)
        if not yes.any():
            continue
        columns = [held_out, *np.nan_to_num(asked.signals).T]
        shown = [separation(list(c[yes]), list(c[no])) or 0.0 for c in columns]
        print(f"{name:<28}{shown[0]:>8.2f}  " + "".join(f"{value:>11.2f}" for value in shown[1:]))


def _print_ablation(asked: _Asked, risk: float) -> None:
    """Coverage, each set weighing the same, with and without each signal.

    Its mean over risks from half to one and a half times `risk`: at one point chance decides.
    """
    print(f"\nanswered within {risk:.0%} wrong: fitted without the set, without the language")
    every = np.ones(len(asked.names), bool)
    for label, used in (
        ("all signals", every),
        *((f"without {name}", np.array([n != name for n in asked.names])) for name in asked.names),
        (f"{asked.names[0]} alone", np.array([n == asked.names[0] for n in asked.names])),
    ):
        shares = []
        for groups in (asked.sets, asked.languages):
            held_out = _held_out(asked, groups, used)
            around = np.linspace(0.5 * risk, 1.5 * risk, 15)
            shares.append(np.mean([_coverage(asked, held_out, each) for each in around]))
        print(f"  {label:<20}" + "".join(f"{share:>8.1%}" for share in shares))


def _coverage(asked: _Asked, confidence: Numbers, risk: float) -> float:
    """The share of answerable questions above the least confidence that keeps to the risk."""
    weight = np.zeros(len(confidence))
    for name in np.unique(asked.sets):
        for kind in (True, False):
            here = (asked.sets == name) & (asked.answerable == kind)
            weight[here] = 1 / max(here.sum(), 1)
    yes, no = asked.answerable, ~asked.answerable
    falling = np.argsort(-confidence[no])
    wrong = np.cumsum(weight[no][falling]) / weight[no].sum()
    beyond = int((wrong <= risk).sum())
    least = confidence[no][falling][beyond] if beyond < len(falling) else -1.0
    return float(weight[yes] @ (confidence[yes] > least) / weight[yes].sum())


def _print_points(asked: _Asked, held_out: Numbers, risk: float) -> None:
    """What each set gets at the point in use, and where the others are within the risk."""
    judged = [
        replace(q, confidence=float(c)) for q, c in zip(asked.questions, held_out, strict=True)
    ]
    point = AnswerSettings().min_confidence
    least = curve("all", judged).within(risk).confidence
    print(f"\nanswered from {point:g} on (within {risk:.0%} of all: from {least:.3f} on)")
    for name in np.unique(asked.sets):
        each = curve(name, [q for q in judged if q.set_name == name])
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
