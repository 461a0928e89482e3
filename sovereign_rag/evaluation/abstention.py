"""When to say "not found": risk against coverage, from the confidences of answered runs.

A run of `eval answers` notes for every question how sure the product was, whether it answered or
not, so one run tells what every other setting of `answer.min_confidence` would have given.
"""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from sovereign_rag.errors import BadInput

ALL = "all"


@dataclass(frozen=True, slots=True)
class Judged:
    """A question, whether anything answers it, and how sure the product was of an answer."""

    set_name: str
    language: str
    answerable: bool
    confidence: float  # in [0, 1]
    signals: Mapping[str, float]
    found: bool | None = None  # whether a labelled document was found; None: none is labelled


@dataclass(frozen=True, slots=True)
class Point:
    """What answering from a confidence on gives. Shares in [0, 1], None of no questions."""

    confidence: float
    coverage: float | None  # share of the answerable questions that are answered
    risk: float | None  # share of the unanswerable ones that are answered, wrongly


@dataclass(frozen=True, slots=True)
class Curve:
    """Risk against coverage of some questions, from answering all to answering none."""

    name: str
    answerable: int
    unanswerable: int
    points: tuple[Point, ...]  # ascending by confidence
    separation: float | None  # how often an answerable one is the surer of two; 0.5 is chance

    def at(self, confidence: float) -> Point:
        """What the setting answer.min_confidence=`confidence` gives."""
        return next((p for p in self.points if p.confidence >= confidence), self.points[-1])

    def within(self, risk: float) -> Point:
        """The point with the most coverage whose risk is at most `risk`."""
        return next((p for p in self.points if (p.risk or 0.0) <= risk), self.points[-1])


def read_judged(path: Path) -> tuple[Judged, ...]:
    """The questions of a file of `eval answers --out`.

    Raises:
        BadInput: It can't be read, isn't one, or holds no confidences.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return tuple(_judged(row, str(content["name"])) for row in content["results"])
    except OSError as error:
        raise BadInput(f"Could not read {path}: {error.strerror or error}.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise BadInput(
            f"{path} holds no answers with their confidence. `sovereign-rag eval answers FILE "
            "--out RUN.json` writes them."
        ) from error


def _judged(row: Mapping[str, Any], set_name: str) -> Judged:
    confidence = float(row["confidence"])
    if not (math.isfinite(confidence) and 0 <= confidence <= 1):
        raise ValueError(f"{confidence} is not in [0, 1]")
    signals = {str(name): float(value) for name, value in row["signals"].items()}
    found = row.get("found")
    return Judged(
        set_name, str(row["language"]), bool(row["answerable"]), confidence, signals, found
    )


def curves(questions: Sequence[Judged]) -> tuple[Curve, ...]:
    """One curve a set and language, then that of all."""
    named = sorted((f"{q.set_name}, {q.language}", n) for n, q in enumerate(questions))
    parts = [
        curve(name, [questions[n] for _, n in group])
        for name, group in groupby(named, key=lambda pair: pair[0])
    ]
    return (*parts, curve(ALL, questions))


def curve(name: str, questions: Sequence[Judged]) -> Curve:
    """The curve of `questions`. Raises BadInput where there are none."""
    if not questions:
        raise BadInput("There are no questions to draw a curve of.")
    yes = [q.confidence for q in questions if q.answerable]
    no = [q.confidence for q in questions if not q.answerable]
    steps = sorted({q.confidence for q in questions})
    points = [Point(step, _share(yes, step), _share(no, step)) for step in steps]
    if steps[-1] < 1.0:
        points.append(Point(1.0, _share(yes, 1.0), _share(no, 1.0)))
    return Curve(name, len(yes), len(no), tuple(points), separation(yes, no))


def separation(yes: Sequence[float], no: Sequence[float]) -> float | None:
    """The area under the ROC curve: how often one of `yes` is above one of `no`, in [0, 1]."""
    if not yes or not no:
        return None
    wins = sum((a > b) + 0.5 * (a == b) for a in yes for b in no)
    return wins / (len(yes) * len(no))


def reliability(
    questions: Sequence[Judged], bins: int = 5
) -> Iterable[tuple[float, float, float, int]]:
    """(from, mean confidence, share that is answerable, questions) of each fifth of the scale.

    A calibrated confidence of 0.8 is right in 8 of 10 cases, in a mix of questions like those it
    was fitted to.
    """
    for number in range(bins):
        low, high = number / bins, (number + 1) / bins
        held = [q for q in questions if low <= q.confidence < high or q.confidence == high == 1.0]
        if held:
            mean = sum(q.confidence for q in held) / len(held)
            yield low, mean, sum(q.answerable for q in held) / len(held), len(held)


def _share(confidences: Sequence[float], least: float) -> float | None:
    if not confidences:
        return None
    return sum(confidence >= least for confidence in confidences) / len(confidences)
