"""Make docs/answer.png from the real page: a cited answer, and the page with its quote marked.

`.venv/bin/python tools/screenshot.py`, in a `.venv` with what the tests need. It takes two example
documents into a folder of its own, serves them on a free port and drives Chromium.
"""

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final

from PIL import Image
from playwright.sync_api import Page, sync_playwright

ROOT: Final = Path(__file__).resolve().parent.parent
COMMAND: Final = str(Path(sys.executable).with_name("sovereign-rag"))
DOCUMENTS: Final = (
    "examples/documents/filings/Amcor-2023-Q4-Earnings-Release.pdf",
    "examples/documents/filings/Foot-Locker-2022-08-19-Press-Release.eml",
)
QUESTION: Final = "What quarterly dividend did the Amcor board declare?"
CHROMIUM: Final = "/usr/bin/chromium"
FLAGS: Final = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
WIDTH: Final = 860
HEIGHT: Final = 900
GAP: Final = 24
COLOURS: Final = 128


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        data = ("--data-dir", f"{folder}/data")
        taken_in = [COMMAND, "ingest", *DOCUMENTS, "--readers", "everyone", *data]
        subprocess.run(taken_in, cwd=ROOT, check=True)
        serve = [COMMAND, "serve", "--port", "0", "--allow-anonymous", *data]
        with subprocess.Popen(serve, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
            assert server.stdout is not None
            address = server.stdout.readline().strip()
            try:
                pictures = _photographed(address, Path(folder))
            finally:
                server.terminate()
        _side_by_side(pictures).save(ROOT / "docs" / "answer.png", optimize=True)


def _photographed(address: str, folder: Path) -> list[Path]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        window = browser.new_context(
            locale="en-GB", viewport={"width": WIDTH, "height": HEIGHT}
        ).new_page()
        window.set_default_timeout(120_000)
        window.goto(address)
        window.locator("#question").fill(QUESTION)
        window.locator("button[type=submit]").click()
        window.locator("#status", has_text="The answer is ready.").wait_for(state="attached")
        window.evaluate("window.scrollTo(0, 0)")
        answer = _shot(window, folder / "answer.png")
        window.locator(".chip").first.click()
        window.locator(".sheet img").wait_for()
        window.locator(".sheet img").evaluate("image => image.decode()")
        window.locator(".sheet img").evaluate("image => image.scrollIntoView()")
        marked = _shot(window, folder / "page.png")
        browser.close()
    return [answer, marked]


def _shot(window: Page, file: Path) -> Path:
    window.screenshot(path=str(file))
    return file


def _side_by_side(files: list[Path]) -> Image.Image:
    pictures = [Image.open(file).convert("RGB") for file in files]
    width = sum(picture.width for picture in pictures) + GAP * (len(pictures) - 1)
    joined = Image.new("RGB", (width, max(picture.height for picture in pictures)), "#d0d0d0")
    left = 0
    for picture in pictures:
        joined.paste(picture, (left, 0))
        left += picture.width + GAP
    return joined.quantize(COLOURS, dither=Image.Dither.NONE)


if __name__ == "__main__":
    main()
