"""A question that asks what something is, or what letters stand for, and the sentence that says.

By wording: a sentence that defines begins with its term and goes on with "is", sets it before a
colon, or spells an acronym out beside it. Patterns in five languages, see `text/lexicons/`.
"""

import re
from collections.abc import Sequence
from functools import cache
from typing import Final

from sovereign_rag.text.lexicon import expression

_ACRONYM: Final = re.compile(r"[A-ZÀ-Ý][A-Za-z]?[A-ZÀ-Ý0-9.]{1,8}s?")
_WORD: Final = re.compile(r"[^\W\d_][\w'’-]*")
_SMALL: Final = frozenset(
    word
    for words in (
        "of the and for in on to a an de du des la le les et l d di del della dei e il y el",
        "los las der die das und für von zur zum entre",
    )
    for word in words.split()
)
_AROUND: Final = "¿?¡!. \n\u00a0\u202f"
_BESIDE: Final = re.compile(r"\s*\([^()]*\)$")  # what the term is of: "salary sacrifice (pension)"
_HEAD: Final = re.compile(
    rf"({_ACRONYM.pattern})\s(?:of|for|in|at|on|de|du|d['’]|des|von|vom|der|für|bei|im|del|di|della|dell['’])\b"
)
"""An acronym with what it is of: "the RTO of orion"."""
_ADDRESS: Final = re.compile(r"https?://\S+|www\.\S+")  # whose words are nobody's
_TERM_GROUPS: Final = ("term", "term2", "term3", "term4")


def term(question: str, language: str) -> str | None:
    """What a question wants defined: "SPL" of "What does SPL stand for?"; None: it asks else."""
    plain = _BESIDE.sub("", question.strip(_AROUND)).strip(_AROUND)
    asked = (_asks(language).fullmatch(said) for said in (plain, plain.rpartition(":")[2].strip()))
    found = next(filter(None, asked), None)
    if found is None:
        return None
    groups = found.groupdict()
    named = next(groups[name] for name in _TERM_GROUPS if groups.get(name))
    named = named.strip(" '\"«»„“”‘’")
    of_something = _HEAD.match(named)
    return (of_something[1] if of_something else named) or None


def is_acronym(asked: str) -> bool:
    return bool(_ACRONYM.fullmatch(asked))


def defines(sentence: str, asked: str, language: str) -> bool:
    """Whether a sentence says what `asked` is, or spells it out where it is an acronym."""
    if is_acronym(asked) and spells_out(sentence, asked):
        return True
    return bool(_says(asked.casefold(), language).search(sentence))


def spells_out(sentence: str, acronym: str) -> bool:
    """Whether words with the acronym's letters as initials stand in the sentence, in order."""
    letters = [letter for letter in acronym.casefold() if letter.isalnum()]
    if len(letters) > 2 and acronym.endswith("s"):
        letters.pop()
    words = [word.casefold() for word in re.split(r"[\W_]+", _ADDRESS.sub(" ", sentence)) if word]
    return any(
        _initials(words[place:], letters)
        for place in range(len(words))
        if words[place] not in _SMALL
    )


def _initials(words: Sequence[str], letters: Sequence[str]) -> bool:
    """Whether words begin with letters one after the other; small words may lie between."""
    left = list(letters)
    for word in words:
        if word == "".join(letters):
            return False
        if word[0] == left[0]:
            left.pop(0)
        elif word not in _SMALL:
            return False
        if not left:
            return True
    return False


@cache
def _asks(language: str) -> re.Pattern[str]:
    return re.compile(expression(language, "definition", "asks"), re.IGNORECASE)


@cache
def _says(asked: str, language: str) -> re.Pattern[str]:
    """The term at a sentence's beginning, then "is", a colon or a dash."""
    stem = r"\s+".join(re.escape(word) for word in asked.split())
    article = (
        r"(?:\W*(?:\w{1,4}['’]\s?"
        r"|(?:a|an|the|une?|les?|la|der|die|das|eine?|el|los|las|il|lo|i|gli)\s))?"
    )
    says = expression(language, "definition", "says")
    kind = r"(?:un[aeo]?|des|a|an|the|one|ein\w*|der|die|das|el|la|los|las|il|lo|le|les|l|that)"
    between = r"(?:\s+\([^)]{1,80}\))?(?:\s+[^\W\d_]\S*){0,4}?"
    return re.compile(
        rf"(?:^\W*|[«„“\":]\s*){article}{stem}\w{{0,2}}(?:\W*[:–—=]\s|{between}\s+{says}\s+{kind}\b)",
        re.IGNORECASE,
    )
