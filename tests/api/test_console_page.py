"""The console in a real browser: what an admin does in a morning, in one go."""

import re
import threading
from pathlib import Path

import pytest
from playwright.sync_api import Browser, FilePayload, Route, expect

from tests.api.conftest import Product
from tests.api.test_page import browser as browser  # the fixture
from tests.api.test_page import sign_in, visit

pytestmark = pytest.mark.browser


def test_an_admin_adds_a_source_mends_a_failure_makes_a_key_explains_a_right_and_reads_the_record(
    browser: Browser, product: Product
) -> None:
    application = product.application
    folder = product.source_folder / "bells"
    folder.mkdir()
    (folder / "bell.md").write_text("# The bell\n\nThe bell rings at noon.\n", encoding="utf-8")
    with visit(browser, product) as window:
        page = window.page
        window.open("/admin")
        sign_in(window, product, "admin")

        # a source, seen through beforehand and synced
        page.get_by_role("link", name="Sources").click()
        page.locator("summary").first.click()
        page.locator("#name").fill("bells")
        page.locator("#folder").fill(str(folder))
        page.locator("#readers").fill("everyone")
        page.get_by_role("button", name="Add the folder").click()
        expect(page.get_by_role("status")).to_contain_text("was added")
        page.get_by_role("link", name="bells").click()
        page.get_by_role("button", name="Test, and see").click()
        expect(page.locator("main")).to_contain_text("bell.md")
        page.get_by_role("button", name="Sync now").click()
        expect(page.get_by_role("status")).to_contain_text("within seconds")
        application.watcher.sync_due(threading.Event(), {})

        # an upload whose file is broken, chosen before the page's script arrived, found as a
        # failure and tried again
        late: list[Route] = []
        page.route("**/upload.js", lambda route: late.append(route))
        with page.expect_request("**/upload.js"):
            page.get_by_role("link", name="Add documents").click()
        broken = FilePayload(name="torn.pdf", mimeType="application/pdf", buffer=b"%PDF-1.7\ntorn")
        page.locator("#file").set_input_files(broken)
        late.pop().continue_()
        expect(page.locator("#chosen")).to_contain_text("torn.pdf")
        page.get_by_role("button", name="Add documents").click()
        page.wait_for_url("**/jobs/*")
        product.work_off()
        window.open("/admin")
        page.get_by_role("link", name="See those that failed").click()
        page.get_by_role("button", name="Try again").first.click()
        expect(page.get_by_role("status")).to_contain_text("tried again")
        product.work_off()
        window.open("/admin/documents?status=failed")
        expect(page.locator("main")).to_contain_text("torn.pdf")

        # a key, shown once
        page.get_by_role("link", name="Keys").click()
        page.locator("summary").first.click()
        page.locator("#user").fill("nils")
        page.get_by_role("button", name="Make the key").click()
        expect(page.locator("#secret")).to_have_value(_starting("srag_"))

        # why somebody reads a document
        page.get_by_role("link", name="People and rights").click()
        page.get_by_role("link", name="nils").click()
        page.locator("#q").fill("bell")
        page.get_by_role("button", name="Show").click()
        page.get_by_role("link", name="Why?").click()
        expect(page.locator("main")).to_contain_text("nils can read it.")
        expect(page.locator("main")).to_contain_text("Held by the source bells.")

        # who did all that
        page.get_by_role("link", name="Audit record").click()
        page.locator("#person").fill("adam")
        page.locator("#action").fill("key.create")
        page.get_by_role("button", name="Show").click()
        expect(page.locator("tbody")).to_contain_text("key.create.done")


def test_an_admin_changes_a_setting_asks_for_an_exam_and_an_index_and_adds_a_storage_and_a_mailbox(
    browser: Browser, product: Product
) -> None:
    with visit(browser, product) as window:
        page = window.page
        status = page.get_by_role("status")
        window.open("/admin/settings")
        sign_in(window, product, "admin")

        # a setting, and its way back
        setting = page.locator("details.setting", has_text="house.name")
        setting.locator("summary").click()
        setting.get_by_role("textbox").fill("Our archive")
        setting.get_by_role("button", name="Change").click()
        expect(status).to_contain_text("changed")
        expect(setting.locator("summary")).to_contain_text("Our archive")
        setting.locator("summary").click()
        setting.get_by_role("button", name="Undo").click()
        expect(setting.locator("summary")).not_to_contain_text("Our archive")

        # an exam and an index: the page waits for neither, and tells of both
        for part, ask in (("Models", "Examine"), ("Index", "Build an index")):
            page.get_by_role("link", name=part, exact=True).click()
            page.get_by_role("button", name=re.compile(f"^{ask}")).first.click()
            expect(status).to_contain_text("begins within seconds")
            page.get_by_role("button", name="Stop").first.click()
            expect(status).to_contain_text("ends at its next step")

        # a storage and a mailbox, where nobody listens: told in words, and removed again
        for kind, place in (("s3", "minutes/2026"), ("imap", "INBOX")):
            page.get_by_role("link", name="Sources").click()
            form = page.locator("details", has=page.locator(f"#{kind}-name"))
            form.locator("summary").click()
            for name, value in (
                *(("name", f"far-{kind}"), ("place", place), ("user", "ana")),
                *(("secret", "a-secret-of-ours"), ("readers", "everyone")),
            ):
                form.locator(f"#{kind}-{name}").fill(value)
            form.get_by_role("button").click()
            expect(status).to_contain_text("was added")
            page.get_by_role("link", name=f"far-{kind}").click()
            expect(page.locator("body")).not_to_contain_text("a-secret-of-ours")
            page.get_by_role("button", name="Test, and see").click()
            expect(page.get_by_role("alert")).to_contain_text("could not be reached")
            page.locator("summary", has_text="Remove").click()
            page.get_by_role("button", name="Remove").click()
            expect(status).to_contain_text("was removed")


def test_the_console_reflows_on_a_phone_and_works_without_script(
    browser: Browser, product: Product
) -> None:
    size = {"width": 320, "height": 640}
    with visit(browser, product, viewport=size, java_script_enabled=False) as window:
        page = window.page
        window.open("/admin")
        sign_in(window, product, "admin")
        for part in ("", "/documents", "/upload", "/jobs", "/sources", "/people", "/keys"):
            window.open(f"/admin{part}")
            expect(page.locator("h1")).to_be_visible()
            box = page.locator("main").bounding_box()
            assert box is not None
            assert box["width"] <= size["width"], part
        window.open("/admin/upload")
        page.locator("#file").set_input_files(str(_note(product.source_folder)))
        page.get_by_role("button", name="Add documents").click()
        page.wait_for_url("**/jobs/*")


def _note(folder: Path) -> Path:
    file = folder / "plain.md"
    file.write_text("# Plain\n\nSent by a form alone.\n", encoding="utf-8")
    return file


def _starting(prefix: str) -> re.Pattern[str]:
    return re.compile(rf"^{prefix}")
