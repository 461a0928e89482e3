"""A session that ends in the middle, two windows of one person, and the organisation's sign-in."""

from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from sovereign_rag.wiring import Application
from tests.api.conftest import Product
from tests.api.test_foreign_provider import application as application  # the fixtures
from tests.api.test_foreign_provider import discovered as discovered
from tests.api.test_foreign_provider import url as url
from tests.api.test_page import browser as browser
from tests.api.test_page import sign_in, visit

# The provider goes by parts of its library that are to be replaced.
pytestmark = [pytest.mark.browser, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

HEATING = "Quelle est la température maximale de chauffage d'un logement ?"
SALARY = "What is the salary band of grade seven?"


@pytest.mark.parametrize("script", [True, False], ids=["with script", "without"])
def test_a_question_survives_the_end_of_its_session_in_another_window(
    browser: Browser, product: Product, script: bool
) -> None:
    with visit(browser, product, java_script_enabled=script) as window:
        page = window.page
        window.open("/")
        sign_in(window, product, "ana")
        page.locator("#question").fill(HEATING)
        page.locator("#ask button[type=submit]").click()
        expect(page.locator(".turn .statements")).to_contain_text("19°C")
        asked_at = page.url.partition("#")[0]
        other = page.context.new_page()
        other.goto(asked_at)
        expect(other.locator(".turn .asked")).to_have_text(HEATING)
        page.locator("#question").fill(SALARY)
        other.get_by_role("button", name="Sign out").click()
        expect(other.locator("h1")).to_have_text("Sign in")

        page.locator("#ask button[type=submit]").click()
        expect(page.locator("h1")).to_have_text("Sign in")
        sign_in(window, product, "ana")

        expect(page.locator("#question")).to_have_value(SALARY)
        expect(page.locator(".turn .asked")).to_have_text(HEATING)
        assert page.url.startswith(asked_at)
        window.complaints.clear()  # the browser itself reports the status 401


def test_two_windows_ask_in_one_conversation_and_neither_loses_its_question(
    browser: Browser, product: Product
) -> None:
    with visit(browser, product) as window:
        page = window.page
        window.open("/")
        sign_in(window, product, "hugo")
        page.locator("#question").fill(HEATING)
        page.locator("#ask button[type=submit]").click()
        expect(page.locator(".turn .statements")).to_contain_text("19°C")
        other = page.context.new_page()
        other.goto(page.url)
        for one, question in ((page, SALARY), (other, "And in an old building?")):
            one.locator("#question").fill(question)
            one.locator("#ask button[type=submit]").click()
            expect(one.locator(".turn .asked").last).to_have_text(question)
            expect(one.locator(".turn").last.locator(".vote")).to_be_visible()

        page.reload()

        told = [HEATING, SALARY, "And in an old building?"]
        expect(page.locator(".turn .asked")).to_have_text(told)


def test_somebody_signs_in_by_the_organisation_s_account(
    browser: Browser, application: Application, url: str, discovered: dict[str, str]
) -> None:
    context = browser.new_context(locale="en-GB")
    page = context.new_page()
    page.goto(f"{url}/documents")
    page.get_by_role("link", name="Sign in with your organisation’s account").click()
    assert page.url.startswith(discovered["authorization_endpoint"])
    page.locator("input[name=sub]").fill("ana")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{url}/documents")
    expect(page.locator(".user")).to_have_text("ana")

    page.get_by_role("button", name="Sign out").click()
    page.goto(f"{url}/documents")

    expect(page.locator("h1")).to_have_text("Sign in")
    context.close()


@pytest.mark.parametrize("path", ["/", "/documents", "/admin", "/admin/documents"])
def test_a_page_of_twice_the_size_needs_no_scrolling_sideways(
    browser: Browser, product: Product, path: str
) -> None:
    """200 % on a window of 1,280 pixels are 640 of the page's own, each drawn as two."""
    look: dict[str, Any] = {"viewport": {"width": 640, "height": 360}, "device_scale_factor": 2}
    with visit(browser, product, **look) as window:
        window.open("/sign-in")
        sign_in(window, product, "admin")
        window.open(path)
        width = window.page.evaluate("document.documentElement.scrollWidth")

    assert width <= 640
