"""Which commands there are, their help, common options, errors and exit codes."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer import Typer

from sovereign_rag.cli import app, run_arguments
from sovereign_rag.cli.identity import Asker
from tests.cli.running import CommandLine, command


def _commands(typer: Typer, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for registered in typer.registered_commands:
        yield (*path, str(registered.name))
    for group in typer.registered_groups:
        assert group.typer_instance is not None
        named = (*path, group.name) if isinstance(group.name, str) else path
        yield from _commands(group.typer_instance, named)


COMMANDS = sorted(_commands(app))


# Help and start


def test_the_commands_that_scripts_rely_on_are_all_there() -> None:
    assert {" ".join(path) for path in COMMANDS} == {
        *(
            "init",
            "ingest",
            "ask",
            "search",
            "facets",
            "serve",
            "mcp",
            "worker",
            "workers",
            "config",
            "doctor",
            "version",
            "usage",
        ),
        *("documents list", "documents show", "documents edit", "documents delete"),
        *("documents reread", "access explain", "access of"),
        *("jobs list", "jobs show", "jobs cancel", "jobs retry"),
        *("webhooks list", "webhooks resend", "webhooks ping"),
        *("keys create", "keys list", "keys rotate", "keys revoke"),
        *("roles grant", "roles list", "roles revoke", "directory refresh", "directory show"),
        *("settings list", "settings set", "settings undo"),
        *("curated add", "curated check", "curated list", "curated remove"),
        *("encryption key", "encryption status", "encryption convert", "encryption rotate"),
        *("encryption forget", "erased list", "erased allow"),
        *("erased status", "erased follow", "erased write-off", "audit drop-copy"),
        *("models catalogue", "models fetch", "models import", "models remove"),
        *("models list", "models verify", "models tune", "models exam"),
        *("models accept-recogniser",),
        *("audit verify", "audit show", "audit trim"),
        *("audit who-saw", "audit seen-by", "audit rights", "audit key", "audit checkpoint"),
        *("backup create", "backup list", "backup verify", "backup restore", "backup forget"),
        *("sbom", "egress report", "egress verify"),
        *("answers export", "answers verify", "answers replay", "answers marks"),
        *("erase", "certificate", "access-report", "retention report", "retention apply"),
        *("reindex switch", "reindex status", "reindex back", "reindex drop"),
        *("sync", "watch", "sources list", "sources show", "sources forget"),
        *("eval retrieval", "eval answers", "eval compare", "eval abstention"),
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
    owner = Asker(tenant="acme").principal()
    ana = Asker("user:ana", "hr, finance", 2, "acme").principal()

    assert owner.is_owner
    assert owner.tenant == "acme"
    assert not ana.is_owner
    assert not ana.is_admin
    assert (ana.user, ana.clearance) == ("ana", 2)
    assert ana.groups == {"hr", "finance"}


# A terminal kept safe
