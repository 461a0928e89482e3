"""The documentation says what the code does, where that can be held against it."""

import re
import runpy
from pathlib import Path

import pytest

from ingest.parse.process.syscalls import REFUSED, REFUSED_BY_ARGUMENT
from sovereign_rag import errors
from sovereign_rag.app import create_app
from sovereign_rag.cli.app import EXIT_CODES
from sovereign_rag.settings import names, variable
from sovereign_rag.wiring import Application
from tests.project.pyproject import pyproject

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
RAISED = sorted(
    name
    for name, kind in vars(errors).items()
    if isinstance(kind, type)
    and any(
        re.search(rf"\b{name}\(", path.read_text("utf-8"))
        for package in ("sovereign_rag", "ingest")
        for path in (ROOT / package).rglob("*.py")
        if path.name != "errors.py"
    )
)


def text(name: str) -> str:
    return (DOCS / name).read_text("utf-8")


def test_the_table_of_settings_is_the_codes_own() -> None:
    made = runpy.run_path(str(ROOT / "tools" / "settings_table.py"))["document"]()

    assert text("settings.md") == made, "run `.venv/bin/python tools/settings_table.py`"
    assert all(f"| `{name}` |" in made for name in names())


def test_the_table_of_roles_is_the_codes_own() -> None:
    made = runpy.run_path(str(ROOT / "tools" / "roles_table.py"))["document"]()

    assert text("roles.md") == made, "run `.venv/bin/python tools/roles_table.py`"


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_a_setting_that_a_page_names_exists(page: Path) -> None:
    sections = {name.partition(".")[0] for name in names() if "." in name}
    pattern = rf"`((?:{'|'.join(sections)})\.[a-z_]+)(?: =[^`]*)?`"

    for name in re.findall(pattern, page.read_text("utf-8")):
        assert name in names() or name.endswith(".py"), name
    variables = {variable(name) for name in names()} | {"SOVEREIGN_RAG_CONFIG", "SOVEREIGN_RAG_"}
    assert set(re.findall(r"SOVEREIGN_RAG_[A-Z_]*", page.read_text("utf-8"))) <= variables


def test_every_route_stands_in_the_description_of_the_api(application: Application) -> None:
    described = create_app(application).openapi()["paths"]

    for path, methods in described.items():
        short = path.replace("{document_id}", "{id}").replace("{job_id}", "{id}")
        for method in methods:
            assert f"`{method.upper()} {short.replace('{number}', '{n}')}`" in text("api.md")


def test_every_error_that_is_raised_has_a_way_out_in_the_operations_page() -> None:
    assert len(RAISED) > 10
    for name in RAISED:
        assert f"| `{name}` |" in text("operations.md"), name


def test_an_error_of_the_api_has_the_status_that_the_page_gives_it() -> None:
    rows = re.findall(r"^\| (\d{3}) \| (.+?) \|", text("api.md"), re.MULTILINE)
    told = {name: int(status) for status, cell in rows for name in re.findall(r"`(\w+)`", cell)}

    for name, kind in vars(errors).items():
        if isinstance(kind, type) and issubclass(kind, errors.SovereignError) and name in told:
            assert kind.status == told[name], name
    assert set(RAISED) - {"SettingsError", "EnvironmentFault"} <= told.keys()


def test_the_exit_codes_are_those_of_the_command_line() -> None:
    told = set(re.findall(r"^\| (\d+) \| ", text("operations.md"), re.MULTILINE))

    assert told == set(re.findall(r"\d+", EXIT_CODES))


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_a_link_or_a_path_leads_to_a_file(page: Path) -> None:
    content = page.read_text("utf-8")

    for target in re.findall(r"\]\(([^)#]+)\)", content):
        assert target.startswith("https://") or (page.parent / target).exists(), target
    for name in re.findall(r"`((?:sovereign_rag|ingest|tests|tools|examples)/[\w./-]+)`", content):
        assert (ROOT / name).exists(), name


def test_the_refused_calls_in_the_docs_are_the_filter_s_own() -> None:
    page = text("security.md")
    by_name = [(what, [call.name for call in calls]) for what, calls in REFUSED.items()]
    by_argument = [(what, [name]) for name, what in REFUSED_BY_ARGUMENT.items()]
    rows = [
        f"| {what} | {', '.join(f'`{name}`' for name in names_)} |"
        for what, names_ in by_name + by_argument
    ]

    table = page.partition("| what seccomp refuses | calls |\n|---|---|\n")[2].partition("\n\n")[0]

    assert table.splitlines()[:-1] == rows


def test_the_architecture_says_where_every_folder_of_the_code_is() -> None:
    page = text("architecture.md")
    folders = [
        folder
        for package in ("sovereign_rag", "ingest", "ingest/parse")
        for folder in (ROOT / package).iterdir()
        if (folder / "__init__.py").exists()
    ]

    assert len(folders) > 30
    assert [f.name for f in folders if not re.search(rf"^  .*\b{f.name}/", page, re.M)] == []


def test_the_architecture_names_every_border_that_the_tool_holds() -> None:
    page = text("architecture.md")
    contracts = pyproject()["tool"]["importlinter"]["contracts"]

    assert len(contracts) > 10
    assert [c["name"] for c in contracts if c["name"] not in page] == []
    for contract in contracts:
        if "containers" in contract:
            assert "```\n" + "\n".join(contract["layers"]) + "\n```" in page, contract["name"]
