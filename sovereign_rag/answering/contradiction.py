"""What may not differ between a statement and the sentence that it rests on.

Wording may. Numbers, negation and direction (more or less, allowed or forbidden) may not, and the
sentence has to say it, not ask it.

Word lists, in the five languages; a language without one is held to its numbers alone.
"""

import re
from functools import cache
from typing import Final

_NUMBER = re.compile(r"\d+(?:[.,'\u00a0\u202f ]\d{3}(?!\d))*(?:[.,]\d+)?(?:\s?%)?")

_NEGATIONS: Final = {
    "en": r"\b(?:not|no(?!\.? ?\d)|never|none|neither|nor|without|cannot)\b|n't\b",
    "fr": r"\b(?:ne|pas|jamais|aucune?|sans|ni|nul(?:le)?)\b|\bn['’]",
    "de": r"\b(?:nicht|kein\w*|nie|niemals|ohne|weder)\b",
    "es": r"\b(?:no|nunca|jamás|ning[uú]n\w*|sin|ni|tampoco)\b",
    "it": r"\b(?:non|no|mai|nessun\w*|senza|né)\b",
}

_DIRECTIONS: Final[dict[str, dict[str, tuple[str, str]]]] = {
    "amount": {
        "en": (
            r"increas\w*|rais\w*|ris(?:e|es|ing|en)|rose|higher|more|greater|gr[eo]w\w*|elevat\w*"
            r"|enhanc\w*|up-?regulat\w*|exceed\w*|accelerat\w*|improv\w*|worsen\w*",
            r"decreas\w*|reduc\w*|lower\w*|less|fewer|declin\w*|drop\w*|diminish\w*|attenuat\w*"
            r"|down-?regulat\w*|slow\w*|fall\w*|fell|decelerat\w*",
        ),
        "fr": (
            r"augment\w*|accro[iî]\w*|accru\w*|hausse\w*|relev\w*|élev\w*"
            r"|plus (?:de|que|élevé\w*|grand\w*)|plus d['’]\w+|supérieur\w*"
            r"|dépass\w*|amélior\w*|aggrav\w*|accélér\w*",
            r"diminu\w*|rédui\w*|réduction\w*|baiss\w*|abaiss\w*"
            r"|moins (?:de|que|élevé\w*|grand\w*)|moins d['’]\w+|inférieur\w*|recul\w*"
            r"|chut\w*|ralenti\w*",
        ),
        "de": (
            r"erhöh\w*|steig\w*|stieg\w*|gestiegen\w*|gesteigert\w*|zunahme|zugenommen|mehr|höher\w*"
            r"|größer\w*|wachs\w*|wuchs|wächst|überschreit\w*|übersteig\w*|verbesser\w*"
            r"|verschlechter\w*|beschleunig\w*|anheb\w*|angehoben",
            r"verringer\w*|senk\w*|gesenkt\w*|sink\w*|sank\w*|gesunken\w*|reduzier\w*|abnahme"
            r"|abgenommen|weniger|niedriger\w*|geringer\w*|kleiner\w*|rückgang\w*|unterschreit\w*"
            r"|verlangsam\w*|herabgesetzt\w*|minder\w*",
        ),
        "es": (
            r"aument\w*|increment\w*|elev\w*|sub(?:e|en|ió|ida|idas)|más (?:de|que|alt\w*)"
            r"|mayor(?:es)?|superior\w*"
            r"|crec\w*|mejor\w*|empeor\w*|aceler\w*|exced\w*|super[aó]\w*",
            r"disminu\w*|redu[cj]\w*|baj[aóe]\w*|menos (?:de|que)"
            r"|menor(?:es)?|inferior\w*|desciend\w*"
            r"|descen\w*|cay\w*|ralentiz\w*",
        ),
        "it": (
            r"aument\w*|increment\w*|cresc\w*|cresciut\w*|elev\w*|più (?:di|che|alt\w*)"
            r"|maggior\w*|superior\w*"
            r"|miglior\w*|peggior\w*|acceler\w*|ecced\w*|super[aò]\w*",
            r"diminu\w*|ridu[cr]\w*|ridott\w*|cal[aoi]\w*|meno (?:di|che)"
            r"|minor\w*|inferior\w*|abbass\w*"
            r"|scend\w*|sces\w*|rallent\w*",
        ),
    },
    "effect": {
        "en": (
            r"activat\w*|promot\w*|induc\w*|stimulat\w*|encourag\w*|enabl\w*|trigger\w*"
            r"|facilitat\w*|caus\w*",
            r"deactivat\w*|inactivat\w*|inhibit\w*|suppress\w*|block\w*|prevent\w*|hinder\w*"
            r"|imped\w*",
        ),
        "fr": (
            r"activ\w*|favoris\w*|provoqu\w*|entraîn\w*|stimul\w*|encourag\w*|facilit\w*|caus\w*",
            r"désactiv\w*|inhib\w*|bloqu\w*|empêch\w*|entrav\w*|prévien\w*|préveni\w*",
        ),
        "de": (
            r"aktivier\w*|förder\w*|verursach\w*|bewirk\w*|stimulier\w*|ermöglich\w*|erleichter\w*",
            r"deaktivier\w*|hemm\w*|verhinder\w*|blockier\w*|behinder\w*|unterdrück\w*|vorbeug\w*",
        ),
        "es": (
            r"activ\w*|promuev\w*|promov\w*|provoc\w*|caus\w*|estimul\w*|foment\w*|facilit\w*",
            r"desactiv\w*|inhib\w*|bloque\w*|impid\w*|imped\w*|evit\w*|preven\w*|previen\w*",
        ),
        "it": (
            r"attiv\w*|promuov\w*|promoss\w*|provoc\w*|caus\w*|stimol\w*|favor\w*|facilit\w*",
            r"disattiv\w*|inib\w*|blocc\w*|impedi\w*|evit\w*|preven\w*|previen\w*",
        ),
    },
    "permission": {
        "en": (
            r"allow\w*|permit\w*|authoris\w*|authoriz\w*|approv\w*|accept\w*|grant\w*",
            r"forbid\w*|forbidden|prohibit\w*|banned|reject\w*|refus\w*|den(?:y|ies|ied)",
        ),
        "fr": (
            r"autoris\w*|perm(?:et|is|ett)\w*|approuv\w*|accept\w*|accord\w*",
            r"interdi\w*|prohib\w*|rejet\w*|refus\w*",
        ),
        "de": (
            r"erlaub\w*|gestatt\w*|zulässig\w*|genehmig\w*|angenommen|bewillig\w*",
            r"verbot\w*|verbiet\w*|untersag\w*|unzulässig\w*|abgelehnt\w*|ablehn\w*|verweiger\w*",
        ),
        "es": (
            r"permit\w*|autoriz\w*|aprob\w*|aprueb\w*|acept\w*|conced\w*",
            r"prohib\w*|prohíb\w*|rechaz\w*|deneg\w*|denieg\w*",
        ),
        "it": (
            r"permess\w*|permett\w*|autorizz\w*|consent\w*|approv\w*|accett\w*|conced\w*|concess\w*",
            r"viet\w*|proib\w*|respin\w*|rifiut\w*|negat\w*",
        ),
    },
    "limit": {
        "en": (r"at least|minimum|minimal", r"at most|maximum|maximal|up to|no more than"),
        "fr": (r"au moins|minimum|minimal\w*", r"au plus|maximum|maximal\w*"),
        "de": (r"mindestens|minimal\w*|minimum", r"höchstens|maximal\w*|maximum|bis zu"),
        "es": (r"al menos|como mínimo|mínim\w*", r"como máximo|máxim\w*"),
        "it": (r"almeno|minim\w*", r"al massimo|massim\w*"),
    },
    "order": {
        "en": (r"before|prior|earlier", r"after|later"),
        "fr": (r"avant|antérieur\w*|préalable\w*", r"après|postérieur\w*|ultérieur\w*"),
        "de": (r"bevor|früher\w*|vorher\w*", r"nachdem|später\w*|nachher"),
        "es": (r"antes|anterior\w*|previ[oa]\w*", r"después|posterior\w*|tras"),
        "it": (
            r"prima (?:di|che|del\w*)|anterior\w*|precedent\w*",
            r"dopo|posterior\w*|successiv\w*",
        ),
    },
    "sign": {
        "en": (r"positive\w*|profits?|gains?", r"negative\w*|inverse\w*|loss(?:es)?"),
        "fr": (r"positi\w*|bénéfices?|gains?", r"négati\w*|invers\w*|pertes?"),
        "de": (r"positiv\w*|gewinn\w*", r"negativ\w*|umgekehrt\w*|verlust\w*"),
        "es": (r"positiv\w*|beneficios?|ganancias?", r"negativ\w*|invers[oa]\w*|pérdidas?"),
        "it": (r"positiv\w*|util[ei]|guadagn\w*", r"negativ\w*|invers[oa]\w*|perdit[ae]"),
    },
}

