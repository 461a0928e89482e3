"""The command line as scripts and people meet it: shapes, exit codes, and a terminal kept safe."""

import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer import Typer

from sovereign_rag.cli import app, run_arguments
from sovereign_rag.cli.identity import principal
from sovereign_rag.cli.output import encode_json, safe
from sovereign_rag.cli.serve import is_loopback, listening, serving
from sovereign_rag.errors import BadInput, EnvironmentFault
from sovereign_rag.settings import load_settings

HOSTILE = (
    "\x1b]0;owned\x07\x1b[2J\x1b[31m[bold red]Der Probelauf[/bold red]\x1b[0m \x9b31mkostet "
    "\u202esiebzig\u202c Euro.\x00\x07"
)
"""What a document may try on a terminal: a title, a wipe, colours, markup, reversed writing."""


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


class CommandLine:
    """Runs commands in this process, over one data folder."""

    def __init__(self, data_dir: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.data_dir, self._capture = data_dir, capture

    def __call__(self, *arguments: str) -> Ran:
        self._capture.readouterr()
        code = run_arguments([*arguments, "--data-dir", str(self.data_dir)])
        out, err = self._capture.readouterr()
        return Ran(code, out, err)


@pytest.fixture
def cli(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> CommandLine:
    """The command line over an empty data folder."""
    return CommandLine(tmp_path / "data", capsys)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A data folder with documents, and what `ingest` reported of it; for tests that only read."""
    folder = tmp_path_factory.mktemp("documents")
    (folder / "urlaub.md").write_text(
        "# Urlaubsordnung\n\nJeder Angestellte hat dreißig Tage Urlaub im Jahr.\n", encoding="utf-8"
    )
    (folder / "preavis.txt").write_text(
        "La durée du préavis est de trois mois pour les cadres.\n", encoding="utf-8"
    )
    (folder / "probe\x1b]0;owned\x07\x1b[2J[red].txt").write_text(
        "[bold red]Der Probelauf[/bold red] kostet \u202esiebzig\u202c Euro.\n", encoding="utf-8"
    )
    (folder / "broken.pdf").write_bytes(b"%PDF-1.7\nnothing that could be read")
    restricted = tmp_path_factory.mktemp("restricted")
    (restricted / "gehalt.txt").write_text(
        "Das Gehalt der Leitung steigt um vier Prozent.\n", encoding="utf-8"
    )
    (restricted / "notiz.txt").write_text("Eine Notiz über Zitronen.\n", encoding="utf-8")
    data = tmp_path_factory.mktemp("data")
    done = command("ingest", str(folder), "--json", "--data-dir", str(data))
    assert done.returncode == 6, done.stderr
    for_hr = ("--readers", "group:hr", "--data-dir", str(data))
    assert command("ingest", str(restricted), *for_hr).returncode == 0
    return data, json.loads(done.stdout)


@pytest.fixture
def reading(filled: tuple[Path, dict[str, Any]], capsys: pytest.CaptureFixture[str]) -> CommandLine:
    """The command line over the documents of `filled`."""
    return CommandLine(filled[0], capsys)


def command(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run the command line as a process of its own."""
    return subprocess.run(
        [sys.executable, "-m", "sovereign_rag.cli", *arguments],
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=300,
        check=False,
        env={**os.environ, **variables},
    )


def _commands(typer: Typer, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for command in typer.registered_commands:
        yield (*path, str(command.name))
    for group in typer.registered_groups:
        assert group.typer_instance is not None
        yield from _commands(group.typer_instance, (*path, str(group.name)))


COMMANDS = sorted(_commands(app))


# Help and start


def test_the_commands_that_scripts_rely_on_are_all_there() -> None:
    assert {" ".join(path) for path in COMMANDS} == {
        *("ingest", "ask", "search", "serve", "worker", "config", "doctor", "version"),
        *("documents list", "documents show", "documents delete"),
        *("jobs list", "jobs show", "jobs cancel", "jobs retry"),
        *("keys create", "keys list", "keys revoke"),
        *("models catalogue", "models fetch", "models import", "models remove"),
        *("models list", "models verify", "models tune", "audit verify", "audit show"),
        *("sync", "watch", "sources list", "sources show", "sources forget"),
        *("eval retrieval", "eval answers", "eval compare"),
    }


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_s_help_shows_an_example(
    path: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    code = run_arguments([*path, "--help"])

    shown = capsys.readouterr().out
    assert code == 0
    assert f"sovereign-rag {' '.join(path)}" in shown.split("Example", 1)[1]
    for option in ("--data-dir", "--config", "--json", "--debug"):
        assert option in shown


def test_help_is_there_before_anything_heavy_is_loaded() -> None:
    heavy = ("torch", "pydantic", "sqlalchemy", "qdrant_client", "fastapi", "numpy", "uvicorn")
    program = (
        "import sys; from sovereign_rag.cli import run_arguments; run_arguments(['--help']);"
        f"print([name for name in {heavy!r} if name in sys.modules], file=sys.stderr)"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert "ingest" in done.stdout
    assert done.stderr.strip() == "[]"


def test_a_listing_does_not_wait_for_the_models(tmp_path: Path) -> None:
    program = (
        "import sys; from sovereign_rag.cli import run_arguments;"
        f"code = run_arguments(['documents', 'list', '--json', '--data-dir', {str(tmp_path)!r}]);"
        "print(code, 'torch' in sys.modules, file=sys.stderr)"
    )

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert json.loads(done.stdout) == {"documents": [], "count": 0}
    assert done.stderr.strip() == "0 False"


# Options and errors


@pytest.mark.parametrize(
    "arguments",
    [
        ("--data-dir", "DIR", "--json", "config"),
        ("config", "--json", "--data-dir", "DIR"),
        ("--json", "config", "--data-dir", "DIR"),
        ("--data-dir", "elsewhere", "config", "--json", "--data-dir", "DIR"),
    ],
)
def test_common_options_stand_before_the_command_or_after_it(
    arguments: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [str(tmp_path) if argument == "DIR" else argument for argument in arguments]

    code = run_arguments(given)

    assert code == 0
    assert json.loads(capsys.readouterr().out)["settings"]["data_dir"] == str(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("nonsense",), 2, "nonsense"),
        (("ask",), 2, "question"),
        (("ask", "  "), 2, "empty"),
        (("ask", "q", "--groups", "hr"), 2, "--as user:NAME"),
        (("search", "q", "--clearance", "3"), 2, "--as user:NAME"),
        (("ask", "q", "--as", "group:hr"), 2, "names no user"),
        (("ingest", "/nowhere/at/all"), 2, "/nowhere/at/all"),
        (("ingest", "/", "--readers", "hr"), 2, "names no reader"),
        (("documents", "show", "5b0e8c3e-8f5e-5d5c-9c63-0a3d1f4b2c11"), 5, ""),
        (("jobs", "show", "nothing"), 5, ""),
        (("serve", "--host", "0.0.0.0", "--allow-anonymous"), 2, "0.0.0.0"),
        (("eval", "retrieval", "/nowhere"), 2, "/nowhere"),
        (("eval", "retrieval", ".", "--out", "/nowhere/report.json"), 2, "/nowhere/report.json"),
    ],
)
def test_an_error_is_one_line_with_its_exit_code_and_stdout_stays_empty(
    cli: CommandLine, arguments: tuple[str, ...], code: int, said: str
) -> None:
    ran = cli(*arguments)
    as_json = cli(*arguments, "--json")

    assert (ran.code, as_json.code) == (code, code)
    assert (ran.out, as_json.out) == ("", "")
    assert said in ran.err
    assert "Traceback" not in ran.err
    body = json.loads(as_json.err)
    assert set(body) == {"error", "detail"}
    assert said in body["detail"]


def test_a_misspelt_setting_is_refused_with_the_nearest_name(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOVEREIGN_RAG_STORE__URI", "http://qdrant")

    ran = cli("config")

    assert ran.code == 2
    assert "SOVEREIGN_RAG_STORE__URL" in ran.err


def test_debug_shows_where_an_error_came_from_and_nothing_else_does() -> None:
    plain = command("ask", "q", "--groups", "hr")
    debug = command("ask", "q", "--groups", "hr", "--debug")

    assert "Traceback" not in plain.stderr
    assert "Traceback" in debug.stderr


def test_settings_are_shown_without_their_secrets_and_what_differs_is_told(
    cli: CommandLine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOVEREIGN_RAG_STORE__API_KEY", "hush-hush")
    monkeypatch.setenv("SOVEREIGN_RAG_SERVER__PORT", "9090")

    shown, program = cli("config"), cli("config", "--json")

    assert "hush-hush" not in shown.out + program.out
    assert program.json["settings"]["server.port"] == 9090
    assert set(program.json["changed"]) == {"data_dir", "server.port", "store.api_key"}
    assert "port = 9090  # changed" in shown.out
    assert "timeout_s = 10.0  # Longest" in shown.out


def test_who_asks_is_the_owner_unless_somebody_is_named() -> None:
    owner = principal(None, None, None, "acme")
    ana = principal("user:ana", "hr, finance", 2, "acme")

    assert owner.is_owner
    assert owner.tenant == "acme"
    assert not ana.is_owner
    assert not ana.is_admin
    assert (ana.user, ana.clearance) == ("ana", 2)
    assert ana.groups == {"hr", "finance"}


# A terminal kept safe


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]52;c;aGk=\x1b\\text", "text"),
        ("\x1b]8;;http://a\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x9b2Jtext", "text"),
        ("\x1bP+q\x1b\\text", "text"),
        ("a\x1b", "a"),
        ("a\x08\x7f\x00b", "ab"),
        ("over\rwritten", "over\nwritten"),
        ("a\u202eb\u2066c\u200ed", "abcd"),
        ("tab\tand\r\nline", "tab    and\nline"),
        ("na\u00efve \u200dcaf\u00e9 \u65e5\u672c \U0001f600", "naïve \u200dcafé 日本 😀"),
        ("[red]kept[/red] :smile:", "[red]kept[/red] :smile:"),
    ],
)
def test_what_a_terminal_would_act_upon_is_taken_out(text: str, shown: str) -> None:
    assert safe(text) == shown


def test_a_line_stays_a_line() -> None:
    assert safe("a\nb\t c\u2028d", one_line=True) == "a b c d"


def test_json_says_the_same_and_holds_nothing_that_a_terminal_acts_upon() -> None:
    encoded = encode_json({"text": HOSTILE, "ok": "é日"}, indent=2)

    assert json.loads(encoded) == {"text": HOSTILE, "ok": "é日"}
    assert not set(encoded) & set("\x1b\x9b\u202e\u202c\x00\x07")
    assert "é日" in encoded


def test_markup_in_a_document_is_text() -> None:
    from sovereign_rag.cli.output import table

    target = io.StringIO()
    Console(file=target, width=80, force_terminal=True, color_system=None).print(
        table(("title",), [("[bold]x[/bold] [link=http://a]y[/link]",)])
    )

    assert "[bold]x[/bold] [link=http://a]y[/link]" in target.getvalue()


@pytest.mark.parametrize(
    "arguments",
    [
        ("ask", "Was kostet der Probelauf?"),
        ("search", "Was kostet der Probelauf?"),
        ("documents", "list"),
        ("documents", "show", "ID"),
        ("documents", "show", "ID", "--text"),
        ("audit", "show"),
    ],
)
def test_a_hostile_document_does_not_drive_the_terminal(
    reading: CommandLine, filled: tuple[Path, dict[str, Any]], arguments: tuple[str, ...]
) -> None:
    id_ = _document(filled[1], "[red].txt")["document_id"]

    ran = reading(*(id_ if argument == "ID" else argument for argument in arguments))

    assert ran.code == 0
    assert "probe" in ran.out.lower()
    assert not set(ran.out + ran.err) & set("\x1b\x07\u202e\u202c")


# Documents in


def test_ingest_reports_every_document_in_the_shape_that_scripts_read(
    filled: tuple[Path, dict[str, Any]],
) -> None:
    report = filled[1]

    assert set(report) >= {"documents", "counts", "seconds"}
    for document in report["documents"]:
        assert set(document) == {"uri", "document_id", "status", "reason", "pages", "chunks"}
    assert report["counts"] | {"indexed": 3, "failed": 1} == report["counts"]
    assert _document(report, "urlaub.md")["chunks"] == 1
    assert _document(report, "broken.pdf")["status"] == "failed"
    assert _document(report, "broken.pdf")["reason"]


def test_a_second_time_everything_is_unchanged_and_a_failure_is_told_again(
    filled: tuple[Path, dict[str, Any]],
) -> None:
    folder = Path(_document(filled[1], "urlaub.md")["uri"].removeprefix("file://")).parent

    done = command("ingest", str(folder), "--data-dir", str(filled[0]))

    assert done.returncode == 6
    assert "failed: broken.pdf: " in done.stderr
    assert {tuple(line.split()) for line in done.stdout.splitlines()} >= {
        ("unchanged", "3"),
        ("failed", "1"),
    }


def test_an_ingestion_that_is_interrupted_goes_on_with_the_same_command(tmp_path: Path) -> None:
    folder, data = tmp_path / "many", tmp_path / "data"
    folder.mkdir()
    (folder / "00.pdf").write_bytes(b"%PDF-1.7\nits failure shows that the work has begun")
    for number in range(1, 25):
        (folder / f"{number:02d}.txt").write_text(f"Satz Nummer {number} steht hier.\n")
    arguments = ("ingest", str(folder), "--json", "--data-dir", str(data))

    running = subprocess.Popen(
        [sys.executable, "-m", "sovereign_rag.cli", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert running.stderr is not None
    begun = running.stderr.readline()
    running.send_signal(signal.SIGINT)
    out, _ = running.communicate(timeout=300)
    again = command(*arguments)

    assert "00.pdf" in begun
    assert running.returncode == 130
    assert json.loads(out)["counts"]["waiting"] > 0
    assert again.returncode == 6  # the broken one
    counts = json.loads(again.stdout)["counts"]
    assert (counts["indexed"] + counts["unchanged"], counts["failed"]) == (24, 1)
    listed = json.loads(command("documents", "list", "--json", "--data-dir", str(data)).stdout)
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


def test_only_the_named_readers_find_a_document(reading: CommandLine) -> None:
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

    assert created["secret"]
    assert plain.out.strip()
    assert "\n" not in plain.out.strip()  # for SECRET=$(sovereign-rag keys create ...)
    assert created["secret"] not in listed.out
    assert plain.out.strip() not in listed.out
    assert revoked.code == 0
    states = {key["user"]: key["state"] for key in afterwards}
    assert states == {"ana": "revoked", "bo": "valid"}
    assert created["key"]["groups"] == ["finance", "hr"]


def test_models_are_listed_with_their_hashes(cli: CommandLine) -> None:
    models = cli("models", "list", "--json").json["models"]

    assert {model["role"] for model in models} == {"embedding", "generation"}
    assert all(len(model["sha256"]) == 64 for model in models)
    assert {model["state"] for model in models} == {"ok"}


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


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("192.168.1.5", False),
        ("::", False),
        ("rag.example", False),
        ("127.0.0.1.example", False),
    ],
)
def test_anonymous_callers_are_allowed_on_loopback_alone(host: str, loopback: bool) -> None:
    settings = load_settings()

    assert is_loopback(host) is loopback
    if loopback:
        server = serving(settings, host=host, port=None, allow_anonymous=True).server
        assert (server.host, server.allow_anonymous) == (host, True)
    else:
        with pytest.raises(BadInput, match="Anonymous"):
            serving(settings, host=host, port=None, allow_anonymous=True)
        assert serving(settings, host=host, port=None, allow_anonymous=False).server.host == host


def test_an_address_named_on_the_command_line_may_be_called_by_its_name() -> None:
    settings = load_settings()

    named = serving(settings, host="192.168.1.5", port=0, allow_anonymous=False).server
    every = serving(settings, host="0.0.0.0", port=0, allow_anonymous=False).server

    assert "192.168.1.5" in named.allowed_hosts
    assert every.allowed_hosts == settings.server.allowed_hosts


def test_a_port_that_is_taken_is_named_with_the_way_out() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        with pytest.raises(EnvironmentFault, match=rf"port {port}.*--port"):
            listening("127.0.0.1", port).__enter__()

    with listening("127.0.0.1", port) as free:
        assert free.getsockname()[1] == port


def test_the_server_says_where_it_is_answers_and_ends_well_on_a_signal(tmp_path: Path) -> None:
    import httpx

    running = subprocess.Popen(
        [
            *(sys.executable, "-m", "sovereign_rag.cli", "serve", "--port", "0"),
            *("--data-dir", str(tmp_path / "data")),
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert running.stdout is not None
    address = running.stdout.readline().strip()  # it listens already when it says so

    health = httpx.get(f"{address}/healthz", timeout=60, trust_env=False)
    running.send_signal(signal.SIGTERM)
    _, err = running.communicate(timeout=60)

    assert address.startswith("http://127.0.0.1:")
    assert health.status_code == 200
    assert running.returncode == 0, err


# Evaluation


def test_an_evaluation_indexes_once_and_writes_every_result(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folder, questions = _labelled_set(tmp_path)
    cli, out = CommandLine(tmp_path / "data", capsys), tmp_path / "report.json"

    first = cli("eval", "retrieval", str(folder), "--json", "--out", str(out))
    indexes = list((tmp_path / "cache" / "sovereign-rag" / "eval").glob("*/catalog*"))
    again = cli("eval", "retrieval", str(folder), "--mode", "lexical")
    answers = cli("eval", "answers", str(questions), "--index", str(folder), "--json")

    assert first.json["table"]["all"]["R@1"] == 1.0
    assert len(json.loads(out.read_text("utf-8"))["results"]) == 2
    assert len(indexes) == 1
    assert again.code == 0
    assert "nDCG@10" in again.out
    row = answers.json["table"]["all"]
    assert (row["questions"], row["containment"], row["verified"]) == (3, 1.0, 1.0)
    assert list((tmp_path / "cache" / "sovereign-rag" / "eval").glob("*/catalog*")) != []
    assert not (tmp_path / "data").exists()  # the user's own folder is none of its business


def _labelled_set(tmp_path: Path) -> tuple[Path, Path]:
    folder = tmp_path / "set"
    folder.mkdir()
    texts = {
        "leave": ("de", "Jeder Angestellte hat dreißig Tage Urlaub im Jahr."),
        "notice": ("fr", "La durée du préavis est de trois mois pour les cadres."),
        "tower": ("en", "The tower in the harbour was finished in 1889."),
    }
    corpus = [{"id": i, "title": "", "text": t, "lang": code} for i, (code, t) in texts.items()]
    queries = [
        {"id": "q1", "text": "Wie viele Tage Urlaub gibt es?", "lang": "de"},
        {"id": "q2", "text": "Quelle est la durée du préavis ?", "lang": "fr"},
    ]
    questions = [
        {"id": "a1", "question": "Wie viele Tage Urlaub hat ein Angestellter?", "lang": "de"}
        | {"answers": ["dreißig"], "answerable": True},
        {"id": "a2", "question": "Quelle est la durée du préavis des cadres ?", "lang": "fr"}
        | {"answers": ["trois mois"], "answerable": True},
        {"id": "a3", "question": "Quelle est la durée du préavis ?", "lang": "fr"}
        | {"answers": [], "answerable": False, "exclude_doc_ids": ["notice"]},
    ]
    for name, rows in (("corpus", corpus), ("queries", queries), ("questions", questions)):
        lines = "\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
        (folder / f"{name}.jsonl").write_text(lines, encoding="utf-8")
    qrels = "query-id\tcorpus-id\tscore\nq1\tleave\t1\nq2\tnotice\t1\n"
    (folder / "qrels.tsv").write_text(qrels, encoding="utf-8")
    return folder, folder / "questions.jsonl"


def _document(report: dict[str, Any], name: str) -> dict[str, Any]:
    found: dict[str, Any] = next(d for d in report["documents"] if d["uri"].endswith(name))
    return found
