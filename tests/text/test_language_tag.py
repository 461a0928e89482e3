"""Languages as they are stated of documents: known ones, each in one way of writing."""

import pytest

from sovereign_rag.metadata import Stated
from sovereign_rag.text.language_tag import checked_tag


@pytest.mark.parametrize(
    ("said", "tag", "spoken"),
    [
        ("fr", "fr", "fr"),
        (" DE ", "de", "de"),
        ("fra", "fr", "fr"),  # ISO 639-2
        ("pt_br", "pt-BR", "pt"),
        ("zh-hant-tw", "zh-Hant-TW", "zh"),
        ("gsw", "gsw", "gsw"),  # no code of two letters
        ("ca-valencia", "ca-valencia", "ca"),
    ],
)
def test_a_language_is_kept_as_its_tag_and_searched_by_its_code(
    said: str, tag: str, spoken: str
) -> None:
    found = checked_tag(said)

    assert (found, Stated(language=found).spoken) == (tag, spoken)


@pytest.mark.parametrize("said", ["", "french", "xx", "und", "mul", "fr-XY", "x-house", "fr,de"])
def test_what_names_no_language_is_refused_with_how_to_write_one(said: str) -> None:
    with pytest.raises(ValueError, match="such as fr, or its tag, such as pt-BR"):
        checked_tag(said)
