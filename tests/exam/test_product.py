"""The exam by command, with a server's model, and what the product makes of it."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sovereign_rag.access import local_owner
from sovereign_rag.answering.request import AnswerRequest
from sovereign_rag.cli import run_arguments
from sovereign_rag.domain import Answer
from sovereign_rag.embedding.dense import DenseEmbedder
from sovereign_rag.evaluation.datasets import CorpusDocument
from sovereign_rag.evaluation.scratch import ScratchIndex
from sovereign_rag.exam.question_set import the_paper
from sovereign_rag.exam.result import ExamResult
from sovereign_rag.exam.results_file import Exams
from sovereign_rag.exam.run import examine
from sovereign_rag.models import bundled
from sovereign_rag.settings import Settings, load_settings
from sovereign_rag.wiring import open_service
from tests.compliance import page
from tests.exam.scripted import asked, examined, result_of
from tests.generation.endpoint.upstream import Upstream, stalls, talks

NOTICE = CorpusDocument(
    "notice", "Notice", "The notice period for employees is three months.", "en"
)


def knows(handler: Any, upstream: Upstream) -> None:
    """A good model: it answers each question of the exam, and says so where it can't."""
    question = asked(handler.body["messages"][-1]["content"])
    talks(question.example or "NOT FOUND")(handler, upstream)


def knows_after(release: threading.Event) -> Callable[[Any, Upstream], None]:
    def line(handler: Any, upstream: Upstream) -> None:
        assert release.wait(300)
        knows(handler, upstream)

    return line


def configured(folder: Path, server: Upstream) -> Path:
    """A settings file with the server, over models of its own but the embedding one."""
    embedding = bundled.multilingual_e5_small(load_settings().models_dir)
    config = folder / "settings.toml"
    config.write_text(
        f'models_dir = "{folder / "models"}"\n[embedding]\nmodel = "{embedding}"\n'
        f'[generation.endpoint]\nurls = ["{server.url}"]\nallow = ["127.0.0.1"]\n'
        'model = "small"\nretries = 0\nsilence_timeout_s = 300\nfirst_token_timeout_s = 300\n',
        encoding="utf-8",
    )
    return config


def exam_command(config: Path, folder: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "sovereign_rag.cli", "models", "exam", "--json"),
            *("--config", str(config), "--data-dir", str(folder / "data")),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )


@dataclass(frozen=True)
class Sat:
    """An exam that two processes wanted at the same time."""

    config: Path
    folder: Path
    server: Upstream
    printed: dict[str, Any]  # by the one
    taken: ExamResult  # by the other


@pytest.fixture(scope="module")
def sat(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sat]:
    folder = tmp_path_factory.mktemp("exam")
    release, waits = threading.Event(), threading.Event()
    server = Upstream(knows_after(release), knows)
    config = configured(folder, server)
    settings = load_settings(config=config, overrides={"data_dir": folder / "data"})
    taken: list[ExamResult] = []
    other = threading.Thread(target=lambda: taken.append(examine(settings, on_wait=waits.set)))
    with exam_command(config, folder) as first:
        try:
            assert server.arrived.acquire(timeout=300), "the first never asked"
            other.start()
            assert waits.wait(300), "the other did not see the first"
            release.set()
            out, err = first.communicate(timeout=600)
        finally:
            release.set()
            first.kill()
    other.join(300)
    assert first.returncode == 0, err
    yield Sat(config, folder, server, json.loads(out)["exam"], taken[0])
    server.close()


@pytest.mark.model
def test_a_good_model_answers_all_and_the_passages_what_stands_in_a_sentence(sat: Sat) -> None:
    whole = sat.printed
    unanswerable = sum(not question.answers for question in the_paper().questions)

    assert whole["trusted"]
    assert (whole["questions"], whole["right"], whole["refused"]) == (25, 25, unanswerable)
    # Extracts refuse nothing here: five questions that nothing answers are a model's alone.
    assert 17 <= whole["extracts_right"] <= whole["questions"] - unanswerable
    assert all(language["trusted"] for language in whole["languages"].values())
    assert whole["completion_tokens"] > 0
    assert whole["seconds"] > 0


@pytest.mark.model
def test_of_two_processes_one_sits_the_exam_and_both_have_its_result(sat: Sat) -> None:
    assert len(sat.server.bodies) == len(the_paper().questions)
    assert sat.taken.taken == sat.printed["taken"]
    assert sat.taken.score().right == sat.printed["right"]


