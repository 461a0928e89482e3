"""Two evaluations are paired question by question, judged, shown, and stand as a gate."""

import importlib
import itertools
import json
import math
import re
from collections.abc import Mapping, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sovereign_rag.cli import run_arguments
from sovereign_rag.domain import Chunk, PageSpan, Passage
from sovereign_rag.errors import BadInput
from sovereign_rag.evaluation.compare import Comparison, compare
from sovereign_rag.evaluation.measures import RANKING_MEASURES
from sovereign_rag.evaluation.page import comparison_page
from sovereign_rag.evaluation.runs import read_run
from sovereign_rag.evaluation.significance import bootstrap_interval, randomisation_p

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"

Row = dict[str, object]


def _query(id_: str, value: float, language: str = "de", text: str | None = None) -> Row:
    values = dict.fromkeys(RANKING_MEASURES, value)
    asked = f"question {id_}" if text is None else text
    return {"id": id_, "language": language, "text": asked, "values": values, "ms": 10.0}


def _answer(id_: str, **rest: object) -> Row:
    known: Row = {"id": id_, "language": "fr", "answerable": True, "abstained": False}
    known |= {"contains": True, "f1": 0.5, "quotes_marked": 1, "quotes_true": 1, "ms": 5.0}
    return known | {"text": f"question {id_}"} | rest


def _retrieval(path: Path, rows: Sequence[Row], **rest: object) -> Path:
    facts: Row = {"set_name": "handbook", "mode": "hybrid", "model": "small", "documents": 9}
    path.write_text(json.dumps(facts | rest | {"results": rows}), encoding="utf-8")
    return path


def _answers(path: Path, rows: Sequence[Row]) -> Path:
    facts: Row = {"name": "handbook", "mode": None, "kind": "extracts"}
    path.write_text(json.dumps(facts | {"results": rows}), encoding="utf-8")
    return path


def _compared(folder: Path, before: Sequence[Row], after: Sequence[Row]) -> Comparison:
    return compare(
        read_run(_retrieval(folder / "a.json", before)),
        read_run(_retrieval(folder / "b.json", after)),
    )


# How sure a difference is


def test_few_differences_are_tried_in_every_combination_of_signs() -> None:
    differences = np.array([0.3, 0.1, -0.2, 0.5, 0.0])
    changed = [0.3, 0.1, 0.2, 0.5]
    as_far = sum(
        abs(sum(s * d for s, d in zip(signs, changed, strict=True))) >= 0.7 - 1e-9
        for signs in itertools.product((-1, 1), repeat=4)
    )

    assert randomisation_p(differences) == as_far / 16


def test_many_questions_that_all_got_better_are_hardly_chance_and_a_mix_is() -> None:
    random = np.random.default_rng(1)
    better = random.uniform(0.0, 0.2, 200)
    mixed = random.normal(0.0, 0.2, 200)
    mixed -= mixed.mean()

    assert randomisation_p(better) == 1 / 10_001
    assert randomisation_p(mixed) > 0.9
    assert randomisation_p(np.zeros(200)) == 1.0


def test_p_is_near_that_of_the_normal_distribution_where_there_are_many_questions() -> None:
    differences = np.random.default_rng(2).normal(0.01, 0.1, 400)
    z = abs(differences.sum()) / math.sqrt((differences**2).sum())

    assert randomisation_p(differences) == pytest.approx(math.erfc(z / math.sqrt(2)), abs=0.02)


def test_the_interval_is_near_that_of_the_normal_distribution() -> None:
    differences = np.random.default_rng(3).normal(0.05, 0.1, 400)
    half = 1.96 * differences.std() / math.sqrt(400)

    low, high = bootstrap_interval(differences)

    assert (low, high) == pytest.approx(
        (differences.mean() - half, differences.mean() + half), abs=0.002
    )


def test_the_same_runs_give_the_same_figures_each_time() -> None:
    differences = np.random.default_rng(4).normal(0.01, 0.1, 60)

    assert randomisation_p(differences) == randomisation_p(differences)
    assert bootstrap_interval(differences) == bootstrap_interval(differences)


# Pairing


def test_questions_are_paired_by_id_whatever_their_order(tmp_path: Path) -> None:
    before = [_query("q1", 1.0), _query("q2", 0.5), _query("q3", 0.2), _query("q4", 0.4, "fr")]
    after = [_query("q4", 0.4, "fr"), _query("q3", 0.7), _query("q2", 0.4), _query("q1", 0.0)]

    found = _compared(tmp_path, before, after)

    deciding = found.deciding
    assert (deciding.measure, deciding.questions) == ("nDCG@10", 4)
    assert (deciding.before, deciding.after) == pytest.approx((0.525, 0.375))
    assert deciding.difference == pytest.approx(-0.15)
    assert (deciding.wins, deciding.losses, deciding.ties) == (1, 2, 1)
    assert [(c.id, c.before, c.after) for c in found.regressions] == [
        ("q1", 1.0, 0.0),
        ("q2", 0.5, 0.4),
    ]
    assert [c.id for c in found.improvements] == ["q3"]
    assert [(row.language, row.questions) for row in found.by_language] == [("de", 3), ("fr", 1)]


