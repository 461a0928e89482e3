"""Words for people, in five languages."""

import re
import string
from datetime import UTC, date, datetime

import pytest

from sovereign_rag.answering.messages import counted, message
from sovereign_rag.domain import LANGUAGES
from sovereign_rag.settings.running import RUNNING
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


def test_numbers_dates_and_languages_are_written_as_each_language_does() -> None:
    day, moment = date(2026, 11, 3), datetime(2026, 11, 3, 14, 5, tzinfo=UTC)

    assert {language: locale(language).number(25_000) for language in LANGUAGES} == {
        **{"en": "25,000", "de": "25.000", "es": "25.000", "it": "25.000"},
        "fr": "25\N{NARROW NO-BREAK SPACE}000",
    }
    assert [locale(language).percent(0.899) for language in ("en", "de")] == ["89%", "89\xa0%"]
    assert (locale("de").decimal(1.84), locale("en").decimal(1.84)) == ("1,8", "1.8")
    assert (locale("fr").date(day), locale("de").date(day)) == ("3 nov. 2026", "03.11.2026")
    assert locale("it").time(moment) == "3 nov 2026, 14:05 UTC"
    assert [locale("fr").language_name(code) for code in ("de", None, "xx-none")] == [
        *("allemand", "–", "xx-none")
    ]


def test_nothing_and_one_and_many_are_counted_in_words() -> None:
    found = [locale("fr").count("found", n).split("\xa0")[0] for n in (0, 1, 2)]

    assert found == ["Aucun passage trouvé.", "1 passage trouvé.", "2 passages trouvés."]


@pytest.mark.parametrize("language", LANGUAGES)
def test_texts_are_set_as_print_is_and_count_in_words(language: str) -> None:
    for key, text in locale(language).texts.items():
        assert not re.search(r"\w'\w", text), f"{key}: an apostrophe of a typewriter"
        assert not re.search(r"\w(\([a-zé]{1,2}\)|/[a-zé]\b)", text), f"{key}: two forms at once"
        assert not re.search(r"[\d}] (s|J|min|[MG]i[Bo])\b", text), f"{key}: a unit begins a line"


def test_what_is_left_aside_is_counted_as_each_language_does() -> None:
    told = [counted("turns_dropped", "fr", n).partition(": ")[2] for n in (1, 3)]

    assert told == [
        "sa question la plus ancienne a été laissée de côté.",
        "ses 3 questions les plus anciennes ont été laissées de côté.",
    ]


def test_french_punctuation_does_not_begin_a_line() -> None:
    for text in locale("fr").texts.values():
        assert not re.search(r" [:;?!»]|« |\d \d", text), text
    assert locale("fr")("ask.heading").endswith("savoir\N{NARROW NO-BREAK SPACE}?")


def test_answers_speak_english_where_there_are_no_words_in_the_asker_s_language() -> None:
    assert message("not_found", "de").startswith("In den Dokumenten")
    assert message("not_found", "pl") == message("not_found", "en")


def test_no_word_of_the_page_is_missing_and_none_is_left_over() -> None:
    sources = [*WEB.rglob("*.html"), *WEB.rglob("*.py")]
    used = " ".join(path.read_text(encoding="utf-8") for path in sources)
    named = set(re.findall(r"""\bt\(\s*["']([a-z_.0-9]+)["']\s*[,)]""", used))
    keys = {key for key in KEYS if not key.startswith("notice.")}

    assert named <= keys
    of_settings = {key for key in keys if key.startswith("admin.setting.")}
    assert of_settings == {f"admin.setting.{name}" for name in RUNNING}
    left_over = {key for key in keys - of_settings - named if not _is_put_together(key, used)}
    assert left_over == set()


def test_no_word_of_an_answer_is_missing_and_none_is_left_over() -> None:
    used = " ".join(path.read_text(encoding="utf-8") for path in ANSWERING)
    named = set(re.findall(r"""\bmessage\(\s*["']([a-z_]+)["']""", used))
    for key in re.findall(r"""\bcounted\(\s*["']([a-z_]+)["']""", used):
        named |= {f"{key}.one", f"{key}.many"}

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
