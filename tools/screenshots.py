"""Make docs/pages/*.png: every page of the service, as an employee and an admin meet it.

`.venv/bin/python tools/screenshots.py [NAME ...]`, in a `.venv` with what the tests need; names
choose some of the pages. It takes example documents into a folder of its own, serves them on a free
port, signs in, asks, keeps an answer, and photographs.
"""

import re
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from PIL import Image
from playwright.sync_api import Page, sync_playwright

ROOT: Final = Path(__file__).resolve().parent.parent
TARGET: Final = ROOT / "docs" / "pages"
COMMAND: Final = str(Path(sys.executable).with_name("sovereign-rag"))
DOCUMENTS: Final = (
    "examples/documents/filings/Amcor-2023-Q4-Earnings-Release.pdf",
    "examples/documents/filings/Foot-Locker-2022-08-19-Press-Release.eml",
    "examples/documents/demarches/Temperature-de-chauffage.pdf",
    "examples/documents/recht/Informationsfreiheitsgesetz-Auszug.eml",
)
QUESTION: Final = "What quarterly dividend did the Amcor board declare?"
NOWHERE: Final = "Who won the chess tournament of 1987?"
CHROMIUM: Final = "/usr/bin/chromium"
FLAGS: Final = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
WIDE: Final = {"width": 1100, "height": 760}
NARROW: Final = {"width": 320, "height": 760}
TALLEST: Final = 1_800
COLOURS: Final = 64


@dataclass(frozen=True)
class Shot:
    """A page, and what is done there before it is photographed."""

    name: str
    path: str
    do: Callable[[Page], None] = lambda window: None
    viewport: tuple[int, int] = (WIDE["width"], WIDE["height"])
    dark: bool = False
    tallest: int = TALLEST  # what is below is cut off


def _ask(question: str) -> Callable[[Page], None]:
    def do(window: Page) -> None:
        window.locator("#question").fill(question)
        window.locator("#ask button[type=submit]").click()
        window.wait_for_url("**/c/*", timeout=180_000)
        window.locator(".answer").wait_for(timeout=180_000)

    return do


def _open(selector: str) -> Callable[[Page], None]:
    return lambda window: window.locator(selector).first.click()


def _leaf(window: Page) -> None:
    """A page of the first document that has several, with the others as small pictures."""
    window.locator("table.documents th a", has_text="Amcor").first.click()
    window.locator("details.thumbnails summary").click()
    window.wait_for_timeout(2_000)


def _find(window: Page) -> None:
    window.locator("table.documents th a", has_text="Amcor").first.click()
    window.locator("#find").fill("dividend")
    window.locator("#find").press("Enter")
    window.wait_for_url("**/find?**")


def _source(window: Page) -> None:
    """A folder that is added, and its page."""
    window.locator("summary").first.click()
    window.locator("#name").fill("contracts")
    folder = window.locator("#folder")
    folder.fill(folder.input_value())
    window.locator("#readers").fill("everyone")
    window.locator("form.sheet-form button.primary").first.click()
    window.get_by_role("link", name="contracts").click()


def _preview(window: Page) -> None:
    """What a sync of that folder would do."""
    window.get_by_role("link", name="contracts").click()
    window.get_by_role("button", name="Test, and see").click()
    window.wait_for_url("**/preview*")


def _storage(window: Page) -> None:
    """The form of an object storage, filled in."""
    _open("details:has([name=kind][value=s3]) summary")(window)
    window.locator("form:has([name=kind][value=s3]) [name=name]").fill("archive")
    window.locator("form:has([name=kind][value=s3]) [name=place]").fill("minutes/2026")


def _shared(window: Page) -> None:
    """An answer as a colleague opens it."""
    _ask(QUESTION)(window)
    window.locator("form[action$='/share'] button").first.click()
    window.goto(window.locator("input[value*='/c/shared/']").last.input_value())


def _delete(window: Page) -> None:
    """Two documents that are about to be deleted."""
    for number in (0, 1):
        window.locator("[name=document]").nth(number).check()
    window.locator("button[value=delete]").click()
    window.locator("button[value=confirmed]").wait_for()


def _several(window: Page) -> None:
    """Two documents whose readers are about to be changed."""
    for number in (0, 1):
        window.locator("[name=document]").nth(number).check()
    window.locator("button[value=choose]").click()
    window.locator("button[value=review]").wait_for()


def _keep(window: Page) -> None:
    """From an answer to the form that keeps it for the house, filled in and sent."""
    _ask(QUESTION)(window)
    window.locator("a[href^='/admin/words/answers/new']").click()
    window.locator("[name=text_en]").fill(
        "Amcor's board declared 12.25 cents a share.\n\nIt is paid at the end of September."
    )


def _kept(window: Page) -> None:
    _keep(window)
    window.locator("form.sheet-form button.primary").click()
    window.locator(".done").wait_for()


