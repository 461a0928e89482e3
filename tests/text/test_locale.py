"""Words for people, in five languages."""

import re
import string

import pytest

from sovereign_rag.answering.messages import message
from sovereign_rag.domain import LANGUAGES
from sovereign_rag.text.locale import locale
from sovereign_rag.web.rendering import STATIC
from tests.project.imports import ROOT

WEB = STATIC.parent
ANSWERING = [ROOT / "sovereign_rag" / "answer.py", *(ROOT / "sovereign_rag/answering").glob("*.py")]
KEYS = set(locale("en").texts)
NOTICES = {key.removeprefix("notice.") for key in KEYS if key.startswith("notice.")}


def fields(text: str) -> set[str]:
    """What is put into a text."""
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_language_says_the_same_things(language: str) -> None:
    english, other = locale("en").texts, locale(language).texts

    assert other.keys() == english.keys()
    assert all(fields(other[key]) == fields(english[key]) for key in english)
    assert all(text.strip() for text in other.values())


def test_answers_speak_english_where_there_are_no_words_in_the_asker_s_language() -> None:
    assert message("not_found", "de").startswith("In den Dokumenten")
    assert message("not_found", "pl") == message("not_found", "en")


def test_no_word_of_the_page_is_missing_and_none_is_left_over() -> None:
    sources = [*(WEB / "templates").glob("*.html"), *WEB.glob("*.py")]
    used = " ".join(path.read_text(encoding="utf-8") for path in sources)
    named = set(re.findall(r"""\bt\(\s*["']([a-z_.0-9]+)["']\s*[,)]""", used))
    keys = {key for key in KEYS if not key.startswith("notice.")}

    assert named <= keys
    left_over = {key for key in keys - named if not _is_put_together(key, used)}
    assert left_over == set()


def test_no_word_of_an_answer_is_missing_and_none_is_left_over() -> None:
    used = " ".join(path.read_text(encoding="utf-8") for path in ANSWERING)
    named = set(re.findall(r"""\bmessage\(\s*["']([a-z_]+)["']""", used))

    assert named <= NOTICES
    left_over = {key for key in NOTICES - named if not _is_notice_put_together(key, used)}
    assert left_over == set()


def _is_put_together(key: str, used: str) -> bool:
    """Whether a key is written as t("kind." ~ kind), t.count("found", n) or t(a if b else c)."""
    prefix = key.rpartition(".")[0]
    return any(
        text in used for text in (f'"{prefix}."', f'count("{prefix}"', f'"{key}"', f"'{key}'")
    )


def _is_notice_put_together(key: str, used: str) -> bool:
    """Whether a key is written whole, or as f"talk_{kind}"."""
    put_together = re.findall(r"""f"([a-z_]*\{[a-z_{}.' ]+)\"""", used)
    patterns = [re.sub(r"\{.*?\}", "[a-z_]+", text) for text in put_together]
    return f'"{key}"' in used or any(
        re.fullmatch(pattern, key)
        for pattern in patterns
        if "_by_" in pattern or "talk_" in pattern
    )
