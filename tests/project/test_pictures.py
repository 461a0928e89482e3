"""Pictures of the pages: there is one of each, and the tool that makes them works."""

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
from PIL import Image

from sovereign_rag.http.permissions import NEEDS
from tests.api.conftest import Product
from tests.api.conftest import product as product  # the fixture

NO_PAGE = re.compile(
    r"/v1/|/metrics|/mcp|/healthz|/readyz|/house/|/sign-in/|/events|/export|/preview|/readable"
    r"|/c/|/words/answers/\{|/documents/\{document_id\}(/pages)?$"
)
"""What sends no page of its own, leads on, or looks like another that has its picture."""


@pytest.fixture(scope="module")
def tool(repository: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "screenshots", repository / "tools" / "screenshots.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["screenshots"] = module  # where its dataclass is looked up
    spec.loader.exec_module(module)
    return module


def test_the_pictures_are_those_that_the_tool_makes(tool: ModuleType) -> None:
    assert {path.stem for path in tool.TARGET.glob("*.png")} == {shot.name for shot in tool.SHOTS}


def test_every_page_has_its_picture(tool: ModuleType) -> None:
    pages = {
        need.removeprefix("GET ")
        for need in NEEDS
        if need.startswith("GET ") and not NO_PAGE.search(need)
    }
    shown = {shot.path.partition("?")[0] for shot in tool.SHOTS} | tool.LED_TO

    assert pages - shown == set()


@pytest.mark.browser
def test_a_page_is_photographed(tool: ModuleType, product: Product, tmp_path: Path) -> None:
    chosen = [shot for shot in tool.SHOTS if shot.name == "settings-change"]

    tool.photograph(product.url, product.keys["admin"], chosen, tmp_path)

    with Image.open(tmp_path / "settings-change.png") as picture:
        assert picture.width == 1_100
        assert picture.height <= 760
        assert len(picture.getcolors(1 << 20) or []) > 5
