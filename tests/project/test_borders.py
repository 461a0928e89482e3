"""Who imports whom: that the borders are kept is what `make check` looks at, here that it sees."""

import ast
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.project.imports import ROOT

JUDGES = {
    "sovereign_rag/access.py",
    "sovereign_rag/answer.py",
    "sovereign_rag/evaluation/scratch.py",
    "sovereign_rag/services/audit_desk.py",
    "sovereign_rag/services/contents.py",
    "sovereign_rag/services/conversations.py",
    "sovereign_rag/services/curated_desk.py",
    "sovereign_rag/services/documents.py",
    "sovereign_rag/services/editing.py",
    "sovereign_rag/services/explanation.py",
    "sovereign_rag/services/first_look.py",
    "sovereign_rag/services/jobs.py",
    "sovereign_rag/services/people.py",
    "sovereign_rag/services/quality.py",
    "sovereign_rag/services/rereading.py",
    "sovereign_rag/services/search.py",
    "sovereign_rag/services/source_desk.py",
}
"""Where it is said what a caller may read; a search that is asked elsewhere is handed a scope."""


def lint_imports(folder: Path) -> subprocess.CompletedProcess[str]:
    command = Path(sys.executable).with_name("lint-imports")
    return subprocess.run(
        [str(command), "--no-cache", "--config", "pyproject.toml"],
        cwd=folder,
        env={"PYTHONPATH": str(folder), "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def copy_of_the_code(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("code")
    shutil.copy(ROOT / "pyproject.toml", folder)
    for package in ("sovereign_rag", "ingest"):
        shutil.copytree(
            ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__")
        )
    return folder


@pytest.fixture
def offender(copy_of_the_code: Path, file: str) -> Iterator[Path]:
    """The file, as it was again afterwards."""
    path = copy_of_the_code / file
    before = path.read_text("utf-8") if path.exists() else None
    yield path
    if before is None:
        path.unlink()
    else:
        path.write_text(before, "utf-8")


def test_the_borders_are_kept(copy_of_the_code: Path) -> None:
    result = lint_imports(copy_of_the_code)

    assert result.returncode == 0, broken(result.stdout)


@pytest.mark.parametrize(
    ("file", "line", "contract"),
    [
        pytest.param(
            "sovereign_rag/retrieval/retriever.py",
            "import ingest",
            "The read side does not know the write side, but where the service is wired",
            id="read-side",
        ),
        pytest.param(
            "sovereign_rag/retrieval/retriever.py",
            "import sovereign_rag.services.search",
            "The read side's layers",
            id="a-lower-layer",
        ),
        pytest.param(
            "sovereign_rag/api/search.py",
            "import sovereign_rag.web.views",
            "The read side's layers",
            id="api-and-web",
        ),
        pytest.param(
            "sovereign_rag/web/pages.py",
            "import sovereign_rag.api.search",
            "The read side's layers",
            id="web-and-api",
        ),
        pytest.param(
            "sovereign_rag/evaluation/runs.py",
            "import sovereign_rag.wiring",
            "The read side's layers",
            id="evaluation-and-wiring",
        ),
        pytest.param(
            "sovereign_rag/exam/exam.py",
            "import sovereign_rag.evaluation.measures",
            "The read side's layers",
            id="exam-and-evaluation",
        ),
        pytest.param(
            "sovereign_rag/domain.py",
            "import sovereign_rag.errors",
            "The read side's layers",
            id="the-nouns",
        ),
        pytest.param(
            "sovereign_rag/errand.py",
            "",
            "The read side's layers",
            id="a-module-of-the-read-side-that-has-no-layer",
        ),
        pytest.param(
            "sovereign_rag/catalog/records.py",
            "import sovereign_rag.catalog.jobs",
            "No circle in the read side, at any depth",
            id="a-circle-in-the-read-side",
        ),
        pytest.param(
            "ingest/sync/watch.py",
            "import sovereign_rag.wiring",
            "The write side stands between the wiring and the services",
            id="the-write-side-and-the-wiring",
        ),
        pytest.param(
            "sovereign_rag/services/search.py",
            "import ingest.pipeline",
            "The write side stands between the wiring and the services",
            id="the-services-and-the-write-side",
        ),
        pytest.param(
            "ingest/sync/watch.py",
            "import sovereign_rag.http.streaming",
            "The write side knows no program and no network service",
            id="the-write-side-and-http",
        ),
        pytest.param(
            "sovereign_rag/services/jobs.py",
            "import sqlalchemy",
            "The database is the catalog's",
            id="sqlalchemy-elsewhere",
        ),
        pytest.param(
            "sovereign_rag/retrieval/retriever.py",
            "import qdrant_client",
            "The vector database is the store's",
            id="qdrant-elsewhere",
        ),
        pytest.param(
            "sovereign_rag/exam/exam.py",
            "import llama_cpp",
            "The engine of the language model is the generation's",
            id="llama-elsewhere",
        ),
        pytest.param(
            "sovereign_rag/api/search.py",
            "import rich.table",
            "The terminal is the command line's",
            id="rich-elsewhere",
        ),
        pytest.param(
            "ingest/jobs/ingestion.py",
            "import typer",
            "The terminal is the command line's",
            id="typer-elsewhere",
        ),
        pytest.param(
            "sovereign_rag/services/search.py",
            "import starlette.requests",
            "HTTP is spoken by the doors and the embedded store",
            id="starlette-elsewhere",
        ),
        pytest.param(
            "sovereign_rag/cli/serve.py",
            "import fastapi",
            "HTTP is spoken by the doors and the embedded store",
            id="fastapi-elsewhere",
        ),
        pytest.param(
            "ingest/leases/lease.py",
            "import ingest.jobs.worker",
            "The write side's layers",
            id="a-lower-layer-of-ingest",
        ),
        pytest.param(
            "ingest/sources/source.py",
            "import ingest.detect",
            "The write side's layers",
            id="a-neighbour-in-a-layer-of-ingest",
        ),
        pytest.param(
            "ingest/errand.py", "", "The write side's layers", id="a-module-that-has-no-layer"
        ),
        pytest.param(
            "ingest/parse/document/attachments.py",
            "import ingest.parse.reading",
            "The parser's layers",
            id="a-lower-layer-of-the-parser",
        ),
        pytest.param(
            "ingest/parse/pdf/reader.py",
            "import ingest.parse.markup.html",
            "The parser's layers",
            id="a-neighbour-in-a-layer-of-the-parser",
        ),
        pytest.param(
            "ingest/parse/mail/message.py",
            "import ingest.parse.pdf.reader",
            "Mail and PDF do not know each other",
            id="mail-and-pdf",
        ),
        pytest.param(
            "ingest/parse/document/blocks.py",
            "import ingest.parse.document.job",
            "No circle in the write side, at any depth",
            id="a-circle-in-a-folder",
        ),
        pytest.param(
            "ingest/parse/document/blocks.py",
            "import ingest.parse.office.package",
            "No circle in the write side, at any depth",
            id="a-circle-of-folders",
        ),
        pytest.param(
            "sovereign_rag/services/search.py",
            "import lxml.etree",
            "Foreign documents are opened in the parser alone",
            id="lxml-elsewhere",
        ),
        pytest.param(
            "ingest/sources/imap.py",
            "import unstructured.partition.html",
            "Foreign documents are opened in the parser alone",
            id="unstructured-elsewhere",
        ),
    ],
)
def test_a_border_that_is_crossed_is_found(
    copy_of_the_code: Path, offender: Path, line: str, contract: str
) -> None:
    before = offender.read_text("utf-8") if offender.exists() else ""
    offender.write_text(f"{before}\n{line}\n", encoding="utf-8")

    result = lint_imports(copy_of_the_code)

    assert result.returncode == 1
    assert contract in broken(result.stdout)


def broken(output: str) -> str:
    """The lines that name a contract which was not kept."""
    return "\n".join(line for line in output.splitlines() if "BROKEN" in line)


# ---- who says what a caller may read ------------------------------------------------------------


def names_read_scope(source: str) -> bool:
    return any(
        (isinstance(node, ast.Name) and node.id == "read_scope")
        or (isinstance(node, ast.Attribute) and node.attr == "read_scope")
        or (isinstance(node, ast.alias) and node.name == "read_scope")
        or (isinstance(node, ast.FunctionDef) and node.name == "read_scope")
        for node in ast.walk(ast.parse(source))
    )


def test_what_a_caller_may_read_is_said_in_a_few_places() -> None:
    files = [
        path for package in ("sovereign_rag", "ingest") for path in (ROOT / package).rglob("*.py")
    ]
    naming = {path for path in files if names_read_scope(path.read_text("utf-8"))}

    assert {path.relative_to(ROOT).as_posix() for path in naming} == JUDGES


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ("from sovereign_rag.access import read_scope as scope", True),
        ("from sovereign_rag import access\naccess.read_scope(who)", True),
        ("from sovereign_rag.access import ReadScope", False),
        ("# read_scope", False),
    ],
)
def test_another_place_that_would_say_it_is_found(source: str, found: bool) -> None:
    assert names_read_scope(source) is found
