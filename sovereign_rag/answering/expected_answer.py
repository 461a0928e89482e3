"""What a sentence can't lack where it answers a question: a time or an amount asked for, the
numbers and the "not" of the question.

A question for a year is not answered by a sentence without one, nor one about 1935 by a sentence
about 1931. This is a look at words: it tells when a sentence can hardly be the answer, never that
it is. Word lists, in the five languages; in another one digits alone are seen.
"""

import re
from functools import cache
from itertools import zip_longest
from typing import Final, Literal

from sovereign_rag.answering.contradiction import negated, numbers

ExpectedAnswerType = Literal["time", "amount"]

_CUES: Final[dict[ExpectedAnswerType, dict[str, str]]] = {
    "time": {
        "en": r"(?:^\W*(?:\w+ )?|, )when|when (?:did|does|do|is|are|was|were|will|has|have|had)"
        r"|(?:what|which) (?:years?|dates?|days?|months?|century|decade)",
        "fr": r"(?:^\W*|depuis |à partir de |jusqu['’]à )quand"
        r"|quelles? (?:années?|dates?|époque|période|décennie)|quels? (?:jours?|mois|siècle)",
        "de": r"wann|welche[mrsn]? (?:jahr\w*|tag\w*|monat\w*|datum|jahrhundert\w*)",
        "es": r"cuándo|^\W*(?:\w+ )?cuando"
        r"|qu[eé] (?:años?|fechas?|d[ií]as?|mes|siglo|d[eé]cada)",
        "it": r"(?:^\W*|da |fino a )quando"
        r"|(?:che|qual[ei]) (?:ann[oi]|dat[ae]|giorn[oi]|mes[ei]|secolo|decennio)",
    },
    "amount": {
        "en": r"how (?:many|much|old|long|far|large|big|high|tall)"
        r"|(?:what|which) (?:percentage|number|amount|age|proportion)",
        "fr": r"combien|quel(?:le)?s? (?:est (?:le|la|l['’]) ?)?"
        r"(?:pourcentage|nombre|montant|âge|proportion|durée|taille|hauteur|prix)",
        "de": r"wie ?(?:viele?[nr]?|hoch|alt|lange?|groß|weit)"
        r"|welche[rn]? (?:anzahl|zahl|summe|anteil|prozentsatz)",
        "es": r"cu[aá]nt[oa]s?|qu[eé] (?:porcentaje|n[uú]mero|cantidad|edad|proporci[oó]n)",
        "it": r"quant[oiae]|(?:che|quale) (?:percentuale|numero|età|importo|quantità)",
    },
}

# Without the names of months that mean something else too: "may", "march".
_TIMES: Final = {
    "en": r"january|february|april|june|july|august|september|october|november|december|\w+day"
    r"|century|centuries|decades?|spring|summer|autumn|winter|now|daily|annual\w*|year\w*"
    r"|months?|weeks?",
    "fr": r"janvier|février|mars|avril|mai|juin|juillet|août|septembre|octobre|novembre|décembre"
    r"|lundi|mardi|mercredi|jeudi|vendredi|samedi|dimanche|siècles?|décennies?|printemps|été"
    r"|automne|hiver|ans?|années?|mois|jours?|semaines?|époque",
    "de": r"januar|februar|märz|april|mai|juni|juli|august|september|oktober|november|dezember"
    r"|\w+tags?|mittwoch\w*|jahrhundert\w*|jahrzehnt\w*|frühling|sommer|herbst|winter|jahr\w*"
    r"|monat\w*|tage?n?|wochen?",
    "es": r"enero|febrero|marzo|abril|mayo|junio|julio|agosto|septiembre|octubre|noviembre"
    r"|diciembre|lunes|martes|miércoles|jueves|viernes|sábado|domingo|siglos?|décadas?"
    r"|primavera|verano|otoño|invierno|años?|mes(?:es)?|días?|semanas?",
    "it": r"gennaio|febbraio|marzo|aprile|maggio|giugno|luglio|agosto|settembre|ottobre|novembre"
    r"|dicembre|lunedì|martedì|mercoledì|giovedì|venerdì|sabato|domenica|secol[oi]|decenni\w*"
    r"|primavera|estate|autunno|inverno|ann[oi]|mes[ei]|giorn[oi]|settiman[ae]",
}
# From two on, for one is an article too; then the beginnings of ordinals, from the third on, for
# "second" has more meanings; then how they end.
_NUMERALS: Final = {
    "en": (
        "two three four five six seven eight nine ten eleven twelve",
        "third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth",
        "",
    ),
    "fr": (
        "deux trois quatre cinq six sept huit neuf dix onze douze",
        "troisièm quatrièm cinquièm sixièm septièm huitièm neuvièm dixièm onzièm douzièm",
        "es?",
    ),
    "de": (
        "zwei drei vier fünf sechs sieben acht neun zehn elf zwölf",
        "dritt viert fünft sechst siebt acht neunt zehnt elft zwölft",
        "e[mnrs]?",
    ),
    "es": (
        "dos tres cuatro cinco seis siete ocho nueve diez once doce",
        "tercer cuart quint sext séptim octav noven décim undécim duodécim",
        "[oa]?s?",
    ),
    "it": (
        "due tre quattro cinque sei sette otto nove dieci undici dodici",
        "terz quart quint sest settim ottav non decim undicesim dodicesim",
        "[oaie]",
    ),
}
_AMOUNTS: Final = {
    "en": r"one|once|twice|half|thirds?|quarters?|dozens?|hundreds?|thousands?|[mb]illions?|\w+teen"
    r"|(?:twen|thir|for|fif|six|seven|eigh|nine)ty\S*|several|all|none|most|majority|few",
    "fr": r"une? seule?|moitié|tiers|quarts?|douzaines?|vingt\S*|trente\S*|quarante\S*"
    r"|cinquante\S*|soixante\S*|cents?|centaines?|mill\w*|treize|quatorze|quinze|seize"
    r"|plusieurs|tou(?:s|tes)|aucun\w*|majorité|plupart",
    "de": r"einmal|zweimal|hälfte|halb\w*|drittel|viertel|dutzend\w*|\w*hundert\w*|\w*tausend\w*"
    r"|milli\w+|\w+zehn|\w+zig|\w*drei(?:ß|ss)ig|mehrere\w*|alle\w*|kein\w*|meisten",
    "es": r"mitad|tercios?|tercera|cuart[oa]s?|docenas?|veint\w*|treinta|cuarenta|cincuenta"
    r"|sesenta|setenta|ochenta|noventa|cien\w*|\w*cient[oa]s|mil\w*|trece|catorce|quince"
    r"|dieci\w*|vari[oa]s|tod[oa]s|ningun\w*|mayoría",
    "it": r"metà|terzi?|quart[oi]|dozzin[ae]|vent\w*|trent\w*|quarant\w*|cinquant\w*|sessant\w*"
    r"|settant\w*|ottant\w*|novant\w*|cent\w*|mil\w*|tredici|quattordici|quindici|sedici"
    r"|dicias\w*|diciotto|divers[ie]|tutt[ie]|nessun\w*|maggior\w*",
}
_WORD = re.compile(r"\w+")


