"""What may not differ between a statement and the sentence that it rests on.

Wording may. Values (numbers with units, dates, identifiers) and negation may not, nor may one say
the opposite of the other: more against less, must against may, monthly against yearly, only where
there is no only, or who does what to whom turned round. The sentence has to say it, not ask it.

A look at words, in the languages that have a lexicon; another one is held to its values alone.
"""

import re
from collections.abc import Collection, Sequence
from difflib import SequenceMatcher
from functools import cache
from typing import Final

from sovereign_rag.text.lexicon import entries, whole_words

_WORD: Final = re.compile(r"[^\W\d_]+")
_BY: Final = {
    "en": "by",
    "de": "von vom durch",
    "fr": "par",
    "es": "por",
    "it": "da dal dalla dai dagli dalle",
}
"""What the doer stands behind in a passive."""
_NAMED: Final = re.compile(r"[^\W\d_][\w’'-]*")
_LONGEST_NAME: Final = 3  # words
_ARTICLES: Final = frozenset(
    [
        *("der", "die", "das", "des", "dem", "den", "ein", "eine", "einer", "eines", "einem"),
        *("einen", "kein", "keine", "zur", "zum", "im", "am"),
    ]
)
"""German words before a noun, which is no name for its capital."""
_LEAST_TURNED: Final = 4  # letters of a word that does something to another


def negated(text: str, language: str) -> bool:
    """Whether a text says "not": not so in "no more than", nor in "at no cost", which is free."""
    pattern = _pattern(language, "negation")
    if pattern is None:
        return False
    for section, key in (("contradiction", "softened"), ("asked", "free")):
        says_else = whole_words(language, section, key)
        text = says_else.sub(" ", text) if says_else else text
    return bool(pattern.search(text))


def denies(statement: str, language: str, sentence: str, spoken: str) -> bool:
    """Whether one of two says "not" and the other doesn't; "prohibited" and "may not" are one."""
    here, there = negated(statement, language), negated(sentence, spoken)
    if here is there:
        return False
    forbidding = ("permission", False)
    said, other = opposites(statement, language), opposites(sentence, spoken)
    return forbidding not in (other if here else said)


def asks(text: str, language: str) -> bool:
    """Whether a sentence raises something ("to examine whether ...") rather than says it."""
    pattern = _pattern(language, "asks")
    return bool(pattern and pattern.search(text))


def contradicts(statement: str, language: str, sentence: str, spoken: str) -> bool:
    """Whether `sentence`, in the language `spoken`, says the opposite of `statement`.

    One that merely leaves out what the statement says is no opposite.
    """
    said, there = opposites(statement, language), opposites(sentence, spoken)
    if any((axis, not yes) in there and (axis, yes) not in there for axis, yes in said):
        return True
    often = frequencies(statement, language)
    if often and frequencies(sentence, spoken) and not often <= frequencies(sentence, spoken):
        return True
    if _only(statement, language) and not _only(sentence, spoken):
        return True
    return language == spoken and turned_round(statement, sentence, language)


def opposites(
    text: str, language: str, axes: Collection[str] | None = None
) -> frozenset[tuple[str, bool]]:
    """Which sides a text names: ("amount", True) for more, ("amount", False) for less, ...

    Args:
        axes: To be looked at; None: all.
    """
    return frozenset(
        (axis, side)
        for axis, side, words in _opposites(language)
        if (axes is None or axis in axes) and words.search(text)
    )


def frequencies(text: str, language: str) -> frozenset[str]:
    """How often a text says that something happens: "month" for monthly."""
    return frozenset(
        name
        for name in entries(language, "frequency")
        if (words := whole_words(language, "frequency", name)) and words.search(text)
    )


def turned_round(statement: str, sentence: str, language: str) -> bool:
    """Whether two words have changed places around a third: Smith sued Jones, Jones sued Smith.

    A passive ("was sued by") changes them without a change of meaning, and where words carry their
    case before them ("dem Vermieter kündigt der Mieter") it is that which tells.
    """
    said, there = _words(statement), _words(sentence)
    shared = {w for w in said if len(w) >= _LEAST_TURNED and said.count(w) == there.count(w) == 1}
    order = [word for word in said if word in shared]
    for first, pivot, last in zip(order, order[1:], order[2:], strict=False):
        at = [there.index(word) for word in (first, pivot, last)]
        if at[0] > at[1] > at[2] and not _explained(said, there, (first, pivot, last), language):
            return True
    return False


def renamed(statement: str, sentence: str, language: str) -> bool:
    """Whether a name has taken another's place in the same words: Dublin for Frankfurt."""
    said, there = _NAMED.findall(statement), _NAMED.findall(sentence)
    match = SequenceMatcher(
        None, [w.casefold() for w in said], [w.casefold() for w in there], autojunk=False
    )
    for kind, start, end, there_start, there_end in match.get_opcodes():
        if kind != "replace" or max(end - start, there_end - there_start) > _LONGEST_NAME:
            continue
        names, others = said[start:end], there[there_start:there_end]
        if language == "de" and there[max(0, there_start - 1)].casefold() in _ARTICLES:
            continue  # a noun, capital as all are
        if all(_is_name(word) for word in (*names, *others)):
            return True
    return False


def _is_name(word: str) -> bool:
    return word[:1].isupper() and not word.isupper()


def _explained(
    said: Sequence[str], there: Sequence[str], words: tuple[str, str, str], language: str
) -> bool:
    by = set(_BY.get(language, "").split())
    passive = [
        bool(by & set(text[min(at) : max(at)]))
        for text in (said, there)
        for at in [[text.index(word) for word in words]]
    ]
    if passive[0] is not passive[1]:
        return True
    before = [
        (text[text.index(word) - 1] if text.index(word) else "")
        for word in (words[0], words[2])
        for text in (said, there)
    ]
    return before[0] == before[1] and before[2] == before[3] and before[0] != before[2]


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())


def _only(text: str, language: str) -> bool:
    words = whole_words(language, "contradiction", "only")
    return bool(words and words.search(text))


@cache
def _pattern(language: str, name: str) -> re.Pattern[str] | None:
    words = entries(language, "contradiction").get(name)
    return re.compile(words, re.IGNORECASE) if words else None


@cache
def _opposites(language: str) -> tuple[tuple[str, bool, re.Pattern[str]], ...]:
    return tuple(
        (axis, side == "yes", re.compile(rf"(?<!\w)(?:{words})(?!\w)", re.IGNORECASE))
        for axis, sides in entries(language, "opposites").items()
        for side, words in sides.items()
    )
