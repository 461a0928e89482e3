"""Two runs over the same questions -> what changed, how sure that is, and for which questions."""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from sovereign_rag.errors import BadInput
from sovereign_rag.evaluation.runs import MEASURES, EvaluationRun, Scored
from sovereign_rag.evaluation.significance import bootstrap_interval, randomisation_p

ALL: Final = "all"
_SAME: Final = 1e-9  # values closer than this are a tie

Pair = tuple[Scored, Scored]


@dataclass(frozen=True, slots=True)
class Difference:
    """One measure over the questions of one language (or `ALL`) that have it in both runs."""

    measure: str
    language: str
    questions: int
    before: float  # mean of the first run
    after: float  # mean of the second
    low: float  # the difference of the means lies from here
    high: float  # to here, in 95 of 100 cases
    p: float  # that of chance alone, in (0, 1]
    wins: int  # questions for which the second run is better
    losses: int
    ties: int

    @property
    def difference(self) -> float:
        """What the second run has more than the first; above 0 it is better."""
        return self.after - self.before


@dataclass(frozen=True, slots=True)
class ChangedQuestion:
    """A question that the two runs score differently, by the deciding measure."""

    id: str
    language: str
    text: str
    before: float
    after: float

    @property
    def difference(self) -> float:
        return self.after - self.before


@dataclass(frozen=True, slots=True)
class Comparison:
    """What became of the questions from the first run to the second."""

    before: EvaluationRun
    after: EvaluationRun
    measure: str  # the deciding one
    overall: tuple[Difference, ...]  # each measure over all questions, in the order of `MEASURES`
    by_language: tuple[Difference, ...]  # the deciding measure; none where there is one language
    regressions: tuple[ChangedQuestion, ...]  # worst first
    improvements: tuple[ChangedQuestion, ...]  # best first
    unpaired_before: tuple[str, ...]  # ids that only the first run has
    unpaired_after: tuple[str, ...]
    ms_before: float  # median of the paired questions
    ms_after: float

    @property
    def deciding(self) -> Difference:
        return next(found for found in self.overall if found.measure == self.measure)

    @property
    def changed_settings(self) -> dict[str, tuple[str | None, str | None]]:
        """Settings and facts of the runs that are not the same in both."""
        before = {**self.before.facts, **self.before.settings}
        after = {**self.after.facts, **self.after.settings}
        names = dict.fromkeys((*before, *after))
        return {
            name: (before.get(name), after.get(name))
            for name in names
            if before.get(name) != after.get(name)
        }

    def falls_below(self, least: float) -> bool:
        """Whether the deciding measure's difference is below `least`, e.g. -0.01.

        Raises:
            BadInput: A question has no partner: it may be the one that got worse.
        """
        missing = (*self.unpaired_before, *self.unpaired_after)
        if missing:
            raise BadInput(
                f"{len(missing)} questions are in one of the runs only ({missing[0]}, ...): a "
                "gate needs all of them in both. Run both over the same questions."
            )
        return self.deciding.difference < least - _SAME


def compare(
    before: EvaluationRun, after: EvaluationRun, *, measure: str | None = None
) -> Comparison:
    """Pair two runs by question id.

    Args:
        before: What is there now, or the reference.
        after: What is to be judged.
        measure: Which one decides; unless given, the first of the runs' kind in `MEASURES`.

    Raises:
        BadInput: The runs are of two kinds or two sets, share no question, ask something else
            under the same id, or don't have the measure.
    """
    if before.kind != after.kind:
        raise BadInput(
            f"{before.path} measures {before.kind}, {after.path} {after.kind}: only runs of one "
            "kind can be compared."
        )
    if before.set_name != after.set_name:
        raise BadInput(
            f"{before.path} is about {before.set_name}, {after.path} about {after.set_name}: only "
            "runs over the same questions can be compared."
        )
    pairs = _paired(before, after)
    measures = MEASURES[before.kind]
    chosen = measure or measures[0]
    if chosen not in measures:
        raise BadInput(f"No measure is called {chosen!r}; there are {', '.join(measures)}.")
    overall = [found for name in measures if (found := _difference(name, ALL, pairs)) is not None]
    if chosen not in {found.measure for found in overall}:
        raise BadInput(f"No question of both runs has the measure {chosen}: choose another.")
    languages = sorted({first.language for first, _ in pairs})
    by_language = [
        found
        for code in (languages if len(languages) > 1 else [])
        if (found := _difference(chosen, code, [p for p in pairs if p[0].language == code]))
    ]
    changes = sorted(_changes(chosen, pairs), key=lambda change: (change.difference, change.id))
    return Comparison(
        before=before,
        after=after,
        measure=chosen,
        overall=tuple(overall),
        by_language=tuple(by_language),
        regressions=tuple(c for c in changes if c.difference < 0),
        improvements=tuple(c for c in reversed(changes) if c.difference > 0),
        unpaired_before=tuple(i for i in before.questions if i not in after.questions),
        unpaired_after=tuple(i for i in after.questions if i not in before.questions),
        ms_before=statistics.median(first.ms for first, _ in pairs),
        ms_after=statistics.median(second.ms for _, second in pairs),
    )


def _paired(before: EvaluationRun, after: EvaluationRun) -> list[Pair]:
    pairs = [
        (question, after.questions[id_])
        for id_, question in before.questions.items()
        if id_ in after.questions
    ]
    if not pairs:
        raise BadInput(f"{before.path} and {after.path} have no question in common.")
    for first, second in pairs:
        if first.text and second.text and first.text != second.text:
            raise BadInput(
                f"Under the id {first.id} the two runs asked two different questions. Run both "
                "over the same questions."
            )
    return pairs


def _difference(measure: str, language: str, pairs: Sequence[Pair]) -> Difference | None:
    values = [
        (first.values[measure], second.values[measure])
        for first, second in pairs
        if measure in first.values and measure in second.values
    ]
    if not values:
        return None
    before, after = np.array(values, np.float64).T
    differences = np.where(np.abs(after - before) < _SAME, 0.0, after - before)
    low, high = bootstrap_interval(differences)
    return Difference(
        measure=measure,
        language=language,
        questions=len(values),
        before=float(before.mean()),
        after=float(after.mean()),
        low=low,
        high=high,
        p=randomisation_p(differences),
        wins=int(np.count_nonzero(differences > 0)),
        losses=int(np.count_nonzero(differences < 0)),
        ties=int(np.count_nonzero(differences == 0)),
    )


def _changes(measure: str, pairs: Sequence[Pair]) -> Iterable[ChangedQuestion]:
    for first, second in pairs:
        if measure in first.values and measure in second.values:
            before, after = first.values[measure], second.values[measure]
            if abs(after - before) >= _SAME:
                text = second.text or first.text
                yield ChangedQuestion(first.id, first.language, text, before, after)