_PHONE: Final = (NARROW["width"], NARROW["height"])
ADMIN: Final = (
    *("documents", "upload", "jobs", "sources", "people", "keys", "quality", "usage"),
    *("words", "audit", "models", "index", "settings", "webhooks"),
)
SHOTS: Final = (
    Shot("ask", "/"),
    Shot("ask-phone", "/", viewport=_PHONE),
    Shot("answer", "/", _ask(QUESTION)),
    Shot("answer-dark", "/", _ask(QUESTION), dark=True),
    Shot("not-found", "/", _ask(NOWHERE)),
    Shot("keep-answer", "/", _keep),
    Shot("words-kept", "/", _kept),
    Shot("house-answer", "/", _ask(QUESTION)),
    Shot("shared", "/", _shared),
    Shot("answer-phone", "/", _ask(QUESTION), viewport=_PHONE),
    Shot("conversations", "/c"),
    Shot("search", "/search?q=dividend"),
    Shot("search-empty", "/search?q=dividend&from=2099-01-01"),
    Shot("documents", "/documents"),
    Shot("documents-phone", "/documents", viewport=_PHONE),
    Shot("viewer", "/documents", _leaf),
    Shot("find", "/documents", _find),
    Shot("missing", "/documents/none/pages/1"),
    Shot("sign-in", "/sign-in"),
    Shot("overview", "/admin"),
    *(Shot(f"admin-{part}", f"/admin/{part}") for part in ADMIN),
    Shot("settings-phone", "/admin/settings", viewport=_PHONE),
    Shot("settings-change", "/admin/settings", _open("details.setting summary"), tallest=760),
    Shot("edit", "/admin/documents", _open("a[href$='/edit']")),
    Shot("people-why", "/admin/people/why?user=ada"),
    Shot("people-readable", "/admin/people/readable?user=ada"),
    Shot("source", "/admin/sources", _source),
    Shot("source-preview", "/admin/sources", _preview),
    Shot("source-storage", "/admin/sources", _storage),
    Shot("delete", "/admin/documents", _delete),
    Shot("edit-several", "/admin/documents", _several),
    Shot("overview-dark", "/admin", dark=True),
    Shot("overview-phone", "/admin", viewport=_PHONE),
    Shot("jobs", "/jobs"),
    Shot("job", "/jobs", _open("table.documents th a")),
    Shot("api", "/docs"),
    Shot("design", "/design", tallest=5_000),
    Shot("design-dark", "/design", dark=True, tallest=5_000),
)


_NAME_FOLDER: Final = r"""() => {
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    texts.currentNode.data = texts.currentNode.data.replaceAll(/\/tmp\/tmp\w+/g, "/srv");
  }
  for (const field of document.querySelectorAll("input")) {
    field.value = field.value.replaceAll(/\/tmp\/tmp\w+/g, "/srv");
  }
}"""
"""The folder of this run has a name of chance; a picture shows one as somebody would choose it."""

LED_TO: Final = frozenset(
    {
        *("/documents/{document_id}/pages/{number}", "/documents/{document_id}/find"),
        *("/admin/documents/{document_id}/edit", "/admin/sources/{name:path}"),
        *("/admin/words/answers/new", "/jobs/{job_id}", "/jobs"),
    }
)
"""Pages whose picture is reached by way of another, or looks like another's."""


def main(wanted: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        data = ("--data-dir", f"{folder}/data", "--config", _settings(Path(folder)))
        taken_in = [COMMAND, "ingest", *DOCUMENTS, "--readers", "everyone", *data]
        subprocess.run(taken_in, cwd=ROOT, check=True)
        key = _key(data)
        serve = [COMMAND, "serve", "--port", "0", *data]
        with subprocess.Popen(serve, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            address = server.stdout.readline().strip()
            try:
                chosen = [s for s in SHOTS if not wanted or s.name in wanted]
                photograph(address, key, chosen, TARGET)
            finally:
                server.terminate()


def _settings(folder: Path) -> str:
    """A settings file by which every page is open, with a folder to add as a source."""
    sources = folder / "files"
    sources.mkdir()
    (sources / "lease.md").write_text("# Lease\n\nThe lease ends in May.\n", encoding="utf-8")
    file = folder / "settings.toml"
    file.write_text(
        f'[server]\ndesign_page = true\n[console]\nsource_folders = ["{sources}"]\n'
        f'import_folders = ["{sources}"]\nsource_addresses = ["https://storage.example.org", '
        '"imaps://mail.example.org"]\n',
        encoding="utf-8",
    )
    return str(file)


def _key(data: tuple[str, ...]) -> str:
    ends = (datetime.now(UTC) + timedelta(days=9)).date()
    made = [COMMAND, "keys", "create", "--user", "ada", "--name", f"Ada, until {ends}"]
    done = subprocess.run(
        [*made, "--role", "admin", "--days", "9", *data],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    return done.stdout.strip().splitlines()[-1].strip()


def photograph(address: str, key: str, shots: Sequence[Shot], target: Path) -> None:
    """Sign in with `key` at a running service, and write a picture of each into `target`."""
    target.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        window = browser.new_context(locale="en-GB").new_page()
        window.set_default_timeout(120_000)
        window.goto(f"{address}/sign-in")
        window.locator("input[type=password]").fill(key)
        window.locator("main button").click()
        window.locator(".user").wait_for()
        for shot in shots:
            window.set_viewport_size({"width": shot.viewport[0], "height": shot.viewport[1]})
            window.emulate_media(color_scheme="dark" if shot.dark else "light")
            window.goto(address + shot.path)
            shot.do(window)
            window.wait_for_load_state("networkidle")
            window.evaluate("window.scrollTo(0, 0)")
            window.evaluate(_NAME_FOLDER)
            path = target / f"{shot.name}.png"
            window.screenshot(path=path, full_page=True)
            _shrink(path, shot.tallest)
            print(shot.name, window.evaluate("document.documentElement.scrollWidth"), flush=True)
        browser.close()


def _shrink(path: Path, tallest: int) -> None:
    """Few colours, and no taller than what is looked at."""
    picture = Image.open(path).convert("RGB")
    picture = picture.crop((0, 0, picture.width, min(picture.height, tallest)))
    picture.quantize(COLOURS).save(path, optimize=True)


if __name__ == "__main__":
    main([re.sub(r"\.png$", "", name) for name in sys.argv[1:]])
