"""Languages as people and systems name them: ISO 639-1 codes and BCP 47 tags."""

import re
from typing import Final

_NO_LANGUAGE: Final = frozenset({"und", "mul", "mis", "zxx", "root"})
_LETTERS: Final = re.compile(r"[A-Za-z]{2,3}")


def checked_tag(text: str) -> str:
    """A language's tag as BCP 47 writes it: fr, pt-BR, zh-Hant-TW; "FRA" is fr.

    Raises:
        ValueError: It names no language that is known, or no region or script.
    """
    from babel import Locale
    from babel.core import get_global, parse_locale

    try:
        code, region, script, variant = parse_locale(text.strip().replace("_", "-"), sep="-")[:4]
    except ValueError:
        raise _unknown(text) from None
    code = str(get_global("language_aliases").get(code, code))
    known = Locale("en")
    is_known = _LETTERS.fullmatch(code) and code in known.languages and code not in _NO_LANGUAGE
    if (
        not is_known
        or (region and region not in known.territories)
        or (script and script not in known.scripts)
    ):
        raise _unknown(text)
    parts = (code, script, region, variant and variant.lower())
    return "-".join(part for part in parts if part)


def _unknown(text: str) -> ValueError:
    return ValueError(
        f"{text!r} names no language: write its code, such as fr, or its tag, such as pt-BR "
        "(ISO 639, BCP 47)"
    )
