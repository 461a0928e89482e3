"""The house's own on every page, and settings that are changed while the service runs."""

from pathlib import Path

import pytest

from sovereign_rag.errors import SettingsError
from sovereign_rag.settings.house import contrast
from sovereign_rag.web.house import read_logo
from tests.api.conftest import Product

HTML = {"Accept": "text/html"}
SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9">{}</svg>'


def test_a_name_a_notice_and_a_colour_are_on_every_page_until_they_are_undone(
    product: Product,
) -> None:
    wanted = {
        "house.name": "Wissen & Akten",
        "house.notice": "Tonight from ten <b>maintenance</b>.",
        "house.accent": "#7a1f5c",
    }
    with product.client("admin") as admin, product.client("ana") as ana:
        for name, value in wanted.items():
            admin.post("/admin/settings", data={"name": name, "value": value}, headers=HTML)
        page, colours = ana.get("/", headers=HTML).text, ana.get("/house/colours.css").text
        for name in wanted:
            admin.post("/admin/settings/undo", data={"name": name}, headers=HTML)
        after = ana.get("/", headers=HTML).text

    assert "<span>Wissen &amp; Akten</span>" in page
    assert "Tonight from ten &lt;b&gt;maintenance&lt;/b&gt;." in page
    assert ("/house/colours.css?" in page, "--accent: #7a1f5c" in colours) == (True, True)
    assert "Wissen" not in after
    assert "/house/colours.css" not in after


def test_settings_are_changed_by_admins_alone_and_a_refused_value_says_why(
    product: Product,
) -> None:
    form = {"name": "house.accent", "value": "#ffff66"}
    with product.client("admin") as admin, product.client("ana") as ana:
        refused = admin.post("/admin/settings", data=form, headers=HTML)
        reader = ana.post("/admin/settings", data=form, headers=HTML)
        page = ana.get("/", headers=HTML).text

    assert (refused.status_code, reader.status_code) == (400, 403)
    assert "contrast" in refused.text
    assert 'value="#ffff66"' in refused.text
    assert "colours.css" not in page


def test_a_limit_that_is_changed_holds_at_once_and_is_taken_back(product: Product) -> None:
    form = {"name": "limits.key_requests", "value": "2/day"}
    with product.client("admin") as admin, product.client("hugo") as hugo:
        changed = admin.post("/admin/settings", data=form, headers=HTML)
        held = [hugo.get("/v1/me").status_code for _ in range(3)]
        admin.post("/admin/settings/undo", data=form, headers=HTML)
        after = hugo.get("/v1/me").status_code

    assert changed.status_code == 303
    assert (held, after) == ([200, 200, 429], 200)


@pytest.mark.parametrize(
    "inside",
    [
        "<script>alert(1)</script>",
        '<rect onload="alert(1)"/>',
        '<use href="https://elsewhere.example/a.svg#b"/>',
        '<rect fill="url(https://elsewhere.example/)"/>',
        "<style>*{}</style>",
        "<foreignObject/>",
        "<image href='data:image/svg+xml,x'/>",
    ],
)
def test_an_svg_with_more_than_shapes_is_no_logo(tmp_path: Path, inside: str) -> None:
    wrong, right = tmp_path / "wrong.svg", tmp_path / "right.svg"
    wrong.write_text(SVG.format(inside))
    right.write_text(SVG.format('<defs><path id="a"/></defs><use href="#a" fill="url(#g)"/>'))

    with pytest.raises(SettingsError, match="shapes alone"):
        read_logo(wrong)
    assert read_logo(right)[1] == "image/svg+xml"


def test_a_logo_is_a_picture_of_a_reasonable_size(tmp_path: Path) -> None:
    text, large = tmp_path / "logo.png", tmp_path / "large.png"
    text.write_text("<html>")
    large.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(300_000))

    for path in (text, large, tmp_path / "none.png"):
        with pytest.raises(SettingsError, match=r"house\.logo"):
            read_logo(path)


def test_contrast_is_counted_as_the_guideline_says() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)
