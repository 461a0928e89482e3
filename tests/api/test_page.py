"""The page as people use it: in a real browser, by keyboard, in their language, without script."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.api.conftest import Product

pytestmark = pytest.mark.browser

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
QUESTIONS = {
    "fr": (
        "Quelle est la température maximale de chauffage d'un logement ?",
        "Extraits mot pour mot",
        "Page 1 sur 4",
        "19°C",
    ),
    "de": (
        "Innerhalb welcher Frist soll der Informationszugang erfolgen?",
        "Auszüge im Wortlaut",
        "Text des Dokuments",
        "innerhalb eines Monats",
    ),
    "en": (
        "Who was appointed chief executive officer of Foot Locker?",
        "Verbatim extracts",
        "Text of the document",
        "Dillon",
    ),
}


@dataclass
class Visit:
    """A browser window, and what went wrong or elsewhere in it."""

    page: Page
    url: str
    elsewhere: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def open(self, path: str) -> None:
        self.page.goto(self.url + path)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    if not CHROMIUM.exists():
        pytest.fail(f"{CHROMIUM} is missing; on Debian: apt-get install chromium")
    expect.set_options(timeout=60_000)  # the machine may be busy
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield browser
        browser.close()


@contextmanager
def visit(browser: Browser, product: Product, **options: Any) -> Iterator[Visit]:
    """A fresh window, not signed in; at its end nothing may have gone wrong or elsewhere."""
    context = browser.new_context(**{"locale": "en-GB", **options})
    context.set_default_timeout(60_000)
    visit = Visit(context.new_page(), product.url)
    visit.page.on(
        "request",
        lambda request: (
            None if request.url.startswith(product.url) else visit.elsewhere.append(request.url)
        ),
    )
    visit.page.on(
        "console",
        lambda message: (
            visit.complaints.append(message.text) if message.type in {"error", "warning"} else None
        ),
    )
    visit.page.on("pageerror", lambda error: visit.complaints.append(str(error)))
    yield visit
    context.close()
    assert visit.elsewhere == []
    assert visit.complaints == []


def sign_in(visit: Visit, product: Product, who: str) -> None:
    visit.page.locator("#key").fill(product.keys[who])
    visit.page.keyboard.press("Enter")
    visit.page.wait_for_url(lambda url: "/sign-in" not in url)


@pytest.mark.parametrize("language", ["fr", "de", "en"])
def test_a_citation_leads_from_the_answer_to_the_marked_page(
    browser: Browser, product: Product, language: str
) -> None:
    question, kind, place, answer = QUESTIONS[language]
    with visit(browser, product, locale=language) as window:
        page = window.page
        window.open("/")
        sign_in(window, product, "ana")
        page.locator("#question").fill(question)
        page.locator("button[type=submit]").click()
        expect(page.locator(".kind")).to_have_text(kind)
        expect(page.locator("html")).to_have_attribute("lang", language)
        expect(page.locator(".statements")).to_contain_text(answer)
        quote = page.locator(".extract blockquote").first.inner_text()
        page.locator(".chip").first.click()

        mark = page.locator("mark")
        expect(page.locator("main")).to_contain_text(place)
        expect(mark).to_be_in_viewport()
        assert _words(mark.inner_text()) in _words(quote)
        if language == "fr":  # a PDF; mail has no page images
            image = page.locator(".sheet img")
            expect(image).to_be_in_viewport()
            assert re.search(r"/image\?start=\d+&end=\d+$", image.get_attribute("src") or "")
            assert image.evaluate("image => image.decode().then(() => image.naturalWidth)") > 500


def test_the_page_works_without_a_mouse(browser: Browser, product: Product) -> None:
    with visit(browser, product) as window:
        page = window.page
        window.open("/sign-in")
        page.keyboard.press("Tab")
        expect(page.locator(".skip")).to_be_focused()
        expect(page.locator(".skip")).to_be_in_viewport()
        page.keyboard.press("Enter")
        page.keyboard.press("Tab")
        expect(page.locator("#key")).to_be_focused()
        page.keyboard.insert_text(product.keys["ana"])
        page.keyboard.press("Enter")

        page.wait_for_url(f"{product.url}/")
        _tab_to(page, "#question")
        page.keyboard.insert_text(QUESTIONS["en"][0])
        page.keyboard.press("Control+Enter")
        expect(page.locator("#status")).to_have_text("The answer is ready.")
        _tab_to(page, ".chip")
        assert page.locator(".chip").first.evaluate(
            "chip => getComputedStyle(chip).outlineStyle"
        ) == ("solid")
        page.keyboard.press("Enter")

        expect(page.locator("mark")).to_be_in_viewport()


def test_an_answer_that_was_not_found_says_so(browser: Browser, product: Product) -> None:
    with visit(browser, product, locale="de") as window:
        window.open("/")
        sign_in(window, product, "stranger")  # whose tenant has no documents
        window.page.locator("#question").fill("Wie hoch ist die Hundesteuer in Köln?")
        window.page.keyboard.press("Control+Enter")

        expect(window.page.locator(".kind")).to_have_text("Nicht gefunden")
        expect(window.page.locator(".chip")).to_have_count(0)


def test_the_page_answers_without_script(browser: Browser, product: Product) -> None:
    with visit(browser, product, java_script_enabled=False) as window:
        page = window.page
        window.open("/")
        sign_in(window, product, "ana")
        page.locator("#question").fill(QUESTIONS["fr"][0])
        page.locator("button[type=submit]").click()
        expect(page.locator(".statements")).to_contain_text("19°C")
        page.locator(".chip").first.click()

        expect(page.locator("mark")).to_contain_text("19°C")
        expect(page.locator(".sheet img")).to_be_in_viewport()


@pytest.mark.parametrize("script", [True, False], ids=["with script", "without"])
def test_a_conversation_stays_from_the_first_question_to_its_deletion(
    browser: Browser, product: Product, script: bool
) -> None:
    first, second = QUESTIONS["fr"][0], "Et dans un logement ancien ?"
    with visit(browser, product, locale="fr", java_script_enabled=script) as window:
        page = window.page
        window.open("/")
        sign_in(window, product, "ana")
        page.locator("#question").fill(first)
        page.locator("button[type=submit]").click()
        expect(page.locator(".turn .statements")).to_contain_text("19°C")
        page.locator(".turn .chip").first.click()
        expect(page.locator("mark")).to_contain_text("19°C")
        page.go_back()
        expect(page.locator(".turn .statements")).to_contain_text("19°C")
        page.locator("#question").fill(second)
        page.locator("button[type=submit]").click()
        expect(page.locator(".turn")).to_have_count(2)
        expect(page.locator(".understood")).to_contain_text(second)
        page.reload()
        expect(page.locator(".turn .asked")).to_have_text([first, second])
        page.get_by_role("link", name="Deutsch").click()
        expect(page.locator(".turn .asked")).to_have_text([first, second])
        page.get_by_role("button", name="Mit anderen teilen").first.click()
        link = page.locator("#turn-1-link").input_value()
        page.locator(".vote summary").last.click()
        page.get_by_role("button", name="Nicht hilfreich").click()
        expect(page.locator(".vote summary").last).to_contain_text("nicht hilfreich")

        with visit(browser, product) as colleague:
            colleague.open("/sign-in?next=" + link.removeprefix(product.url))
            sign_in(colleague, product, "hugo")
            expect(colleague.page.locator(".turn .asked")).to_have_text(first)
            expect(colleague.page.locator(".turn .statements")).to_contain_text("19°C")

        page.get_by_role("link", name="Gespräche", exact=True).click()
        page.locator("#q").fill("ancien")
        page.keyboard.press("Enter")
        expect(page.locator(".found")).to_have_text(second)
        page.locator(".conversations summary").click()
        page.get_by_role("textbox", name="Titel").fill("Chauffage")
        page.get_by_role("button", name="Umbenennen").click()
        expect(page.locator(".conversation").first).to_have_text("Chauffage")
        page.locator(".conversations summary").first.click()
        page.get_by_role("button", name="Dieses Gespräch löschen").first.click()
        expect(page.get_by_role("link", name="Chauffage", exact=True)).to_have_count(0)


def test_who_is_not_signed_in_is_asked_to_and_comes_back(
    browser: Browser, product: Product
) -> None:
    heating = product.documents["Temperature-de-chauffage.pdf"]
    with visit(browser, product) as window:
        page = window.page
        window.open(f"/documents/{heating}/pages/2")
        expect(page.locator("h1")).to_have_text("Sign in")
        sign_in(window, product, "ana")
        expect(page.locator("main")).to_contain_text("Page 2 of 4")
        expect(page.locator(".user")).to_have_text("ana")
        page.get_by_role("button", name="Sign out").click()
        window.open("/documents")

        expect(page.locator("h1")).to_have_text("Sign in")


def test_a_wrong_key_is_refused_on_the_page(browser: Browser, product: Product) -> None:
    with visit(browser, product) as window:
        window.open("/sign-in")
        window.page.locator("#key").fill("srag_0123_wrong")
        window.page.keyboard.press("Enter")

        expect(window.page.get_by_role("alert")).to_contain_text("not valid")
        window.complaints.clear()  # the browser itself reports the status 401


def test_the_list_shows_what_its_reader_may_read(browser: Browser, product: Product) -> None:
    names = {}
    for who in ("ana", "hugo"):
        with visit(browser, product) as window:
            window.open("/documents")
            sign_in(window, product, who)
            names[who] = window.page.locator("tbody").inner_text()

    assert "salaries.md" not in names["ana"]
    assert "salaries.md" in names["hugo"]
    assert "Temperature-de-chauffage.pdf" in names["ana"]


def test_what_a_document_says_is_text_and_nothing_else(browser: Browser, product: Product) -> None:
    salaries = product.documents["salaries.md"]
    with visit(browser, product) as window:
        window.open(f"/documents/{salaries}/pages/1")
        sign_in(window, product, "hugo")
        text = window.page.locator(".page-text")

        expect(text).to_contain_text("https://intranet.example/salaries")
        expect(text.locator("a, b, script")).to_have_count(0)


def test_an_unreadable_page_and_a_missing_one_look_the_same(
    browser: Browser, product: Product
) -> None:
    texts = []
    for document in (product.documents["salaries.md"], "11111111-1111-5111-8111-111111111111"):
        with visit(browser, product) as window:
            window.open(f"/documents/{document}/pages/1")
            sign_in(window, product, "ana")
            texts.append(window.page.locator("main").inner_text())
            window.complaints.clear()  # the browser itself reports the status 404

    assert texts[0] == texts[1]
    assert "There is nothing here" in texts[0]


def test_the_language_can_be_chosen_and_stays(browser: Browser, product: Product) -> None:
    with visit(browser, product, locale="de-DE") as window:
        page = window.page
        window.open("/sign-in?next=/documents")
        expect(page.locator("h1")).to_have_text("Anmelden")
        for name, heading in (("Español", "Inicio de sesión"), ("Italiano", "Accesso")):
            page.get_by_role("link", name=name).click()
            expect(page.locator("h1")).to_have_text(heading)
        page.get_by_role("link", name="Français").click()
        expect(page.locator("h1")).to_have_text("Connexion")
        expect(page.locator("input[name=next]")).to_have_value("/documents")
        window.open("/sign-in")

        expect(page.locator("h1")).to_have_text("Connexion")


@pytest.mark.parametrize("path", ["/", "/documents", "/sign-in", "/docs", "viewer"])
def test_the_page_fits_a_small_telephone(browser: Browser, product: Product, path: str) -> None:
    if path == "viewer":
        path = f"/documents/{product.documents['Temperature-de-chauffage.pdf']}/pages/1"
    with visit(browser, product, viewport={"width": 320, "height": 640}) as window:
        window.open("/sign-in")
        sign_in(window, product, "ana")
        window.open(path)
        width = window.page.evaluate("document.documentElement.scrollWidth")

    assert width <= 320


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(browser: Browser, product: Product, scheme: str) -> None:
    with visit(browser, product, color_scheme=scheme) as window:
        window.open("/sign-in")
        ratios = {
            selector: window.page.locator(selector).first.evaluate(_CONTRAST)
            for selector in ("h1", "#key-hint", "button.primary", ".languages a", ".brand")
        }

    assert {selector: ratio for selector, ratio in ratios.items() if ratio < 4.5} == {}


_CONTRAST = """element => {
  const luminance = colour => {
    const [r, g, b] = colour.match(/[0-9.]+/g).slice(0, 3).map(Number)
      .map(v => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  let ground = element;
  const isClear = e => getComputedStyle(e).backgroundColor === "rgba(0, 0, 0, 0)";
  while (isClear(ground)) ground = ground.parentElement;
  const pair = [getComputedStyle(element).color, getComputedStyle(ground).backgroundColor];
  const [dark, light] = pair.map(luminance).sort((a, b) => a - b);
  return (light + 0.05) / (dark + 0.05);
}"""
"""WCAG 2.2's contrast ratio of an element's text to the ground that it stands on, 1 to 21."""


def _words(text: str) -> str:
    return " ".join(text.split())


def _tab_to(page: Page, selector: str) -> None:
    """Press Tab until an element has the focus, as a person without a mouse would."""
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("selector => document.activeElement.matches(selector)", selector):
            return
    raise AssertionError(f"{selector} can't be reached by keyboard")
