"""Sentences are what is quoted: their borders are right in five languages."""

import pytest

from sovereign_rag.text.sentences import sentences


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        (
            "de",
            "Nach § 433 Abs. 1 BGB gilt dies, z. B. gem. Art. 5 Nr. 3. Am 3. Oktober endet es.",
            [
                "Nach § 433 Abs. 1 BGB gilt dies, z. B. gem. Art. 5 Nr. 3.",
                "Am 3. Oktober endet es.",
            ],
        ),
        (
            "fr",
            "Selon l'art. L. 121-3, M. Dupont paie 1.000,50 euros. Est-ce vrai ? Oui, cf. p. 12.",
            [
                "Selon l'art. L. 121-3, M. Dupont paie 1.000,50 euros.",
                "Est-ce vrai ?",
                "Oui, cf. p. 12.",
            ],
        ),
        (
            "en",
            "Net sales were $12.5 million, i.e. more. See No. 5. It grew.",
            ["Net sales were $12.5 million, i.e. more.", "See No. 5.", "It grew."],
        ),
        (
            "es",
            "El Sr. Pérez vive aquí. ¿Y usted? Sí.",
            ["El Sr. Pérez vive aquí.", "¿Y usted?", "Sí."],
        ),
        (
            "it",
            "Il sig. Rossi abita qui. Perché? No.",
            ["Il sig. Rossi abita qui.", "Perché?", "No."],
        ),
        (
            "de",
            "(1) Es gilt die Frist (Höchstdauer). Sie endet. (2) Sie ruht. Dies gilt\nauch hier.",
            [
                "(1) Es gilt die Frist (Höchstdauer).",
                "Sie endet.",
                "(2) Sie ruht.",
                "Dies gilt\nauch hier.",
            ],
        ),
        (None, "A short text. Another one.", ["A short text.", "Another one."]),
    ],
)
def test_a_sentence_does_not_end_at_an_abbreviation(
    language: str | None, text: str, expected: list[str]
) -> None:
    found = [text[start:end] for start, end in sentences(text, language)]

    assert found == expected


def test_every_row_of_a_table_is_a_sentence() -> None:
    text = "Name | Age\nAda. B. | 36\nAlan | 41"

    found = [text[start:end] for start, end in sentences(text, "en")]

    assert found[0] == "Name | Age"
    assert found[-1] == "Alan | 41"
    assert not any("\n" in sentence for sentence in found)


@pytest.mark.parametrize(
    "text", ["", " \n\n ", "...", "one", "a\n\nb\n\n\nc.", "1. x\n2. y", "«A.» «B.»"]
)
def test_no_character_is_lost_and_none_is_in_two_sentences(text: str) -> None:
    spans = sentences(text, "fr")

    covered = [position for start, end in spans for position in range(start, end)]

    assert len(covered) == len(set(covered))
    assert {i for i, character in enumerate(text) if not character.isspace()} <= set(covered)
