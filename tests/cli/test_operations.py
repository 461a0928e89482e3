"""Jobs, keys, models, the audit and the doctor on the command line."""

import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from tests.cli.running import CommandLine


def test_a_job_is_listed_and_shown_with_what_became_of_each_document(
    reading: CommandLine, filled: tuple[Path, dict[str, Any]]
) -> None:
    jobs = reading("jobs", "list", "--json").json["jobs"]
    job = reading("jobs", "show", filled[1]["job_id"], "--json").json

    assert filled[1]["job_id"] in {listed["job_id"] for listed in jobs}
    assert (job["total"], job["done"]) == (4, 4)
    assert {task["state"] for task in job["tasks"]} == {"indexed", "failed"}
    assert "broken.pdf" in reading("jobs", "show", filled[1]["job_id"]).out


def test_failed_documents_wait_again_after_a_retry(
    filled: tuple[Path, dict[str, Any]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(filled[0], tmp_path / "data", ignore=shutil.ignore_patterns("vectors"))
    cli = CommandLine(tmp_path / "data", capsys)

    jobs = cli("jobs", "list", "--json").json["jobs"]
    # The newest: a document that was handed in again since stays as it is.
    id_ = next(job["job_id"] for job in jobs if job["counts"].get("failed"))

    retried = cli("jobs", "retry", id_, "--json").json
    cancelled = cli("jobs", "cancel", id_, "--json").json

    assert retried["total"] - retried["done"] == 1
    assert cancelled["cancelled"] is True
    assert cancelled["counts"]["cancelled"] == 1


def test_a_key_is_printed_once_listed_without_its_secret_and_revoked(cli: CommandLine) -> None:
    created = cli("keys", "create", "--user", "ana", "--groups", "hr,finance", "--json").json
    plain = cli("keys", "create", "--user", "bo", "--days", "1")
    listed = cli("keys", "list", "--json")
    revoked = cli("keys", "revoke", created["key"]["id"])
    afterwards = cli("keys", "list", "--json").json["keys"]
    recorded = cli("audit", "show", "--json").json["entries"]

    assert created["secret"]
    assert plain.out.strip()
    assert [entry["action"] for entry in recorded] == [
        "settings.changed",  # from the defaults: this folder's first start
        *("key.create", "key.create.done", "key.create", "key.create.done", "keys.list"),
        *("key.revoke", "key.revoke.done", "keys.list"),
    ]
    assert recorded[1]["detail"]["groups"] == ["finance", "hr"]
    assert recorded[2]["detail"]["key"] == created["key"]["id"]
    assert all(entry["by"]["account"] for entry in recorded)
    assert created["secret"] not in str(recorded)
    assert "\n" not in plain.out.strip()  # for SECRET=$(sovereign-rag keys create ...)
    assert created["secret"] not in listed.out
    assert plain.out.strip() not in listed.out
    assert revoked.code == 0
    states = {key["user"]: key["state"] for key in afterwards}
    assert states == {"ana": "revoked", "bo": "valid"}
    assert created["key"]["groups"] == ["finance", "hr"]


def test_models_are_listed_with_their_hashes(cli: CommandLine) -> None:
    models = cli("models", "list", "--json").json["models"]

    assert {model["role"] for model in models} == {"embedding", "generation", "recognition"}
    assert all(len(model["sha256"]) == 64 for model in models)
    assert {model["state"] for model in models} == {"ok"}
    assert {"tesseract-fra", "tesseract-deu"} <= {model["name"] for model in models}
    quantizations = [m["quantization"] for m in models if m["role"] == "generation"]
    assert quantizations == ["Q4_1"]


def test_the_audit_is_shown_and_a_change_in_it_is_found(
    cli: CommandLine, reading: CommandLine, tmp_path: Path
) -> None:
    reading("search", "a question for the record")
    whole = reading("audit", "verify", "--json")
    entries = reading("audit", "show", "--last", "1", "--json").json["entries"]
    shutil.copytree(reading.data_dir / "audit", cli.data_dir / "audit")
    file = next((cli.data_dir / "audit").glob("*.jsonl"))
    file.write_text(file.read_text("utf-8").replace("owner", "other", 1), encoding="utf-8")
    changed = cli("audit", "verify", "--json")

    assert (whole.code, whole.json["ok"]) == (0, True)
    assert entries[0]["action"] == "search"
    assert entries[0]["detail"]["question"] == "a question for the record"
    assert (changed.code, changed.json["ok"]) == (3, False)


@pytest.mark.model
def test_the_doctor_names_every_part_and_how_to_get_it(cli: CommandLine) -> None:
    ran = cli("doctor", "--json")

    checks = {check["check"]: check for check in ran.json["checks"]}
    assert {"Python", "embedding model", "text recognition", "parser's sandbox"} <= set(checks)
    assert checks["Python"]["state"] == "ok"
    assert all(check["how"] for check in checks.values() if check["state"] != "ok")
    missing = [check for check in checks.values() if check["state"] == "missing"]
    assert ran.code == (3 if missing else 0)


def test_the_doctor_fails_where_the_data_folder_can_not_be_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "a-file"
    file.write_text("in the way")

    ran = CommandLine(file / "data", capsys)("doctor")

    assert ran.code == 3
    assert "Missing: " in ran.err
    assert "data folder" in ran.err


# The server


def test_the_doctor_refuses_a_data_folder_that_every_parser_may_read(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with tempfile.TemporaryDirectory(dir=sys.prefix) as open_to_parsers:
        ran = CommandLine(Path(open_to_parsers), capsys)("doctor", "--json")

    (parser,) = [check for check in ran.json["checks"] if check["check"].startswith("parser")]
    assert ran.code == 3
    assert parser["state"] == "missing"
    assert sys.prefix in parser["how"]
    assert "--data-dir" in parser["how"]


def test_what_an_erasure_would_take_of_a_person_is_said_also_where_no_document_goes(
    cli: CommandLine,
) -> None:
    planned = cli("erase", "--person", "ana", "--dry-run")
    done = cli("erase", "--person", "ana", "--yes")

    assert planned.code == done.code == 0
    assert "Of ana go: keys, sessions, conversations" in planned.out
    assert "not signed" in done.err