def test_a_run_compared_with_itself_shows_no_difference(tmp_path: Path) -> None:
    rows = [_query(f"q{n}", n / 10) for n in range(10)]

    found = _compared(tmp_path, rows, rows)

    assert (found.deciding.difference, found.deciding.p, found.deciding.ties) == (0.0, 1.0, 10)
    assert (found.deciding.low, found.deciding.high) == (0.0, 0.0)
    assert found.regressions == found.improvements == ()


def test_answers_are_right_when_they_hold_the_answer_or_refuse_where_there_is_none(
    tmp_path: Path,
) -> None:
    nothing: Row = {"answerable": False, "contains": False, "f1": 0.0, "quotes_marked": 0}
    before = [
        _answer("held"),
        _answer("lost", contains=False),
        _answer("refused", abstained=True, **nothing),
        _answer("invented", abstained=False, **nothing),
    ]
    after = [before[0], _answer("lost"), before[2] | {"abstained": False}, before[3]]

    found = compare(
        read_run(_answers(tmp_path / "a.json", before)),
        read_run(_answers(tmp_path / "b.json", after)),
    )

    rows = {row.measure: row for row in found.overall}
    assert found.measure == "right"
    assert (rows["right"].before, rows["right"].after) == (0.5, 0.5)
    assert (rows["containment"].questions, rows["containment"].difference) == (2, 0.5)
    assert (rows["refused"].questions, rows["refused"].difference) == (2, -0.5)
    assert [c.id for c in found.regressions] == ["refused"]


def test_what_differs_between_the_runs_settings_is_told(tmp_path: Path) -> None:
    rows = [_query("q1", 1.0)]
    settings = {"retrieval": {"mode": "hybrid", "dense_weight": 5.0}}
    other = {"retrieval": {"mode": "hybrid", "dense_weight": 3.0}}
    first = _retrieval(tmp_path / "a.json", rows, settings=settings, model="small")
    second = _retrieval(tmp_path / "b.json", rows, settings=other, model="large")

    found = compare(read_run(first), read_run(second))

    assert found.changed_settings == {
        "model": ("small", "large"),
        "retrieval.dense_weight": ("5.0", "3.0"),
    }


@pytest.mark.parametrize(
    ("rows", "facts", "said"),
    [
        ([_query("q9", 1.0)], {}, "no question in common"),
        ([_query("q1", 1.0, text="something else")], {}, "two different questions"),
        ([_query("q1", 1.0)], {"set_name": "other"}, "about handbook, .* about other"),
        ([_query("q1", 1.0), _query("q1", 0.0)], {}, "id twice"),
        ([_query("q1", 1.5)], {}, "not a result file"),
        ([_query("q1", math.nan)], {}, "not a result file"),
        ([], {}, "holds no results"),
    ],
)
def test_runs_that_can_t_be_paired_are_refused(
    tmp_path: Path, rows: Sequence[Row], facts: Mapping[str, Any], said: str
) -> None:
    first = _retrieval(tmp_path / "a.json", [_query("q1", 1.0)])
    second = _retrieval(tmp_path / "b.json", rows, **facts)

    with pytest.raises(BadInput, match=said):
        compare(read_run(first), read_run(second))


def test_answers_are_not_compared_with_searches(tmp_path: Path) -> None:
    first = _retrieval(tmp_path / "a.json", [_query("q1", 1.0)])
    second = _answers(tmp_path / "b.json", [_answer("q1")])

    with pytest.raises(BadInput, match="only runs of one kind"):
        compare(read_run(first), read_run(second))


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"set_name": "x", "results": [1]}', "\xff"])
def test_a_file_that_is_no_result_is_refused_with_what_writes_one(
    tmp_path: Path, content: str
) -> None:
    file = tmp_path / "a.json"
    file.write_text(content, encoding="latin-1")

    with pytest.raises(BadInput, match="eval retrieval --out FILE"):
        read_run(file)


def test_an_unknown_measure_is_answered_with_those_there_are(tmp_path: Path) -> None:
    run = read_run(_retrieval(tmp_path / "a.json", [_query("q1", 1.0)]))

    assert compare(run, run, measure="R@1").measure == "R@1"
    with pytest.raises(BadInput, match=r"nDCG@10, R@1, R@5"):
        compare(run, run, measure="accuracy")


# The page