@pytest.mark.model
def test_the_result_is_kept_and_told_by_the_command_and_doctor(
    sat: Sat, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--config", str(sat.config), "--data-dir", str(sat.folder / "data")]
    before = len(sat.server.bodies)

    code = run_arguments(["models", "exam", *options])
    shown = capsys.readouterr()
    run_arguments(["doctor", "--json", *options])
    checks = json.loads(capsys.readouterr().out)["checks"]

    assert code == 0
    assert len(sat.server.bodies) == before
    rows = [line.split() for line in shown.out.splitlines()]
    assert [row[0] for row in rows if row and row[-1] == "words"] == [
        *("fr", "de", "en", "es", "it", "all"),
    ]
    assert "its own words" in shown.err
    columns = page.TOOL["same"](shown.out).splitlines()[0]
    assert columns == page.shown("sovereign-rag models exam")[0]
    told = {check["check"]: check["detail"] for check in checks}["answers"]
    assert told.startswith("the model's words: in its exam 25 of 25 right")


@pytest.mark.model
def test_the_list_of_models_tells_what_each_one_s_exam_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    embedding = bundled.multilingual_e5_small(load_settings().models_dir)
    config = tmp_path / "settings.toml"
    config.write_text(
        f'models_dir = "{tmp_path / "models"}"\n[embedding]\nmodel = "{embedding}"\n',
        encoding="utf-8",
    )
    options = ["--config", str(config), "--data-dir", str(tmp_path / "data")]

    run_arguments(["models", "list", *options])
    before = capsys.readouterr().out
    examined(load_settings(config=config), result_of(1, 3), sha256=bundled.SMOLLM2_SHA256)
    run_arguments(["models", "list", *options])
    after = capsys.readouterr().out
    run_arguments(["models", "list", "--json", *options])
    listed = json.loads(capsys.readouterr().out)["models"]

    assert "not examined" in before
    assert "5 of 25 right, the passages' best sentences 15" in after
    exams = {model["role"]: model["exam"] for model in listed}
    assert exams["embedding"] is None
    assert (exams["generation"]["right"], exams["generation"]["trusted"]) == (5, False)


@pytest.mark.model
def test_an_exam_that_is_killed_in_the_middle_leaves_nothing_half(tmp_path: Path) -> None:
    server = Upstream(knows, stalls("The notice "))
    config = configured(tmp_path, server)

    with exam_command(config, tmp_path) as command:
        for _ in range(2):
            assert server.arrived.acquire(timeout=300)
        os.kill(command.pid, signal.SIGKILL)
        command.communicate(timeout=60)
    server.close()

    models = tmp_path / "models"
    assert not (models / "exams.json").exists()
    assert not list(models.glob(".exams.json-*"))
    (lock,) = models.glob(".exam-*.lock")
    key = lock.name.removeprefix(".exam-").removesuffix(".lock")
    with Exams(models).alone(key, wait=False) as free:
        assert free


@dataclass(frozen=True)
class Told:
    answer: Answer
    asked: int  # of the server


@pytest.fixture
def answered(
    product_settings: Callable[..., Settings], embedder: DenseEmbedder, tmp_path: Path
) -> Callable[..., Told]:
    """What a product answers whose server's model had this result in its exam."""

    def answer(result: ExamResult | None, **more: object) -> Told:
        server = Upstream(talks("The notice period for employees is three months."))
        endpoint = {"urls": [server.url], "allow": ["127.0.0.1"], "model": "small"}
        settings = product_settings(
            models_dir=tmp_path / "models", generation={"endpoint": endpoint}, **more
        )
        if result is not None:
            examined(settings, result, sha256="")
        try:
            with open_service(settings, embedder=embedder) as service:
                ScratchIndex(service).add([NOTICE])
                told = service.answers.answer(
                    AnswerRequest("What is the notice period?", local_owner())
                )
        finally:
            server.close()
        return Told(told, len(server.bodies))

    return answer


def test_the_default_answers_with_what_was_better_in_the_exam_and_says_so(
    answered: Callable[..., Told],
) -> None:
    good, bad = answered(result_of(4, 3)), answered(result_of(2, 3))

    assert (good.answer.kind.value, good.asked) == ("generated", 1)
    assert "Of the 25 questions of its exam it answered 20 right" in good.answer.notice
    assert (bad.answer.kind.value, bad.asked) == ("extracts", 0)
    assert "of the 25 questions of its exam, small answered 10 right" in bad.answer.notice


def test_in_a_language_where_the_model_fell_behind_the_passages_answer(
    answered: Callable[..., Told],
) -> None:
    told = answered(result_of(5, 3, en=(0, 3)))

    assert told.answer.kind.value == "extracts"
    assert "of the 5 questions of its exam, small answered 0 right" in told.answer.notice


def test_without_an_exam_the_admin_s_word_holds_for_a_server_s_model(
    answered: Callable[..., Told],
) -> None:
    told = answered(None)

    assert (told.answer.kind.value, told.asked) == ("generated", 1)
    assert "exam" not in told.answer.notice


@pytest.mark.parametrize(("kind", "right"), [("generated", 0), ("extracts", 5)])
def test_the_setting_holds_whatever_the_exam_says(
    answered: Callable[..., Told], kind: str, right: int
) -> None:
    told = answered(result_of(right, 3), answer={"kind": kind})

    assert told.answer.kind.value == kind
    assert ("rely on the quotes alone" in told.answer.notice) is (kind == "generated")
