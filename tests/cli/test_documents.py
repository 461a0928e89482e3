"""Documents in, and questions asked of them."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.cli.running import CommandLine, command, document_named


def test_ingest_reports_every_document_in_the_shape_that_scripts_read(
    filled: tuple[Path, dict[str, Any]],
) -> None:
    report = filled[1]

    assert set(report) >= {"documents", "counts", "seconds"}
    for document in report["documents"]:
        assert set(document) == {"uri", "document_id", "status", "reason", "pages", "chunks"}
    assert report["counts"] | {"indexed": 3, "failed": 1} == report["counts"]
    assert document_named(report, "urlaub.md")["chunks"] == 1
    assert document_named(report, "broken.pdf")["status"] == "failed"
    assert document_named(report, "broken.pdf")["reason"]


def test_a_second_time_everything_is_unchanged_and_a_failure_is_told_again(
    reading: CommandLine, filled: tuple[Path, dict[str, Any]]
) -> None:
    folder = Path(document_named(filled[1], "urlaub.md")["uri"].removeprefix("file://")).parent

    done = reading("ingest", str(folder))

    assert done.code == 6
    assert "failed: broken.pdf: " in done.err
    assert {tuple(line.split()) for line in done.out.splitlines()} >= {
        ("unchanged", "3"),
        ("failed", "1"),
    }


@pytest.mark.model
def test_ingest_says_which_files_it_did_not_look_at(cli: CommandLine, tmp_path: Path) -> None:
    folder = tmp_path / "files"
    (folder / ".git").mkdir(parents=True)
    (folder / ".git" / "config").write_text("hidden")
    secret = tmp_path / "elsewhere.txt"
    secret.write_text("It is elsewhere.")
    (folder / "link.txt").symlink_to(secret)

    nothing = cli("ingest", str(folder))
    (folder / "notice.txt").write_text("The canteen closes at two.")
    said = cli("ingest", str(folder))
    told = cli("ingest", str(folder), "--json").json
    named = cli("ingest", str(folder / "link.txt"), "--json").json

    assert nothing.code == 2
    assert "2 hidden ones or links were left out" in nothing.err
    assert "2 hidden files, folders or links were left out: .git, link.txt." in said.err
    assert [Path(path).name for path in told["left_out"]] == [".git", "link.txt"]
    assert [Path(d["uri"]).name for d in told["documents"]] == ["notice.txt"]
    assert named["counts"]["indexed"] == 1
    assert named["left_out"] == []


@pytest.mark.model
def test_an_ingestion_that_is_interrupted_goes_on_with_the_same_command(
    cli: CommandLine, tmp_path: Path
) -> None:
    folder = tmp_path / "many"
    folder.mkdir()
    (folder / "00.pdf").write_bytes(b"%PDF-1.7\nits failure shows that the work has begun")
    for number in range(1, 25):
        (folder / f"{number:02d}.txt").write_text(f"Satz Nummer {number} steht hier.\n")
    arguments = ("ingest", str(folder), "--json")

    running = subprocess.Popen(
        [sys.executable, "-m", "sovereign_rag.cli", *arguments, "--data-dir", str(cli.data_dir)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert running.stderr is not None
    begun = running.stderr.readline()
    running.send_signal(signal.SIGINT)
    out, _ = running.communicate(timeout=300)
    again = cli(*arguments)

    assert "00.pdf" in begun
    assert running.returncode == 130
    assert json.loads(out)["counts"]["waiting"] > 0
    assert again.code == 6  # the broken one
    counts = again.json["counts"]
    assert (counts["indexed"] + counts["unchanged"], counts["failed"]) == (24, 1)
    listed = cli("documents", "list", "--json").json
    assert sum(document["status"] == "indexed" for document in listed["documents"]) == 24


# Questions


def test_an_answer_has_the_shape_that_scripts_read_and_its_quotes_stand_in_the_stored_text(
    reading: CommandLine,
) -> None:
    answer = reading("ask", "Wie viele Tage Urlaub hat ein Angestellter?", "--json").json

    assert set(answer) >= {
        *("answer", "abstained", "statements", "citations", "passages", "language", "model"),
        *("timings_ms", "usage"),
    }
    assert answer["abstained"] is False
    assert answer["language"] == "de"
    assert "dreißig Tage" in answer["answer"]
    for citation in answer["citations"]:
        pages = reading("documents", "show", citation["document_id"], "--text", "--json").json
        texts = {page["number"]: page["text"] for page in pages["pages"]}
        text = texts[citation["page"] or 1]
        assert citation["verified"] is True
        assert text[citation["start"] : citation["end"]] == citation["quote"]


def test_a_person_reads_the_quote_its_document_and_how_the_answer_came_about(
    reading: CommandLine,
) -> None:
    ran = reading("ask", "Quelle est la durée du préavis ?")

    assert ran.code == 0
    assert "[1] “La durée du préavis est de trois mois pour les cadres.”" in ran.out
    assert "preavis.txt" in ran.out
    assert "mot pour mot" in ran.out
    assert "1 of 1 quotes verified" in ran.err


@pytest.mark.model
def test_a_question_that_nothing_answers_is_answered_honestly_and_is_no_error(
    cli: CommandLine,
) -> None:
    ran = cli("ask", "Quelle est la capitale de la Mongolie ?")
    program = cli("ask", "Quelle est la capitale de la Mongolie ?", "--json")

    assert (ran.code, program.code) == (0, 0)
    assert "rien trouvé" in ran.out
    assert program.json["abstained"] is True
    assert program.json["citations"] == []


def test_a_search_shows_where_each_score_came_from(reading: CommandLine) -> None:
    found = reading("search", "Tage Urlaub", "--limit", "2", "--json").json["passages"]
    shown = reading("search", "Tage Urlaub", "--limit", "1")

    assert len(found) == 2
    assert found[0]["uri"].endswith("urlaub.md")
    assert {"dense", "lexical"} <= set(found[0]["score_parts"])
    assert found[0]["score"] >= found[1]["score"]
    assert "dreißig Tage Urlaub" in shown.out
    assert "dense" in shown.out


def test_only_the_named_readers_find_adocument_named(reading: CommandLine) -> None:
    def found(*identity: str) -> list[str]:
        passages = reading("search", "Gehalt der Leitung", *identity, "--json").json["passages"]
        return [p["document_id"] for p in passages if p["uri"].endswith("gehalt.txt")]

    ana, hr = ("--as", "user:ana", "--groups", "hr"), ("--as", "user:hr")
    (id_,) = found()

    assert found(*ana) == [id_]
    assert found(*hr) == found("--tenant", "acme") == []
    assert reading("documents", "show", id_, *ana).code == 0
    assert reading("documents", "show", id_, *hr).code == 5
    assert reading("documents", "list", *hr, "--json").json["count"] == 0


def test_a_deleted_document_is_gone_and_nothing_is_deleted_unasked(reading: CommandLine) -> None:
    listed = reading("documents", "list", "--json").json["documents"]
    id_ = next(document["document_id"] for document in listed if document["name"] == "notiz.txt")

    unasked = reading("documents", "delete", id_)
    before = reading("documents", "show", id_)
    deleted = reading("documents", "delete", id_, "--yes", "--json")

    assert (unasked.code, before.code) == (2, 0)
    assert "--yes" in unasked.err
    assert deleted.json["deleted"] == id_
    assert reading("documents", "show", id_).code == 5
    passages = reading("search", "Zitronen", "--json").json["passages"]
    assert id_ not in {passage["document_id"] for passage in passages}


# Jobs, keys, models, audit


def test_ingest_says_each_failure_once_and_that_of_no_other(tmp_path: Path) -> None:
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / "broken.pdf").write_bytes(b"%PDF-1.7\nnothing that could be read")
    (folder / "whole.txt").write_text("Die Reise kostet siebzig Euro.", encoding="utf-8")

    done = command("ingest", str(folder), "--data-dir", str(tmp_path / "data"))

    assert done.returncode == 6
    assert done.stderr.count("broken.pdf") == 1
    assert "whole.txt" not in done.stderr


def test_documents_are_read_again_by_the_command_line(
    reading: CommandLine, filled: tuple[Path, dict[str, Any]]
) -> None:
    id_ = document_named(filled[1], "urlaub.md")["document_id"]

    report = reading("documents", "reread", id_, "--json")
    nothing = reading("documents", "reread", "--outdated")
    plan = reading("documents", "reread", "--all", "--dry-run", "--json").json
    wrong = [
        reading("documents", "reread", *arguments).code
        for arguments in ([], [id_, "--all"], [id_, "--dry-run"])
    ]

    assert report.code == 0
    assert report.json["counts"] == {"indexed": 0, "unchanged": 1, "partial": 0, "failed": 0}
    assert "There is nothing to read again." in nothing.err
    assert plan["documents"] == reading("documents", "list", "--json").json["count"]
    assert plan["without_original"] == plan["locked"] == 0
    assert wrong == [2, 2, 2]
    assert reading("documents", "reread", "nothing").code == 5
