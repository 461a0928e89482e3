"""Risk against coverage: what each setting of the point of refusal would have given."""

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from sovereign_rag.errors import BadInput
from sovereign_rag.evaluation.abstention import (
    ALL,
    Judged,
    curve,
    curves,
    read_judged,
    reliability,
)
from sovereign_rag.evaluation.curve_plot import risk_against_coverage
from tests.cli.running import CommandLine

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def judged(confidence: float, *, answerable: bool, language: str = "fr") -> Judged:
    return Judged("laws", language, answerable, confidence, {"score": 7.0})


MIXED = [
    *(judged(confidence, answerable=True) for confidence in (0.9, 0.8, 0.6, 0.4)),
    *(judged(confidence, answerable=False) for confidence in (0.7, 0.3, 0.2, 0.1)),
]


def run_file(path: Path, rows: list[dict[str, object]]) -> Path:
    path.write_text(json.dumps({"name": path.stem, "results": rows}), encoding="utf-8")
    return path


def row(confidence: float, *, answerable: bool, **rest: object) -> dict[str, object]:
    known: dict[str, object] = {"id": str(confidence), "language": "fr", "answerable": answerable}
    return known | {"confidence": confidence, "signals": {"score": 5 + confidence}} | rest


def test_each_point_tells_what_is_answered_rightly_and_wrongly() -> None:
    drawn = curve("laws", MIXED)

    everything, at_half, nothing = drawn.at(0.0), drawn.at(0.5), drawn.at(1.0)

    assert (everything.coverage, everything.risk) == (1.0, 1.0)
    assert (at_half.coverage, at_half.risk) == (0.75, 0.25)
    assert (nothing.coverage, nothing.risk) == (0.0, 0.0)


def test_the_point_within_a_risk_is_the_one_that_answers_most() -> None:
    drawn = curve("laws", MIXED)

    assert drawn.within(0.25).confidence == 0.4
    assert drawn.within(0.25).coverage == 1.0
    assert drawn.within(0.0).coverage == 0.5


def test_separation_is_one_for_kinds_that_never_mix_and_half_by_chance() -> None:
    apart = [judged(0.9, answerable=True), judged(0.1, answerable=False)]
    alike = [judged(0.5, answerable=True), judged(0.5, answerable=False)]

    assert curve("laws", apart).separation == 1.0
    assert curve("laws", alike).separation == 0.5
    assert curve("laws", apart[:1]).separation is None


def test_every_set_and_language_has_a_curve_and_all_together_one() -> None:
    drawn = curves([*MIXED, judged(0.5, answerable=True, language="de")])

    assert [each.name for each in drawn] == ["laws, de", "laws, fr", ALL]
    assert (drawn[-1].answerable, drawn[-1].unanswerable) == (5, 4)
    with pytest.raises(BadInput):
        curves([])


def test_reliability_holds_confidence_against_what_was_so() -> None:
    told = list(reliability(MIXED))

    low, mean, share, questions = told[-1]
    assert sum(count for _, _, _, count in told) == len(MIXED)
    assert (low, share, questions) == (0.8, 1.0, 2)
    assert mean == pytest.approx(0.85)


def test_the_plot_stands_by_itself_and_shows_each_curve() -> None:
    picture = risk_against_coverage(curves(MIXED), points=(0.75, 0.5))

    assert ElementTree.fromstring(picture).tag.endswith("svg")
    assert "laws, fr: 50% at 0%, near 75% at 25%" in picture
    assert "http" not in picture.replace("http://www.w3.org/2000/svg", "")


def test_a_file_without_confidences_is_refused_and_one_with_them_is_read(tmp_path: Path) -> None:
    right = run_file(tmp_path / "right.json", [row(0.7, answerable=True)])
    wrong = run_file(tmp_path / "wrong.json", [{"id": "a", "language": "fr", "answerable": True}])
    beyond = run_file(tmp_path / "beyond.json", [row(1.7, answerable=True)])

    assert read_judged(right)[0].confidence == 0.7
    for path in (wrong, beyond, tmp_path / "missing.json"):
        with pytest.raises(BadInput):
            read_judged(path)