class _Page(HTMLParser):
    """What a browser would load, and whether every element is closed."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.loads += [str(v) for name, v in attrs if name in ("src", "href", "data", "srcset")]
        if tag not in ("meta", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_stands_by_itself_and_shows_plots_figures_and_both_lists(tmp_path: Path) -> None:
    before = [_query("q1", 1.0), _query("q2", 0.25), _query("q3", 0.5, "fr")]
    after = [_query("q1", 0.125), _query("q2", 0.75), _query("q3", 0.5, "fr")]

    html = comparison_page(_compared(tmp_path, before, after))

    page = _Page(html)
    assert page.open == []
    assert page.loads == []
    assert "url(" not in html
    assert "@import" not in html
    assert not page.tags & {"script", "link", "iframe", "img", "object"}
    assert html.count("<svg") == 3  # measures, languages, questions
    assert "prefers-color-scheme: dark" in html
    regressions = html.partition("Regressions</h2>")[2].partition("Improvements</h2>")[0]
    assert re.search(r"question q1.*1\.000.*0\.125.*-0\.875", regressions, re.DOTALL)
    assert "question q2" not in regressions
    assert "question q2" in html.partition("Improvements</h2>")[2]


@pytest.mark.parametrize(
    ("questions", "said"), [(3, "No difference is shown"), (30, "B is better")]
)
def test_the_page_claims_a_difference_only_where_there_are_questions_enough(
    tmp_path: Path, questions: int, said: str
) -> None:
    before = [_query(f"q{n}", 0.5) for n in range(questions)]
    after = [_query(f"q{n}", 0.6) for n in range(questions)]

    html = comparison_page(_compared(tmp_path, before, after))

    assert said in html


def test_nothing_of_a_run_is_taken_for_markup(tmp_path: Path) -> None:
    hostile = '<script>alert("1")</script>'
    before = [_query("q1", 1.0, "<b>de", hostile), _query("q2", 0.5)]
    after = [_query("q1", 0.0, "<b>de", hostile), _query("q2", 0.5)]

    html = comparison_page(_compared(tmp_path, before, after))

    assert "script" not in _Page(html).tags
    assert "<b>de" not in html
    assert "&lt;script&gt;" in html


# The command


def _run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    capsys.readouterr()
    code = run_arguments(["eval", "compare", *arguments])
    out, err = capsys.readouterr()
    return code, out, err


@pytest.fixture
def two_runs(tmp_path: Path) -> tuple[str, str]:
    """The second one finds less: -0.02 on the whole, one question lost."""
    before = [_query(f"q{n}", 1.0) for n in range(50)]
    after = [_query("q0", 0.0), *before[1:]]
    return (
        str(_retrieval(tmp_path / "a.json", before)),
        str(_retrieval(tmp_path / "b.json", after)),
    )


@pytest.mark.parametrize(("least", "code"), [("-0.01", 8), ("-0.02", 0), ("-0.05", 0), ("0", 8)])
def test_a_gate_fails_when_a_run_loses_more_than_is_allowed(
    two_runs: tuple[str, str], capsys: pytest.CaptureFixture[str], least: str, code: int
) -> None:
    ended, out, err = _run(capsys, *two_runs, "--fail-below", least)

    assert ended == code
    assert "q0" in out  # shown either way
    assert ("fell below" in err) == (code == 8)


def test_without_a_gate_a_worse_run_is_a_result_like_any_other(
    two_runs: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.html"

    code, out, _ = _run(capsys, *two_runs, "--json", "--report", str(page))

    found = json.loads(out)
    assert code == 0
    assert (found["measure"], found["failed"]) == ("nDCG@10", False)
    assert found["deciding"]["difference"] == pytest.approx(-0.02)
    assert found["deciding"]["losses"] == 1
    assert [(c["id"], c["a"], c["b"]) for c in found["regressions"]] == [("q0", 1.0, 0.0)]
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")


def test_a_gate_is_not_passed_by_leaving_a_question_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = _retrieval(tmp_path / "a.json", [_query("q1", 1.0), _query("q2", 1.0)])
    second = _retrieval(tmp_path / "b.json", [_query("q1", 1.0)])

    gate, _, said = _run(capsys, str(first), str(second), "--fail-below", "-0.01")
    look, _, noted = _run(capsys, str(first), str(second))

    assert (gate, look) == (2, 0)
    assert "q2" in said
    assert "in A only: 1" in noted


# The peer of benchmarks/retrieval.py


def test_the_peer_s_scores_are_stretched_and_halved(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    peer = importlib.import_module("retrieval")
    dense = [_passage("a", 0.9), _passage("b", 0.8), _passage("c", 0.7)]
    lexical = [_passage("c", 12.0), _passage("d", 6.0), _passage("a", 2.0)]

    fused = peer.fuse(dense, lexical)

    scores = {p.chunk.document_id: p.score for p in fused}
    assert scores == pytest.approx({"a": 0.5, "c": 0.5, "b": 0.25, "d": 0.2})
    assert peer.fuse(dense, []) == dense
    assert peer.fuse([], lexical) == lexical


def _passage(document: str, score: float) -> Passage:
    chunk = Chunk(document, "v", 0, document, (PageSpan(1, 0, 1),))
    return Passage(chunk, document, f"labelled:{document}", False, score, {})
