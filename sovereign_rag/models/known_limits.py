"""What a model is not good for, and which languages it was made for: a part of its passport."""

from dataclasses import dataclass
from typing import Final

from sovereign_rag.models import bundled, catalogue

NOT_STATED: Final = "not stated"


@dataclass(frozen=True, slots=True)
class Known:
    """Of one model, as its publisher or whoever brought it says."""

    languages: tuple[str, ...] = ()  # ISO 639-1; Tesseract's own codes for its data; (): not said
    limits: str = NOT_STATED


_BUNDLED: Final = {
    bundled.E5_SHA256: Known(
        (),
        "Trained on texts of some hundred languages, less well on the rarer ones; reads 512 tokens "
        "of a text at most; tells little of numbers, codes and negations, for which the search by "
        "words stands beside it; its weights were rounded to 4 bits before they were unpacked.",
    ),
    bundled.SMOLLM2_SHA256: Known(
        ("en",),
        "A very small model (135 million parameters) of English texts: it proves the path, writes "
        "other languages badly, and makes things up; answers are extracts unless the exam says "
        "otherwise.",
    ),
}
_RECOGNITION: Final = (
    "Made for printed text: handwriting, small or blurred print, formulas and ornamental type are "
    "read badly, and its confidence in a word is no proof that the word is right."
)
_TURNS: Final = "Tells how a page lies, by its script; needs some lines of text for it."


def known_of(sha256: str) -> Known:
    """Of a model of the catalogue or of the packages, by its hash; of any other nothing."""
    if listed := catalogue.by_hash(sha256):
        return Known(tuple(listed.languages), listed.limits)
    return _BUNDLED.get(sha256, Known())


def known_of_recognition(data: str) -> Known:
    """Of a file of Tesseract's data, e.g. "fra"; "osd" is the one that tells how a page lies."""
    return Known((), _TURNS) if data == "osd" else Known((data,), _RECOGNITION)
