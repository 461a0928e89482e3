"""Tesseract's data is held to the hash that it had first, until another one is accepted."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from sovereign_rag.models.recognition import RecognitionGuard, recognition_entries
from sovereign_rag.models.recognition_record import RecognitionRecord
from sovereign_rag.settings import ParseSettings, Settings, load_settings
from sovereign_rag.system.tesseract import installed_recogniser
from tests.cli.running import CommandLine


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """English and the data that tells how a page lies, in a folder of the test's."""
    installed = installed_recogniser().folder
    assert installed is not None
    folder = tmp_path / "tessdata"
    folder.mkdir()
    for name in ("eng", "osd"):
        shutil.copyfile(installed / f"{name}.traineddata", folder / f"{name}.traineddata")
    monkeypatch.setenv("TESSDATA_PREFIX", str(folder))
    return folder


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    own = {"models_dir": tmp_path / "models", "parse": ParseSettings(ocr_languages="eng")}
    return load_settings(overrides=own)


def rewritten(file: Path) -> bytes:
    """One byte of a file is another one, its size and time as before; returns what it was."""
    before, stat = file.read_bytes(), file.stat()
    file.write_bytes(bytes([before[0] ^ 1]) + before[1:])
    os.utime(file, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    return before


def test_a_changed_file_is_refused_and_the_one_of_before_is_not(
    data: Path, settings: Settings
) -> None:
    guard = RecognitionGuard(settings)

    first = guard.refusal()
    before = rewritten(data / "eng.traineddata")
    changed = guard.refusal()
    of_a_new_process = RecognitionGuard(settings).refusal()
    states = {one.name: one.state for one in recognition_entries(settings, fresh=True)}
    (data / "eng.traineddata").write_bytes(before)

    assert first == ""
    assert f"data eng in {data} changed" in changed
    assert "models accept-recogniser" in changed
    assert of_a_new_process == changed
    assert states == {"tesseract-eng": "mismatch", "tesseract-osd": "ok"}
    assert guard.refusal() == ""


def test_one_command_accepts_an_upgrade_on_record_and_a_running_service_follows(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOVEREIGN_RAG_MODELS_DIR", str(tmp_path / "models"))
    monkeypatch.setenv("SOVEREIGN_RAG_PARSE__OCR_LANGUAGES", "eng")
    cli, guard = CommandLine(tmp_path / "data", capsys), RecognitionGuard(load_settings())

    guard.refusal()
    (before,) = [e.sha256 for e in recognition_entries(load_settings()) if "eng" in e.name]
    rewritten(data / "eng.traineddata")
    refused = guard.refusal()
    accepted = cli("models", "accept-recogniser", "--json").json["accepted"]
    again = cli("models", "accept-recogniser")

    assert (refused != "", guard.refusal()) == (True, "")
    assert (list(accepted), accepted["eng"]["before"]) == (["eng"], before)
    assert "Nothing to accept" in again.err
    told = cli("audit", "show", "--json").json["entries"]
    kept = [(one["action"], one["detail"]["files"]) for one in told]
    assert kept == [
        ("models.accept_recogniser", accepted),
        ("models.accept_recogniser.done", accepted),
    ]


def a_broken_record(models_dir: Path) -> None:
    RecognitionRecord(models_dir).path.write_text("{", encoding="utf-8")


def no_record(models_dir: Path) -> None:
    RecognitionRecord(models_dir).path.unlink()


@pytest.mark.parametrize(("harm", "is_refused"), [(a_broken_record, True), (no_record, False)])
def test_a_record_that_cannot_be_read_is_not_taken_for_an_empty_one(
    data: Path, settings: Settings, harm: Callable[[Path], None], is_refused: bool
) -> None:
    RecognitionGuard(settings).refusal()

    harm(settings.models_dir)

    assert ("can't be read" in RecognitionGuard(settings).refusal()) == is_refused


def test_recognition_that_is_off_is_not_looked_at(data: Path, tmp_path: Path) -> None:
    off = load_settings(overrides={"models_dir": tmp_path, "parse": ParseSettings(ocr=False)})

    assert RecognitionGuard(off).refusal() == ""
    assert not RecognitionRecord(tmp_path).path.exists()