_ASKS: Final = {
    "en": r"\b(?:whether|hypothes\w*|aim(?:s|ed)? (?:to|of)|objective|purpose|unclear|unknown"
    r"|to (?:test|examine|investigate|determine|assess|evaluate))\b",
    "fr": r"\b(?:hypothès\w*|objectif|afin de (?:tester|déterminer|évaluer|examiner)"
    r"|vis(?:e|ait|ent) à|la question de savoir|incertain\w*)\b",
    "de": r"\b(?:ob|hypothes\w*|ziel (?:war|ist)|unklar|unbekannt|zu (?:prüfen|untersuchen"
    r"|ermitteln|bewerten))\b",
    "es": r"\b(?:hipótesis|objetivo|a fin de (?:probar|determinar|evaluar|examinar)|se desconoce"
    r"|no está claro)\b",
    "it": r"\b(?:ipotesi|obiettivo|al fine di (?:verificare|determinare|valutare|esaminare)"
    r"|non è chiaro|si ignora)\b",
}


def numbers(text: str) -> set[str]:
    """The numbers of a text without their marks; a percentage is another number."""
    return {re.sub(r"[^\d%]", "", number) for number in _NUMBER.findall(text)}


def negated(text: str, language: str) -> bool:
    pattern = _NEGATIONS.get(language)
    return bool(pattern and re.search(pattern, text, re.IGNORECASE))


def directions(text: str, language: str) -> frozenset[tuple[str, bool]]:
    """Which directions a text names: ("amount", True) for more, ("amount", False) for less, ..."""
    return frozenset(
        (axis, positive)
        for axis, positive, words in _direction_words(language)
        if words.search(text)
    )


def asks(text: str, language: str) -> bool:
    """Whether a sentence raises something ("to examine whether ...") rather than says it."""
    pattern = _ASKS.get(language)
    return bool(pattern and re.search(pattern, text, re.IGNORECASE))


@cache
def _direction_words(language: str) -> tuple[tuple[str, bool, re.Pattern[str]], ...]:
    return tuple(
        (axis, positive, re.compile(rf"\b(?:{words})\b", re.IGNORECASE))
        for axis, by_language in _DIRECTIONS.items()
        for positive, words in zip((True, False), by_language.get(language, ()), strict=False)
    )
