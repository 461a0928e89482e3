"""Every page before a checker of accessibility, on a phone, in the dark, in forced colours."""

from importlib.resources import files
from typing import Any, Final

import pytest
from playwright.sync_api import Browser

from sovereign_rag.domain import LANGUAGES
from tests.api.conftest import HEATING, Product
from tests.api.test_page import browser as browser  # the fixture
from tests.api.test_page import sign_in, visit

pytestmark = pytest.mark.browser

AXE: Final = files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
PAGES: Final = (
    *("/", "/c", "/search?q=chauffage", "/documents", "/jobs", "/docs"),
    *("/admin", "/admin/documents", "/admin/upload", "/admin/jobs", "/admin/sources"),
    *("/admin/people", "/admin/people/why", "/admin/keys", "/admin/quality", "/admin/usage"),
    *("/admin/words", "/admin/words/answers/new", "/admin/audit", "/admin/models"),
    *("/admin/index", "/admin/settings"),
)
COLOURS: Final = ("color-contrast", "link-in-text-block")
LOOKS: Final[tuple[dict[str, Any], ...]] = (
    {"color_scheme": "light", "forced_colors": "none"},
    {"color_scheme": "dark", "forced_colors": "none"},
    {"color_scheme": "light", "forced_colors": "active"},
)


def test_every_page_is_in_order_on_a_phone_in_each_language_and_look(
    browser: Browser, product: Product
) -> None:
    """Language and look change from page to page, so that five languages cost no more than one."""
    wrong: dict[str, Any] = {}
    with visit(browser, product, viewport={"width": 320, "height": 720}) as window:
        window.open("/sign-in")
        wrong["/sign-in"] = _faults(window.page)
        sign_in(window, product, "admin")
        window.page.emulate_media(reduced_motion="reduce")
        viewer = f"/documents/{product.documents[HEATING.rpartition('/')[2]]}/pages/1"
        for number, path in enumerate((*PAGES, viewer)):
            language = LANGUAGES[number % len(LANGUAGES)]
            window.page.emulate_media(**LOOKS[number % len(LOOKS)])
            window.open(f"{path}{'&' if '?' in path else '?'}lang={language}")
            window.page.evaluate(
                "document.querySelectorAll('details').forEach(one => one.open = true)"
            )
            wrong[f"{path} {language}"] = _faults(window.page)

    assert {path: found for path, found in wrong.items() if found} == {}


def test_every_part_in_every_state_is_in_order_in_each_look(
    browser: Browser, product: Product
) -> None:
    """Of what the checker looks for, colours alone differ from look to look."""
    wrong: dict[str, Any] = {}
    with visit(browser, product, viewport={"width": 320, "height": 720}) as window:
        for number, look in enumerate(LOOKS):
            window.page.emulate_media(**look)
            window.open(f"/design?lang={LANGUAGES[number]}")
            wrong[str(look)] = _faults(window.page, *(COLOURS if number else ()))

    assert {look: found for look, found in wrong.items() if found} == {}


def _faults(page: Any, *rules: str) -> list[str]:
    """What the checker finds, by all of its rules or by some; and whether one scrolls sideways."""
    page.evaluate(AXE)
    found: list[str] = page.evaluate(
        "only => axe.run(document, {resultTypes: ['violations'], "
        "...(only.length ? {runOnly: only} : {})}).then(r => r.violations.map(v => "
        "v.id + ': ' + v.nodes.map(n => n.target.join(' ')).join(', ')))",
        list(rules),
    )
    width: int = page.evaluate("document.documentElement.scrollWidth")
    return [*found, *([f"{width} pixels wide"] if width > 320 else [])]
