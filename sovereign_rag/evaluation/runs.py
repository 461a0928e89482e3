"""A result file on disk -> a run: what every question scored.

The files are what `eval retrieval --out` and `eval answers --out` write.
"""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from sovereign_rag.errors import BadInput
from sovereign_rag.evaluation.measures import RANKING_MEASURES

RunKind = Literal["retrieval", "answers"]

MEASURES: Final[Mapping[RunKind, tuple[str, ...]]] = {
    "retrieval": RANKING_MEASURES,
    "answers": ("right", "containment", "f1", "answered", "refused", "found", "verified"),
}
"""What the questions of a run are measured by; the first one decides unless another is named.

`right` is 1 where an answerable question's answer holds a labelled one, or where a question that
nothing answers was refused. The others are those of the reports' tables.
"""

_SETTINGS = "settings"
_NOT_OF_THE_RUN = frozenset({"results", "table", _SETTINGS})


@dataclass(frozen=True, slots=True)
class Scored:
    """What one question scored; a measure that doesn't apply to it is left out."""

    id: str
    language: str
    text: str  # empty where the file doesn't hold it
    values: Mapping[str, float]  # by measure, each in [0, 1]
    ms: float


@dataclass(frozen=True, slots=True)
class EvaluationRun:
    """One result file."""

    path: Path
    kind: RunKind
    set_name: str
    facts: Mapping[str, str]  # mode, model and the like
    settings: Mapping[str, str]  # by dotted name; empty where the file doesn't hold them
    questions: Mapping[str, Scored]  # by id


def read_run(path: Path) -> EvaluationRun:
    """Read a result file.

    Raises:
        BadInput: It can't be read, or isn't one.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadInput(f"Could not read {path}: {error.strerror or error}.") from error
    except ValueError as error:  # not UTF-8, or not JSON
        raise _no_run(path) from error
    if not isinstance(content, dict):
        raise _no_run(path)
    try:
        rows = content["results"]
        kind: RunKind = "retrieval" if "set_name" in content else "answers"
        scored = [_of_retrieval(row) if kind == "retrieval" else _of_answers(row) for row in rows]
        set_name = str(content["set_name" if kind == "retrieval" else "name"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise _no_run(path) from error
    questions = {question.id: question for question in scored}
    if not questions:
        raise BadInput(f"{path} holds no results: nothing was asked in that run.")
    if len(questions) < len(scored):
        raise BadInput(f"{path} holds a question id twice: its questions can't be paired.")
    settings = content.get(_SETTINGS, {})
    return EvaluationRun(
        path=path,
        kind=kind,
        set_name=set_name,
        facts={k: str(v) for k, v in content.items() if k not in _NOT_OF_THE_RUN and v is not None},
        settings=flattened(settings) if isinstance(settings, dict) else {},
        questions=questions,
    )


def flattened(tree: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Nested settings by dotted name, each value as JSON."""
    flat: dict[str, str] = {}
    for name, value in tree.items():
        if isinstance(value, dict):
            flat |= flattened(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = json.dumps(value, ensure_ascii=False)
    return flat


def _of_retrieval(row: Mapping[str, Any]) -> Scored:
    values = {measure: _share(row["values"][measure]) for measure in RANKING_MEASURES}
    return _scored(row, values)


def _of_answers(row: Mapping[str, Any]) -> Scored:
    refused = float(bool(row["abstained"]))
    if row["answerable"]:
        values = {"answered": 1 - refused}
        if row["contains"] is not None:
            contains = float(bool(row["contains"]))
            values |= {"right": contains, "containment": contains, "f1": _share(row["f1"])}
    else:
        values = {"right": refused, "refused": refused}
    if row.get("found") is not None:
        values["found"] = float(bool(row["found"]))
    if row["quotes_marked"]:
        values["verified"] = _share(row["quotes_true"] / row["quotes_marked"])
    return _scored(row, values)


def _scored(row: Mapping[str, Any], values: Mapping[str, float]) -> Scored:
    return Scored(
        str(row["id"]), str(row["language"]), str(row.get("text", "")), values, float(row["ms"])
    )


def _share(value: object) -> float:
    number = float(value)  # type: ignore[arg-type]  # a TypeError is what the caller expects
    if not (math.isfinite(number) and 0 <= number <= 1):
        raise ValueError(f"{value} is not in [0, 1]")
    return number


def _no_run(path: Path) -> BadInput:
    return BadInput(
        f"{path} is not a result file. `sovereign-rag eval retrieval --out FILE` and "
        "`eval answers --out FILE` write one."
    )
