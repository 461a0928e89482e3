"""What a question wants named: a value of a kind (a date, a duration, a price, an address to write
to), a list, a cause, whether something is allowed, and the values that it names itself.

A look at words and values, as in `expected_answer`; there it tells what can hardly be an answer,
here what speaks for one. Words are those of the lexicons, in five languages.
"""

import re
from dataclasses import dataclass
from functools import cache
from typing import Final, Literal, Self

from sovereign_rag.answering.contradiction import negated, opposites
from sovereign_rag.answering.expected_answer import holds, without_markup
from sovereign_rag.answering.question_kind import question_kind
from sovereign_rag.text.lexicon import entries, expression, whole_words
from sovereign_rag.text.numbers import UNITS, Number
from sovereign_rag.text.quantities import Values, values

WantedKind = Literal[
    "address",
    "contact",
    "percentage",
    "money",
    "duration",
    "time",
    "amount",
    "list",
    "cause",
    "leave",
]

_VALUES: Final[tuple[WantedKind, ...]] = (
    "address",
    "contact",
    "percentage",
    "money",
    "duration",
    "time",
    "amount",
)
"""The narrower ones first: "how much does it cost" asks for money, not for any amount."""
_NEEDED: Final = frozenset({"address", "percentage", "money", "duration"})
"""What no sentence without one answers."""
_TAKEN_FOR_GRANTED: Final = ("price", "permission", "duty")
"""Of opposites, see the lexicons: "why must I pay" is set right by what says that it is free."""
_MAYBE: Final = 0.5
"""What a cause is worth where "why" asks for it: that takes for granted what may not be so."""
_LOOSE: Final = 0.5
"""What any number is worth where an amount is asked for and not of what."""
_BETWEEN: Final = 0.75  # what a number is worth that a range holds: "24 hours" comes first
_LASTS: Final = frozenset({"time", "months"})
_DAY: Final = re.compile(
    r"\b\d{1,2}(?:st|nd|rd|th)\b"
    r"|\b\d{1,2}(?:er)? (?:de chaque|du|de cada|del|di ogni) m(?:ois|es|ese)"
    r"|\b\d{1,2}\. (?:des|jeden|eines jeden) monats",
    re.IGNORECASE,
)
_CONTACT: Final = re.compile(
    r"[\w.+-]+@[\w-]+\.\w{2,}|\(?\+?\d[\d ()/.-]{6,}\d|(?<!\S)#[a-z][\w-]{2,}|https?://\S+"
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What would speak for an answer to a question, read off its words once."""

    question: str
    language: str
    kind: WantedKind | None
    units: frozenset[str]  # of what an amount is asked for: "how many days"; empty: not told
    named: Values

    @classmethod
    def of(cls, question: str, language: str, given: str = "") -> Self:
        """
        Args:
            given: What was asked before, where the question leans on it.
        """
        asked = without_markup(question)
        kind = next((kind for kind in _VALUES if _asks(kind, language, asked)), None)
        goes_on = whole_words(language, "questions", "goes_on")
        if kind is None and not (given and goes_on and goes_on.match(asked.lstrip(" ¿¡"))):
            kind = _other_kind(asked, language)
        units = _counted(asked, language) if kind == "amount" else frozenset[str]()
        return cls(
            f"{without_markup(given)} {asked}", language, kind, units, values(asked, language)
        )

    @property
    def is_value(self) -> bool:
        """Whether what is asked for is a value."""
        return self.kind in _VALUES

    def fit(self, sentence: str, spoken: str) -> float:
        """How far a sentence names a value of the kind that is asked for, in [0, 1]."""
        if self.kind is None or self.kind == "list":
            return 0.0
        if self.kind in ("address", "contact"):
            return float(bool(_CONTACT.search(sentence)))
        if self.kind in ("cause", "leave"):
            return self._says(sentence, spoken)
        if self.kind == "time":
            return self._tells_when(sentence, spoken)
        new = [
            number
            for number in values(sentence, spoken).numbers
            if not any(number.agrees(other) for other in self.named.numbers)
        ]
        if self.kind == "duration" and any(self._extends(number, spoken) for number in new):
            return 1.0
        if self.kind != "amount":
            return float(any(_IS[self.kind](number) for number in new))
        if not self.units:
            return _LOOSE * bool(new)
        return float(any(number.unit in self.units for number in new))

    def misses(self, sentence: str, spoken: str) -> bool:
        """Whether a value of a kind is asked for that no sentence without one answers."""
        if self.kind not in _NEEDED or self.fit(sentence, spoken):
            return False
        if self.kind == "money" and not _asks("amount", self.language, self.question):
            return False  # "which budget is that?" asks for none
        free = whole_words(spoken, "asked", "free")
        return not (self.kind == "money" and free and free.search(sentence))

    def _extends(self, number: Number, spoken: str) -> bool:
        """Whether a number says how long a thing is, where that may be asked for: "how long must a
        password be" wants characters as well as "how long is the notice period" wants months.
        """
        either = whole_words(self.language, "asked", "asks_extent")
        if either is None or not either.search(self.question):
            return False
        counted = whole_words(spoken, "asked", "extents")
        is_counted = bool(counted and counted.fullmatch(number.noun))
        return is_counted or UNITS.get(number.unit, ("", 0))[0] == "length"

    def _says(self, sentence: str, spoken: str) -> float:
        """Whether a sentence tells a cause, or what is allowed, by its words."""
        if self._sets_right(sentence, spoken):
            return 1.0
        words = whole_words(spoken, "asked", "causes" if self.kind == "cause" else "permits")
        if words is None or not words.search(sentence):
            return 0.0
        premises = whole_words(self.language, "questions", "premises")
        doubtful = self.kind == "cause" and premises and premises.search(self.question)
        return _MAYBE if doubtful else 1.0

    def _sets_right(self, sentence: str, spoken: str) -> bool:
        """Whether a sentence says the opposite of what a question takes for granted.

        Not one with a "not": "what is not acceptable at work" allows nothing.
        """
        if self.kind != "cause" or negated(sentence, spoken):
            return False
        taken = opposites(self.question, self.language, _TAKEN_FOR_GRANTED)
        there = opposites(sentence, spoken, _TAKEN_FOR_GRANTED) if taken else frozenset()
        return any((axis, not side) in there and (axis, side) not in there for axis, side in taken)

    def _tells_when(self, sentence: str, spoken: str) -> float:
        """A date, a time of day, a year or a day of the month; half of it for a mere "weekly"."""
        said = values(sentence, spoken)
        years = self.named.years
        new = [d for d in said.dates if not any(d.agrees(n, years) for n in self.named.dates)]
        if new or said.times or said.years - self.named.years or _DAY.search(sentence):
            return 1.0
        loosely = holds("time", sentence, spoken, self.question, self.language)
        return _LOOSE * loosely

    def named_in(self, text: str, spoken: str) -> float | None:
        """The share of the question's own values that a text names, in any notation.

        A number that lies in a range counts for less. None: the question names no value.
        """
        told = [*self.named.dates, *self.named.times, *self.named.codes]
        told += [number for number in self.named.numbers if not number.spelled]
        if not told:
            return None
        said = values(text, spoken)
        lacking = said.lacking(self.named, given=self.named)
        only_between = [value for value in said.lacking(self.named) if value not in lacking]
        held = [1.0 - (v in lacking) - (1 - _BETWEEN) * (v in only_between) for v in told]
        return sum(held) / len(told)


def _is_percentage(number: Number) -> bool:
    return number.unit == "percent"


def _is_money(number: Number) -> bool:
    return len(number.unit) == 3 and number.unit.isupper()


def _lasts(number: Number) -> bool:
    return UNITS.get(number.unit, ("", 0))[0] in _LASTS


_IS: Final = {"percentage": _is_percentage, "money": _is_money, "duration": _lasts}


def _other_kind(question: str, language: str) -> WantedKind | None:
    """What is asked for that is no value."""
    kind = question_kind(question, language)
    seeks = whole_words(language, "questions", "seeks_list")
    if kind == "list" or (seeks and seeks.search(question)):
        return "list"
    if _asks("cause", language, question):
        return "cause"
    return "leave" if kind == "yes_no" else None


def _asks(kind: WantedKind, language: str, question: str) -> bool:
    cues = whole_words(language, "asked", f"asks_{kind}")
    return bool(cues and cues.search(question))


def _counted(question: str, language: str) -> frozenset[str]:
    """The units in which what is counted is told: of "how many weeks" all that measure time."""
    found = _amount_of(language).search(question)
    if found is None:
        return frozenset()
    word = found.group("counted")
    for unit, written in entries(language, "units").items():
        if re.fullmatch(written, word, re.IGNORECASE):
            measured = UNITS.get(unit, (unit, 1))[0]
            same = _LASTS if measured in _LASTS else {measured}
            return frozenset({unit, *(other for other, (kind, _) in UNITS.items() if kind in same)})
    return frozenset()


@cache
def _amount_of(language: str) -> re.Pattern[str]:
    cue = expression(language, "asked", "asks_amount")
    return re.compile(rf"(?<!\w){cue}(?:\s+(?:de|d['’]|di))?\s*(?P<counted>[^\W\d_]+)", re.I)
