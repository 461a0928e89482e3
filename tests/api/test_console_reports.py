"""What the console tells of use and quality, and where it begins for who only looks on."""

import httpx
import pytest

from sovereign_rag.catalog.usage import Spent
from sovereign_rag.roles import Role, Scope
from tests.api.conftest import Product
from tests.api.test_record import recorded_by

HTML = {"Accept": "text/html"}


@pytest.fixture(scope="module")
def secrets(product: Product) -> dict[str, str]:
    """The key of an auditor, of a loader that asks nothing, and of a reader."""
    make = product.application.catalog.keys.create
    return {
        "auditor": make("Audrey", "audrey", role=Role.AUDITOR)[1],
        "loader": make("Loader", "loader", role=Role.ADMIN, scopes=[Scope.INGEST])[1],
        "ana": product.keys["ana"],
        "admin": product.keys["admin"],
    }


def get(product: Product, secret: str, path: str) -> httpx.Response:
    with product.client() as client:
        return client.get(path, headers=HTML | {"Authorization": f"Bearer {secret}"})


@pytest.mark.parametrize(
    ("who", "first"),
    [("auditor", "/admin/audit"), ("loader", "/admin/upload"), ("ana", None), ("admin", None)],
)
def test_who_signs_in_and_neither_reads_nor_asks_begins_at_the_console(
    product: Product, secrets: dict[str, str], who: str, first: str | None
) -> None:
    with product.client() as browser:
        signed_in = browser.post(
            "/sign-in", data={"key": secrets[who]}, headers=HTML | {"Origin": product.url}
        )
        start = browser.get(signed_in.headers["location"], headers=HTML)
        page = browser.get(start.headers["location"], headers=HTML) if first else start

    assert start.headers.get("location") == first
    assert (start.status_code, page.status_code) == (303 if first else 200, 200)
    assert ('<a href="/documents"' in page.text) is (first is None)  # what would refuse them
    assert ('<textarea id="question"' in page.text) is (first is None)


def test_usage_is_told_to_who_oversees_by_day_person_and_key_and_is_on_the_record(
    product: Product, secrets: dict[str, str]
) -> None:
    usage = product.application.catalog.usage
    usage.add(tenant="default", person="user:wilma", key="k-wilma", spent=Spent(3, 1, 1_234, 56.4))
    usage.add(tenant="elsewhere", person="user:yorick", key=None, spent=Spent(7, 7))
    pages: dict[str, str] = {}

    def act() -> None:
        for by in ("day", "person", "key"):
            pages[by] = get(product, secrets["auditor"], f"/admin/usage?days=7&by={by}").text
        elsewhere = get(product, product.keys["stranger"], "/admin/usage?by=person").text
        assert "yorick" in elsewhere
        assert "wilma" not in elsewhere
        assert get(product, secrets["ana"], "/admin/usage").status_code == 403
        assert get(product, secrets["admin"], "/admin/usage?by=tenant").status_code == 400

    recorded = recorded_by(product, act)

    assert '<rect class="bar-bad"' in pages["day"]
    assert "<tbody>" in pages["day"]
    assert "wilma" not in pages["day"]
    assert "wilma" in pages["person"]
    assert "1,234" in pages["person"]
    assert "k-wilma" in pages["key"]
    assert not any("yorick" in page for page in pages.values())
    looked = [e for e in recorded if e.action == "usage" and e.principal == "user:audrey"]
    assert [e.detail["by"] for e in looked] == [["day"], ["person"], ["key", "person"]]
