"""Advisories that were brought in by hand are held against what is locked, without a network."""

import importlib.util
import json
import sys
import zipfile
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.project.imports import ROOT


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    place = ROOT / "tools" / "check_advisories.py"
    spec = importlib.util.spec_from_file_location("check_advisories", place)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["check_advisories"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def advisory(name: str = "tea-pot", ecosystem: str = "PyPI", **affected: Any) -> dict[str, Any]:
    return {
        "id": "MADE-UP-1",
        "modified": "2026-04-01T10:00:00Z",
        "summary": "A pot that pours by itself",
        "affected": [{"package": {"ecosystem": ecosystem, "name": name}, **affected}],
    }


def span(*events: dict[str, str]) -> list[dict[str, Any]]:
    return [{"type": "ECOSYSTEM", "events": list(events)}]


FIXED = span({"introduced": "1.2"}, {"fixed": "1.4"})
TWICE = span({"introduced": "0"}, {"fixed": "1.1"}, {"introduced": "2.0"}, {"fixed": "2.1"})


@pytest.mark.parametrize(
    ("version", "affected", "is_found"),
    [
        ("1.2", {"ranges": FIXED}, True),
        ("1.3.9+cpu", {"ranges": FIXED}, True),
        ("1.4", {"ranges": FIXED}, False),
        ("1.10", {"ranges": FIXED}, False),
        ("1.1.9", {"ranges": FIXED}, False),
        ("1.0", {"ranges": TWICE}, True),
        ("1.5", {"ranges": TWICE}, False),
        ("2.0.3", {"ranges": TWICE}, True),
        ("1.5", {"ranges": span({"introduced": "0"}, {"last_affected": "1.5"})}, True),
        ("1.6", {"ranges": span({"introduced": "0"}, {"last_affected": "1.5"})}, False),
        ("1.6", {"versions": ["1.6"]}, True),
        ("1.7", {"versions": ["1.6"]}, False),
        ("1.7", {}, True),
        ("1.7", {"ranges": span({"introduced": "the beginning"})}, True),
    ],
)
def test_a_version_is_found_where_the_advisory_names_it(
    tool: ModuleType, version: str, affected: dict[str, Any], is_found: bool
) -> None:
    report = tool.check({"tea-pot": version}, [advisory("Tea_Pot", **affected)])

    assert bool(report.findings) is is_found


def test_what_was_withdrawn_and_what_is_about_others_is_no_finding(tool: ModuleType) -> None:
    known = [
        {**advisory(), "withdrawn": "2026-04-02T10:00:00Z"},
        advisory(ecosystem="npm"),
        advisory("coffee-pot"),
    ]

    assert tool.check({"tea-pot": "1.0"}, known).findings == ()


@pytest.mark.parametrize("packed", [False, True], ids=["folder", "zip"])
def test_every_locked_package_is_looked_up(
    tool: ModuleType,
    packed: bool,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    version = tool.locked(ROOT / "requirements.lock")["pypdfium2"]
    ranges = span({"introduced": "0"}, {"last_affected": version})
    (tmp_path / "one.json").write_text(json.dumps(advisory("PyPDFium2", ranges=ranges)))
    (tmp_path / "two.json").write_text(json.dumps(advisory(ranges=FIXED)))
    database = tmp_path
    if packed:
        database = tmp_path / "all.zip"
        with zipfile.ZipFile(database, "w") as archive:
            for name in ("one.json", "two.json"):
                archive.write(tmp_path / name, name)
    monkeypatch.setattr(sys, "argv", ["check_advisories.py", str(database)])

    code, told = tool.main(), capsys.readouterr().out

    assert code == 1
    assert f"pypdfium2 {version}: MADE-UP-1: A pot that pours by itself (no version" in told
    assert "1 weaknesses known" in told
    assert "2 advisories, the newest of 2026-04-01" in told


@pytest.mark.parametrize("content", [None, "", "{", json.dumps(advisory(ecosystem="npm"))])
def test_a_database_that_tells_nothing_is_no_clean_bill(
    tool: ModuleType,
    content: str | None,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if content:
        (tmp_path / "one.json").write_text(content)
    database = tmp_path if content is not None else tmp_path / "missing.zip"
    monkeypatch.setattr(sys, "argv", ["check_advisories.py", str(database)])

    assert tool.main() == 2
    assert "error: " in capsys.readouterr().err