def lacks(
    question: str, language: str, sentence: str, around: str, spoken: str, *, given: str = ""
) -> bool:
    """Whether `sentence` lacks what an answer to `question` would hold.

    Args:
        question: As it was asked.
        language: The question's.
        sentence: That may answer it.
        around: The sentence with its neighbours and headings; a number of the question may stand
            there as well.
        spoken: The language of the sentence.
        given: What was asked before, where the question leans on it.
    """
    kind = expected_answer_type(question, language)
    if kind and not _holds(kind, sentence, spoken, f"{given} {question}", language):
        return True
    there = quantities(around, spoken)
    if not all(_stands(number, there) for number in quantities(question, language)):
        return True
    return negated(question, language) and not negated(sentence, spoken)


def expected_answer_type(question: str, language: str) -> ExpectedAnswerType | None:
    """The kind that a question asks for, where its words tell."""
    for kind, words in _CUES.items():
        pattern = _one_of(words.get(language))
        if pattern and pattern.search(question):
            return kind
    return None


def quantities(text: str, language: str) -> set[str]:
    """The numbers of a text, in digits or as words to twelve: "3" for "three" and "third"."""
    found = numbers(text)
    for value, pattern in enumerate(_numerals(language), start=2):
        if pattern.search(text):
            found.add(str(value))
    return found


def _stands(number: str, there: set[str]) -> bool:
    """Whether a number stands there; "70" does in "1970"."""
    years = {other[-2:] for other in there if len(other) == len("1970")}
    return number in there or number in years


def _holds(
    kind: ExpectedAnswerType, sentence: str, spoken: str, question: str, language: str
) -> bool:
    """Whether a sentence names a time or an amount that the question does not name itself."""
    if quantities(sentence, spoken) - quantities(question, language):
        return True
    words = _one_of((_TIMES if kind == "time" else _AMOUNTS).get(spoken))
    if not words:
        return False
    given = set(_words(question))
    return any(found.group().casefold() not in given for found in words.finditer(sentence))


def _words(text: str) -> list[str]:
    return _WORD.findall(text.casefold())


@cache
def _numerals(language: str) -> tuple[re.Pattern[str], ...]:
    """A pattern for each of the numbers from two on."""
    cardinals, ordinals, ending = _NUMERALS.get(language, ("", "", ""))
    words = zip_longest(cardinals.split(), (None, *(o + ending for o in ordinals.split())))
    # Not the five of "vingt-cinq" or of "treinta y cinco".
    return tuple(
        re.compile(rf"(?<![\w-])(?<!\by\s)(?:{'|'.join(filter(None, both))})\b", re.IGNORECASE)
        for both in words
        if any(both)
    )


@cache
def _one_of(words: str | None) -> re.Pattern[str] | None:
    return re.compile(rf"(?<!\w)(?:{words})\b", re.IGNORECASE) if words else None
