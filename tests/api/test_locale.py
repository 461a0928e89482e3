"""Which language the page speaks, and that it brings all it needs."""

import re

import pytest
from starlette.requests import Request

from sovereign_rag.web.locale import locale_of
from sovereign_rag.web.rendering import STATIC


@pytest.mark.parametrize(
    ("query", "cookie", "accepted", "language"),
    [
        ("", "", "de-CH,de;q=0.9,en;q=0.8", "de"),
        ("", "", "nl,fr;q=0.4,en;q=0.7", "en"),
        ("", "", "es-MX,es;q=0.9,en;q=0.8", "es"),
        ("lang=it", "fr", "en", "it"),
        ("", "", "*", "en"),
        ("", "", "", "en"),
        ("", "fr", "de", "fr"),
        ("lang=de", "fr", "en", "de"),
        ("lang=../../etc", "xx", "fr;q=broken, de;q=0.1", "de"),
    ],
)
def test_the_language_is_the_chosen_one_else_the_browsers(
    query: str, cookie: str, accepted: str, language: str
) -> None:
    request = Request(
        {
            "type": "http",
            "query_string": query.encode(),
            "headers": [
                (b"cookie", f"srag_lang={cookie}".encode()),
                (b"accept-language", accepted.encode()),
            ],
        }
    )

    assert locale_of(request).language == language


@pytest.mark.parametrize("folder", ["templates", "static"])
def test_nothing_is_loaded_from_elsewhere_and_nothing_is_inline(folder: str) -> None:
    for path in (STATIC.parent / folder).rglob("*.*"):
        text = path.read_text(encoding="utf-8")
        text = text.replace('xmlns="http://www.w3.org/2000/svg"', "")

        assert "//" not in re.sub(r"(?m)^\s*//.*$|; //.*$", "", text), path
        if path.suffix == ".html":
            assert not re.search(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=)", text), path
            assert "| safe" not in text
            assert "autoescape" not in text