def test_the_command_shows_the_points_and_draws_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [row(0.9, answerable=True), row(0.6, answerable=True), row(0.2, answerable=False)]
    run, plot = run_file(tmp_path / "laws.json", rows), tmp_path / "curve.svg"
    cli = CommandLine(tmp_path / "data", capsys)

    shown = cli("eval", "abstention", str(run), "--plot", str(plot))
    told = cli("eval", "abstention", str(run), "--json").json
    refused = cli("eval", "abstention", str(tmp_path / "none.json"))

    assert shown.code == 0
    assert "laws, fr" in shown.out
    assert plot.read_text("utf-8").startswith("<svg")
    assert told["all"]["now"] == {"confidence": 0.9, "coverage": 0.5, "risk": 0.0}
    assert told["all"]["near"] == {"confidence": 0.6, "coverage": 1.0, "risk": 0.0}
    assert refused.code == 2


def test_the_fit_is_printed_with_what_it_does_on_languages_left_out(tmp_path: Path) -> None:
    languages = ("fr", "de")
    rows = [
        row(0.5, answerable=kind, language=language, signals={"score": score, "across": 0.0})
        for language in languages
        for kind, scores in ((True, (7.4, 7.2, 6.9)), (False, (6.4, 6.6, 7.0)))
        for score in scores
    ]
    runs = [run_file(tmp_path / "laws.json", rows[:6]), run_file(tmp_path / "news.json", rows[6:])]

    done = subprocess.run(
        [sys.executable, str(BENCHMARKS / "abstention.py"), *map(str, runs)],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )

    assert "fitted to 12 questions, 6 of them answerable" in done.stdout
    assert '"score": Weight(6.917, ' in done.stdout  # as confidence.py holds it
    assert "laws, fr" in done.stdout
    assert "without lead" in done.stdout


def test_what_is_only_measured_and_what_was_not_found_are_not_fitted_to(tmp_path: Path) -> None:
    kinds = ((7.4, True), (7.2, True), (6.6, False), (6.4, False))
    rows = [
        row(0.5, answerable=kind, language=language, signals={"score": score, "across": 0.0})
        for language in ("fr", "de")
        for score, kind in kinds
    ]
    missed = row(0.5, answerable=True, signals={"score": 1.0, "across": 0.0}, found=False)
    laws = run_file(tmp_path / "laws.json", [*rows[:4], missed])
    rules = run_file(tmp_path / "rules.json", rows[4:])
    news = run_file(tmp_path / "news.json", rows[:4])
    command = [sys.executable, str(BENCHMARKS / "abstention.py"), str(laws), str(rules)]

    done = subprocess.run(
        [*command, "--measured", str(news)],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )

    assert "fitted to 8 questions, 4 of them answerable" in done.stdout
    assert "  news  " in done.stdout


# The check of quotes that shares no code with the product


def quote(
    text: str, start: int, *, document: str = "d1", verified: bool = True
) -> dict[str, object]:
    place = {"document": document, "page": 1, "start": start, "end": start + len(text)}
    return place | {"quote": text, "verified": verified}


@pytest.mark.parametrize(
    ("quotes", "stands"),
    [
        ([quote("second line", 12)], True),  # a blank line stands between the lines
        ([quote("second line", 11)], False),  # one character off its place
        ([quote("second lines", 12)], False),  # not in the document
        ([quote("second line", 12, document="d2")], False),  # in another one
        ([quote("second line", 12), quote("made up", 0, verified=False)], True),  # marked as such
        ([quote("made up", 0, verified=False)], False),  # nothing is shown by no quote
    ],
)
def test_quotes_are_looked_up_again_in_the_sources(
    tmp_path: Path, quotes: list[dict[str, object]], stands: bool
) -> None:
    corpus = tmp_path / "set"
    corpus.mkdir()
    texts = {"d1": "first line\n \nsecond line", "d2": "another text altogether"}
    lines = "\n".join(json.dumps({"id": id_, "text": text}) for id_, text in texts.items())
    (corpus / "corpus.jsonl").write_text(lines, encoding="utf-8")
    run = run_file(tmp_path / "run.json", [{"citations": quotes}])
    command = [sys.executable, str(BENCHMARKS / "verify_quotes.py"), str(run)]

    done = subprocess.run(
        [*command, "--source", str(corpus)], capture_output=True, text=True, timeout=60, check=False
    )

    assert (done.returncode == 0) is stands
