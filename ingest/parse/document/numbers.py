"""Whether a page's text has only the numbers that its source has.

A wrong number in the stored text would be quoted, and shown as verified. Words are placed so that
none can arise; this looks at the outcome, whatever made it.
"""

import re
import unicodedata
from collections import Counter

_DASHES = re.compile("[\u2010-\u2015\u2212\x02\ufffe]")
_NUMBER = re.compile(r"(?<![\w.,])[-(]?[\d.,]*\d[\d.,]*%?")
_MOST_NAMED = 5


def number_tokens(text: str) -> Counter[str]:
    """The numbers of a text with how often each stands in it, without signs around them.

    Digits, points and commas together are a number. Superscript figures count as figures.
    """
    plain = _DASHES.sub("-", unicodedata.normalize("NFKC", text))
    return Counter(token.strip(".,(-") for token in _NUMBER.findall(plain))


def number_warning(page: int, stored: str, *sources: str) -> str | None:
    """What to say of a page whose text has a number that its source lacks; None where it has none.

    Args:
        page: Its number.
        stored: Its text as it will be stored.
        sources: The characters of the page in the file, or the words that were recognised; a
            number is known if one of them has it as often.
    """
    known: Counter[str] = Counter()
    for source in sources:
        known |= number_tokens(source)
    foreign = sorted((number_tokens(stored) - known).elements())
    if not foreign:
        return None
    named = ", ".join(foreign[:_MOST_NAMED]) + (", ..." if len(foreign) > _MOST_NAMED else "")
    return (
        f"Page {page}: {named} may be put together wrongly from the page's characters. Compare "
        "with the page before you rely on it."
    )
