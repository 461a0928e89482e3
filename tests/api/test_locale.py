"""The page's own words, in five languages."""

import re
import string

import pytest
from starlette.requests import Request

from sovereign_rag.domain import LANGUAGES
from sovereign_rag.web.locale import locale, locale_of
from sovereign_rag.web.rendering import STATIC

TEMPLATES = STATIC.parent / "templates"


def test_every_language_says_the_same_things() -> None:
    fields = {
        language: {
            key: {name for _, name, _, _ in string.Formatter().parse(text) if name}
            for key, text in locale(language).texts.items()
        }
        for language in LANGUAGES
    }

    assert set(fields) == {"fr", "de", "en", "es", "it"}
    assert all(said == fields["en"] for said in fields.values())


def test_no_word_is_missing_and_none_is_left_over() -> None:
    sources = [*TEMPLATES.glob("*.html"), *(STATIC.parent).glob("*.py")]
    used = " ".join(path.read_text(encoding="utf-8") for path in sources)
    keys = set(locale("en").texts)
    named = set(re.findall(r"""\bt\(\s*["']([a-z_.0-9]+)["']\s*[,)]""", used))

    assert named <= keys
    left_over = {key for key in keys - named if not _is_put_together(key, used)}
    assert left_over == set()


def _is_put_together(key: str, used: str) -> bool:
    """Whether a key is written as t("kind." ~ kind), t.count("found", n) or t(a if b else c)."""
    prefix = key.rpartition(".")[0]
    return any(
        text in used for text in (f'"{prefix}."', f'count("{prefix}"', f'"{key}"', f"'{key}'")
    )


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
    for path in (STATIC.parent / folder).iterdir():
        text = path.read_text(encoding="utf-8")
        text = text.replace('xmlns="http://www.w3.org/2000/svg"', "")

        assert "//" not in re.sub(r"(?m)^\s*//.*$|; //.*$", "", text), path
        if path.suffix == ".html":
            assert not re.search(r"<style|\sstyle=|\son[a-z]+=|<script(?![^>]*\ssrc=)", text), path
            assert "| safe" not in text
            assert "autoescape" not in text
