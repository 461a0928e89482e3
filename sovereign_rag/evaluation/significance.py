"""Paired differences -> how sure they are: a randomisation test and a bootstrap interval.

Both ask nothing of how the values are distributed, which for measures of retrieval is neither
normal nor symmetric. The seed is fixed: the same two runs always give the same figures.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

ROUNDS: Final = 10_000
CONFIDENCE: Final = 0.95
_SEED: Final = 20_240_101
_FEW: Final = 13  # differences whose signs are tried in every combination: 8,192 of them
_AT_ONCE: Final = 2_000_000  # numbers of a block of rounds, so that memory stays small
_ROUNDING: Final = 1e-12


def randomisation_p(differences: Values) -> float:
    """The probability of a mean as far from 0 if the two runs were interchangeable, in (0, 1].

    The sign of each difference is turned at random, as if the labels of the two runs had been
    exchanged for that question. With few differences every combination is counted and the value
    is exact; else `ROUNDS` are drawn, and the one that was observed counts among them.

    Args:
        differences: Shape (n,), one for each question; zeros change nothing.

    Source: Smucker, Allan and Carterette, "A Comparison of Statistical Significance Tests for
    Information Retrieval Evaluation", CIKM 2007; two-sided. The observed round counts: Phipson and
    Smyth, "Permutation P-values Should Never Be Zero", 2010.
    """
    changed = differences[differences != 0]
    if not len(changed):
        return 1.0
    observed = abs(changed.sum()) - _ROUNDING
    if len(changed) <= _FEW:
        patterns = np.arange(1 << len(changed))[:, None] >> np.arange(len(changed)) & 1
        return float(np.mean(np.abs((2.0 * patterns - 1) @ changed) >= observed))
    random = np.random.default_rng(_SEED)
    as_far = 0
    for rounds in _blocks(len(changed)):
        signs = 2.0 * random.integers(0, 2, (rounds, len(changed)), dtype=np.int8) - 1
        as_far += int(np.count_nonzero(np.abs(signs @ changed) >= observed))
    return (1 + as_far) / (1 + ROUNDS)


def bootstrap_interval(differences: Values) -> tuple[float, float]:
    """Where the mean of `differences` lies with `CONFIDENCE`, by drawing the questions anew.

    Percentiles of `ROUNDS` means over n questions drawn with replacement.

    Raises:
        ValueError: There is no difference.

    Source: Efron and Tibshirani, "An Introduction to the Bootstrap", 1993, chapter 13.
    """
    if not len(differences):
        raise ValueError("an interval needs at least one difference")
    random = np.random.default_rng(_SEED)
    means = np.concatenate(
        [
            differences[random.integers(0, len(differences), (rounds, len(differences)))].mean(1)
            for rounds in _blocks(len(differences))
        ]
    )
    outside = (1 - CONFIDENCE) / 2
    low, high = np.quantile(means, (outside, 1 - outside))
    return float(low), float(high)


def _blocks(length: int) -> list[int]:
    """`ROUNDS`, in blocks that fit in memory."""
    block = max(1, min(ROUNDS, _AT_ONCE // length))
    return [min(block, ROUNDS - start) for start in range(0, ROUNDS, block)]
