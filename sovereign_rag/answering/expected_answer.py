"""What a sentence can't lack where it answers a question: a time or an amount asked for, the
values and the "not" of the question.

A question for a year is not answered by a sentence without one, nor one about 1935 by a sentence
about 1931. This is a look at words: it tells when a sentence can hardly be the answer, never that
it is. Words are those of the lexicons; in a language without one, digits alone are seen.
"""

import html
import re
from typing import Final, Literal

from sovereign_rag.answering.contradiction import negated
from sovereign_rag.text.dates import Date
from sovereign_rag.text.lexicon import whole_words
from sovereign_rag.text.numbers import UNITS, Number
from sovereign_rag.text.quantities import Values, values

ExpectedAnswerType = Literal["time", "amount"]

_TYPES: Final[tuple[ExpectedAnswerType, ...]] = ("time", "amount")
_TAG: Final = re.compile(r"<[^<>]*>|\]\([^()]*\)|[*_`#~\[\]]+")
_WORD: Final = re.compile(r"\w+")
_TIMES: Final = ("time", "months")
_DIGIT: Final = re.compile(r"\d")
_SHORT_CODE: Final = 2  # digits of one that another of its form stands for something else
_LONG_CODE: Final = 5  # digits of an identifier that names one thing; 37signals and H200 are words


def lacks(
    question: str,
    language: str,
    sentence: str,
    around: str,
    spoken: str,
    *,
    given: str = "",
    under: str = "",
) -> bool:
    """Whether `sentence` lacks what an answer to `question` would hold.

    Args:
        question: As it was asked.
        language: The question's.
        sentence: That may answer it.
        around: The sentence with its neighbours, headings, title and file name; a value of the
            question may stand there as well, or lie in a range that does.
        spoken: The language of the sentence.
        given: What was asked before, where the question leans on it.
        under: The headings and the lead-in that the sentence stands under: a "not" there is its.
    """
    question, given = without_markup(question), without_markup(given)
    kind = expected_answer_type(question, language)
    if kind and not holds(kind, sentence, spoken, f"{given} {question}", language):
        return True
    asked = values(question, language)
    if _needed(asked, values(around, spoken)) or _names_another(asked, around, spoken):
        return True
    return negated(question, language) and not (negated(sentence, spoken) or negated(under, spoken))


def expected_answer_type(question: str, language: str) -> ExpectedAnswerType | None:
    """The kind that a question asks for, where its words tell."""
    for kind in _TYPES:
        cues = whole_words(language, "asked", f"asks_{kind}")
        if cues and cues.search(question):
            return kind
    return None


def holds(
    kind: ExpectedAnswerType, sentence: str, spoken: str, question: str, language: str
) -> bool:
    """Whether a sentence names a time or an amount that the question does not name itself."""
    asked, said = values(question, language), values(sentence, spoken)
    if said.times or any(
        not any(date.agrees(other, asked.years) for other in asked.dates) for date in said.dates
    ):
        return True
    new = [n for n in said.numbers if not any(n.agrees(other) for other in asked.numbers)]
    if any(_can_be(kind, number) for number in new):
        return True
    words = whole_words(spoken, "asked", f"{kind}s")
    if not words:
        return False
    known = {word.casefold() for word in _WORD.findall(question)}
    return any(found.group().casefold() not in known for found in words.finditer(sentence))


def without_markup(text: str) -> str:
    """A question without the marks of HTML and Markdown, whose digits are no numbers of it."""
    return _TAG.sub(" ", html.unescape(text))


def _can_be(kind: ExpectedAnswerType, number: Number) -> bool:
    """Whether a number can be what is asked for: 300 euros are no time."""
    if kind == "amount" or not number.unit:
        return True
    return UNITS.get(number.unit, ("", 0))[0] in _TIMES


def _names_another(asked: Values, around: str, spoken: str) -> bool:
    """Whether an identifier of the question stands nowhere and another of its form does: VB-1050
    where VB-1065 is asked for.
    """
    there = values(around, spoken)
    forms = {_DIGIT.sub("0", code) for code in there.codes}
    return any(
        _DIGIT.sub("0", code) in forms and not there.has_code(code)
        for code in asked.codes
        if sum(c.isdigit() for c in code) >= _SHORT_CODE
    )


def _needed(asked: Values, there: Values) -> bool:
    """Whether a value of the question stands nowhere, nor lies in a range.

    What holds from a date on, or until one, tells of every other date whether it held then.
    """
    lacking = there.lacking(asked, given=asked)
    if there.borders_time:
        lacking = [value for value in lacking if not isinstance(value, Date)]
    return any(
        not isinstance(value, str) or sum(c.isdigit() for c in value) >= _LONG_CODE
        for value in lacking
    )
