"""Paired differences -> how sure they are: a randomisation test and a bootstrap interval.

Both ask nothing of how the values are distributed, which for measures of retrieval is neither
normal nor symmetric. The seed is fixed: the same two runs always give the same figures.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Values = NDArray[np.float64]

ROUNDS: Final = 10_000
CONFIDENCE: Final = 0.95
_SEED: Final = 20_240_101
_AT_ONCE: Final = 2_000_000  # numbers of a block of rounds, so that memory stays small


def randomisation_p(differences: Values) -> float:
    """The probability of a mean as far from 0 if the two runs were interchangeable, in (0, 1].

    The sign of each difference is turned at random, as if the labels of the two runs had been
    exchanged for that question. Up to 13 differences every combination is counted and the value
    is exact; else `ROUNDS` are drawn, and the one that was observed counts among them.

    Args:
        differences: Shape (n,), one for each question; zeros change nothing.

    Source: Smucker, Allan and Carterette, "A Comparison of Statistical Significance Tests for
    Information Retrieval Evaluation", CIKM 2007; two-sided. The observed round counts: Phipson and
    Smyth, "Permutation P-values Should Never Be Zero", 2010.
    """
    changed = differences[differences != 0]
    if len(changed) < 2:  # either sign of one difference is as far from 0
        return 1.0
    found = stats.permutation_test(
        (changed,),
        _distance_from_zero,
        permutation_type="samples",
        alternative="greater",
        n_resamples=ROUNDS,
        batch=_block(len(changed)),
        vectorized=True,
        rng=np.random.default_rng(_SEED),
    )
    return float(found.pvalue)


def bootstrap_interval(differences: Values) -> tuple[float, float]:
    """Where the mean of `differences` lies with `CONFIDENCE`, by drawing the questions anew.

    Percentiles of `ROUNDS` means over n questions drawn with replacement.

    Raises:
        ValueError: There is no difference.

    Source: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13.
    """
    if not len(differences):
        raise ValueError("an interval needs at least one difference")
    if len(differences) == 1:  # scipy wants two: every draw is the same
        return float(differences[0]), float(differences[0])
    found = stats.bootstrap(
        (differences,),
        np.mean,
        n_resamples=ROUNDS,
        confidence_level=CONFIDENCE,
        method="percentile",
        batch=_block(len(differences)),
        vectorized=True,
        rng=np.random.default_rng(_SEED),
    )
    return float(found.confidence_interval.low), float(found.confidence_interval.high)


def _distance_from_zero(values: Values, axis: int) -> Any:
    return np.abs(np.mean(values, axis=axis))


def _block(length: int) -> int:
    """Rounds that fit in memory at a time."""
    return max(1, min(ROUNDS, _AT_ONCE // length))
