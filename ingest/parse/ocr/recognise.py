"""Text, places and confidence of a page that is only an image, by Tesseract."""

import math
import subprocess
import time
from dataclasses import dataclass, replace
from functools import cached_property

from PIL import Image

from ingest.parse.document.blocks import Block
from ingest.parse.document.job import Job, RecognitionRefused
from ingest.parse.document.numbers import number_warning
from ingest.parse.document.text import one_line
from ingest.parse.ocr.image import Prepared, prepared, without
from ingest.parse.ocr.layout import RecognisedWord, blocks_of, inserted
from ingest.parse.ocr.tesseract import (
    Sighted,
    Tesseract,
    installed_tesseract,
    quarters_to_upright,
    sighted,
)
from sovereign_rag.domain import Box
from sovereign_rag.text.language import detect

_LEAST_CONFIDENCE = 0.3  # below it, Tesseract reads specks and lines as letters
_LEAST_OF_THE_REST = 0.6  # for words outside the blocks of text, most of which are no words
_POOR = 0.8  # mean confidence of a page that may lie on its side or its head
_FEW_WORDS = 6
_ENOUGH_LETTERS = 60  # to tell a language
_MUCH_INK = 8  # words that could still stand on the page, judged by its ink
_MOST_INK = 4_000  # a photograph
_TIME_SHARE = 0.8  # of the document's time that recognition may take
_PAGE_TIMEOUT_S = 120
_NONSENSE = 0.4  # mean confidence of words below which they are none
_BLOCKS, _ONE_BLOCK, _SCATTERED = 3, 6, 11  # Tesseract's page segmentation modes


@dataclass(frozen=True, slots=True)
class Recognised:
    """A page as it was read; no blocks where nothing legible stands on it."""

    blocks: tuple[Block, ...]
    confidence: float | None  # 0..1, the mean over the words
    words: str = ""  # as they were recognised, before they became blocks


class _NoTime(Exception):
    pass


class Recogniser:
    """Recognises pages of one document until its share of the time is used up.

    A page is read in one language, that of the pages before it; where its text turns out to be in
    another, it is read again. Several at once make Tesseract slower and put one language's
    accents on another's words, so that is for languages that are not installed.

    Args:
        job: Limits, and the languages to choose from.
        language: ISO 639-1 code of the document's language where its other pages tell it.
    """

    def __init__(self, job: Job, language: str | None = None) -> None:
        self._languages = job.ocr_languages if job.ocr else None
        self._refused = job.recognition_refused
        self._deadline = time.monotonic() + _TIME_SHARE * job.timeout_s
        self._skipped: list[int] = []
        self._doubts: list[str] = []
        self._asked = False
        self._told = language  # ISO 639-1
        self._language: str | None = None  # Tesseract's code
        self.dpi = job.ocr_dpi

    def page(
        self,
        image: Image.Image,
        number: int,
        *,
        is_upright: bool = False,
        is_whole: bool = True,
        language: str | None = None,
        quarters: int = 0,
    ) -> Recognised | None:
        """Read an image of page `number`; None where that is impossible, which is noted.

        Args:
            image: The page.
            number: Its number.
            is_upright: It is known to be, and level: it is not turned to see.
            is_whole: Words that stand alone are looked for once more, between the blocks of text.
            language: ISO 639-1 code of what it seems to be in, where no page before told.
            quarters: Turns against the clock that make its text upright, where they are known.
        """
        self._asked = True
        engine = self._tesseract
        if engine is None or not engine.usable:
            self._skipped.append(number)
            return None
        try:
            self._language = self._language or engine.code(self._told) or engine.code(language)
            return self._page(image, number, engine, is_upright, is_whole, quarters)
        except (OSError, subprocess.SubprocessError, _NoTime):
            self._skipped.append(number)
            return None

    def can_read(self, sample: Image.Image, language: str | None = None) -> bool:
        """Whether lines are written in a script that an installed language has.

        What is recognised of another one is nonsense, and takes longer than words do. Where it
        can't be told the answer is yes.

        Args:
            sample: Some level lines of a page.
            language: As of `page`.
        """
        engine = self._tesseract
        if engine is None or not engine.usable:
            return True
        latin = self._language or engine.code(self._told) or engine.code(language) or engine.first
        for languages in dict.fromkeys((latin, *engine.of_other_scripts)):
            try:
                left = self._time_left()
                seen = list(
                    sighted(sample, languages, dpi=self.dpi, mode=_ONE_BLOCK, timeout_s=left)
                )
            except (OSError, subprocess.SubprocessError, _NoTime):
                return True
            sure = math.fsum(word.confidence for word in seen)
            if len(seen) < _FEW_WORDS or sure >= _NONSENSE * len(seen):
                return True
        self._asked = True
        return False

    @cached_property
    def _tesseract(self) -> Tesseract | None:
        """Asked for with the first page that needs it: most documents have none."""
        if self._refused and self._languages is not None:
            raise RecognitionRefused(self._refused)
        return installed_tesseract(self._languages) if self._languages is not None else None

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was not recognised and how to have it, and numbers that no recognised word has.

        Empty where no page needed recognition.
        """
        if not self._asked:
            return ()
        found = list(self._doubts)
        if self._skipped:
            found.append(f"{_pages(list(dict.fromkeys(self._skipped)))} not read: {self._reason()}")
        if self._tesseract and self._tesseract.usable and self._tesseract.missing:
            missing = ", ".join(self._tesseract.missing)
            found.append(f"Recognised without {missing}. {self._tesseract.way_out()}")
        return tuple(found)

    def _page(
        self,
        image: Image.Image,
        number: int,
        engine: Tesseract,
        is_upright: bool,
        is_whole: bool,
        quarters: int,
    ) -> Recognised:
        picture = prepared(image, quarters, is_level=is_upright)
        tokens, languages = self._read(picture, number, engine)
        if not is_upright and _is_poor(tokens):
            more = quarters_to_upright(picture.image, self._time_left())
            if more:
                turned = prepared(image, more)
                again, spoken = self._read(turned, number, engine)
                if _trust(again) > _trust(tokens):
                    picture, tokens, languages = turned, again, spoken
        # Upright text in a script that no language here is written in: more of it is no better.
        is_nonsense = is_upright and _is_poor(tokens)
        looks_again = is_whole and not is_nonsense
        scattered = self._scattered(picture, tokens, number, languages) if looks_again else []
        every = [*tokens, *scattered]
        if not every:
            return Recognised((), None)
        blocks = inserted(list(blocks_of(tokens)), list(blocks_of(scattered)))
        mean = math.fsum(token.confidence for token in every) / len(every)
        words = " ".join(token.text for token in every)
        doubt = number_warning(number, "\n\n".join(item.text for item in blocks), words)
        self._doubts += [doubt] if doubt else []
        return Recognised(tuple(blocks), round(mean, 4), words)

    def _scattered(
        self, picture: Prepared, tokens: list[RecognisedWord], number: int, languages: str
    ) -> list[RecognisedWord]:
        """Words beside the blocks of text, where enough ink is left for some."""
        rest, ink = without(picture.image, [token.pixels for token in tokens])
        if not _MUCH_INK <= ink <= _MOST_INK:
            return []
        left = replace(picture, image=rest)
        seen = self._tokens(left, number, languages, _SCATTERED, _LEAST_OF_THE_REST)
        return [token for token in seen if sum(map(str.isalnum, token.text)) > 1]

    def _read(
        self, picture: Prepared, number: int, engine: Tesseract
    ) -> tuple[list[RecognisedWord], str]:
        """(words, Tesseract's codes of the languages that they were read in)."""
        languages = self._language or engine.first
        tokens = self._tokens(picture, number, languages)
        text = " ".join(token.text for token in tokens)
        if sum(map(str.isalpha, text)) < _ENOUGH_LETTERS:
            return tokens, languages
        spoken = engine.code(detect(text))
        if spoken == languages or (spoken is None and languages == engine.languages):
            self._language = spoken
            return tokens, languages
        again = self._tokens(picture, number, spoken or engine.languages)
        if _trust(again) < _trust(tokens):
            return tokens, languages
        self._language = spoken
        return again, spoken or engine.languages

    def _tokens(
        self,
        picture: Prepared,
        number: int,
        languages: str,
        mode: int = _BLOCKS,
        least: float = _LEAST_CONFIDENCE,
    ) -> list[RecognisedWord]:
        left = self._time_left()
        seen = sighted(picture.image, languages, dpi=self.dpi, mode=mode, timeout_s=left)
        return [
            _token(item, text, picture, number)
            for item in seen
            if item.confidence >= least and (text := one_line(item.text))
        ]

    def _time_left(self) -> float:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise _NoTime
        return min(_PAGE_TIMEOUT_S, left)

    def _reason(self) -> str:
        if self._tesseract is None:
            return "recognition is off. Set SOVEREIGN_RAG_PARSE__OCR to true."
        if not self._tesseract.usable:
            return f"there is no text on the image. {self._tesseract.way_out()}"
        return "recognition took too long. Raise SOVEREIGN_RAG_PARSE__TIMEOUT_S."


def _token(item: Sighted, text: str, picture: Prepared, number: int) -> RecognisedWord:
    box = Box(number, *picture.on_page(*item.pixels))
    return RecognisedWord(
        (item.block, item.paragraph), item.line, text, item.confidence, box, item.pixels
    )


def _is_poor(tokens: list[RecognisedWord]) -> bool:
    return len(tokens) < _FEW_WORDS or _trust(tokens) < _POOR * len(tokens)


def _trust(tokens: list[RecognisedWord]) -> float:
    return math.fsum(token.confidence for token in tokens)


def _pages(numbers: list[int]) -> str:
    shown = ", ".join(map(str, numbers[:10])) + (", ..." if len(numbers) > 10 else "")
    return f"Page {shown}" if len(numbers) == 1 else f"{len(numbers)} pages ({shown})"
