"""Sentences of documents that speak to a language model instead of to a reader.

They are neither quoted, nor shown to the model, nor taken as support: whoever may put a document
into the index may otherwise put words into answers. A word list sees the common forms, in the five
languages, whatever language the document is taken for, and however its letters are dressed up. It
is a filter of common forms, not a wall: that is the check of what a model wrote, see
docs/security.md, where it also stands what the list misses.

Sources: Unicode Normalization Forms (UAX 15); look-alikes from Unicode Security Mechanisms
(UTS 39), those of Latin's lower case in Greek and Cyrillic.
"""

import re
import unicodedata
from typing import Final

_REPLY: Final = {
    "en": r"your (?:\w+ ){0,2}(?:reply|replies|response|responses|answer|answers|output)",
    "fr": r"(?:ta|votre|tes|vos) (?:\w+ ){0,2}réponses?",
    "de": r"(?:deine|ihre|eure)[rnm]? (?:\w+ ){0,2}antwort(?:en)?",
    "es": r"(?:tu|tus|su|sus|vuestra) (?:\w+ ){0,2}respuestas?",
    "it": r"(?:tua|tue|sua|sue|vostra) (?:\w+ ){0,2}rispost[ae]",
}
_ORDERS: Final = {
    # A reply is spoken of to somebody who is to write one: "add ... to your reply".
    "en": r"\b(?:add|append|augment|avoid|begin|change|convert|embed|encode|end|enhance|express"
    r"|follow|format|give|include|incorporate|insert|integrate|limit|make|mention|modify|omit"
    r"|place|present|provide|put|rearrange|remove|repeat|replace|reverse|rewrite|say|scramble"
    r"|start|state|substitute|suggest|translate|transform|use|write)\b",
    "fr": r"\b(?:ajoute[zr]?|inclu[srez]+|insére[zr]?|insère|intégre[zr]?|intègre|commence[zr]?"
    r"|termine[zr]?|écri[svezr]+|rédige[zr]?|mentionne[zr]?|remplace[zr]?|supprime[zr]?"
    r"|suggére[zr]?|suggère|tradui[srez]+|utilise[zr]?)\b",
    "de": r"\b(?:füge?|ergänze|beginne|beende|schreibe?|ersetze|entferne|erwähne|übersetze"
    r"|verwende|empfiehl|empfehlen|fügen sie|baue?)\b",
    "es": r"\b(?:añad[ea]|agreg(?:a|ue)|incluy[ea]|inserta|inserte|integr[ae]|empie(?:za|ce)"
    r"|comien(?:za|ce)|termin[ae]|escrib[ea]|mencion[ae]|reempla(?:za|ce)|elimin[ae]|sugier[ea]"
    r"|traduc[ea]|traduzca|us[ae])\b",
    "it": r"\b(?:aggiungi|aggiunga|includi|includa|inserisci|inserisca|integra|integri|inizia"
    r"|inizi|termina|termini|scrivi|scriva|menziona|menzioni|sostituisci|sostituisca|rimuovi"
    r"|rimuova|suggerisci|suggerisca|traduci|traduca|usa|usi)\b",
}
_OVERRIDES: Final = re.compile(
    r"\b(?:ignore|disregard|forget|override)\b.{0,40}\b(?:instruction|prompt|rule|above|previous)"
    r"|\b(?:ignore[zr]?|oublie[zr]?)\b.{0,40}\b(?:instruction|consigne|invite|précédent)"
    r"|\b(?:ignorier|vergiss|missachte)\w*.{0,40}(?:anweisung|vorgabe|vorherig|bisherig|oben)"
    r"|\b(?:ignor[ae]|olvid[ae])\w*.{0,40}\b(?:instruccion|indicacion|anterior)"
    r"|\b(?:ignora|dimentica)\w*.{0,40}\b(?:istruzion|precedent)"
    r"|\b(?:in|into|throughout|within) your (?:reply|response|answer|output)s?\b"
    r"|\bsystem prompt\b|\byou are (?:now )?(?:an? )?(?:ai|assistant|chatbot|language model)\b"
    r"|\b(?:as|als|en tant qu|como|come) (?:an? |eine? |un'?e? ?)?(?:ai|ki|ia)"
    r"[- ](?:assistant|language model|assistent|modell)"
    r"|<\|?/?(?:system|user|assistant|im_start|im_end|inst)\|?>|\[/?INST\]",
    re.IGNORECASE,
)
_MACHINE: Final = (
    r"(?:(?:ai|ki|ia|a\.i\.|llm|gpt)[ -](?:assist[ae]nt\w*|asistent\w*|assistant\w*|system\w*"
    r"|bot\w*|model\w*|modell\w*|agent\w*)"
    r"|(?:assistants?|asistentes?|assistenti|assistente|modèles?|modelos?|modell[oi]|systèmes?"
    r"|sistem[ai]) (?:d['’e] ?|de |di )?(?:ia\b|intelligence artificielle|inteligencia artificial"
    r"|intelligenza artificiale|langage|lenguaje|linguaggio|linguisti\w*|lingüístic\w*)"
    r"|künstliche[nr]? intelligenz|artificial intelligence"
    r"|(?:l['’]|la )(?:intelligence artificielle|inteligencia artificial|intelligenza artificiale)"
    r"|(?:assistants?|asistentes?|assistenti|assistente) (?:virtuel\w*|virtual\w*|numérique\w*"
    r"|digital\w*|automatique\w*|automátic\w*|automatic\w*)|virtuelle[nrs]? assistent\w*"
    r"|(?:such|antwort)(?:assistent|maschine|system)\w*"
    r"|(?:answer|answering|search|question[- ]answering) (?:engine|assistant|system|bot)s?"
    r"|(?:moteur|motor|motore) (?:de |di )(?:réponse|recherche|respuestas?|búsqueda"
    r"|risposta|ricerca)s?"
    r"|copilots?|robots? conversationnels?"
    r"|chatbots?|sprachmodell\w*|language models?|llms?|virtual assistants?"
    r"|digitale[nrs]? assistent\w*"
    r"|(?:any|every|the|this|all) ai\b|(?:jede|die|eine) ki\b(?!-)|(?:toute|l['’]) ?ia\b)"
)
"""What an order may be addressed to; that a text speaks of one is no order yet."""
_ADDRESS: Final = (
    r"(?:important|importante|wichtig|note|notice|hinweis|achtung|attention|atención|attenzione"
    r"|avis|aviso|avviso|nota|anweisung|instructions?|consignes?|instrucci(?:ón|ones)|istruzion[ei]"
    r"|nachricht|message|mensaje|messaggio|remark|reminder|rappel|memo|dear|liebe[rs]?|cher|caro"
    r"|estimad[oa]|gentile)"
)
_ANSWER: Final = (
    r"(?:answer|reply|respond|say|state|tell|claim"
    r"|beantworten? sie|beantworte|antworten? sie|antworte|sagen sie|nennen? sie|behaupte\w*"
    r"|répond[sez]+|dites|indiquez|affirme[zr]?"
    r"|responda[ns]?|respondan|conteste[ns]?|contesta|diga[ns]?|indique[ns]?"
    r"|responde (?:siempre |a todo )?(?:que|con|a)"
    r"|risponda|rispondi|rispondete|rispondere|dite|indichi)"
)
_ADDRESSED: Final = re.compile(
    # "Important for the AI assistant: ...", "Dear chatbot, ..."
    rf"\b{_ADDRESS}\b.{{0,40}}\b{_MACHINE}.{{0,30}}?[:;,!.–—-]"
    # "AI assistants must answer ...", "the chatbot is to say ..."
    rf"|\b{_MACHINE}.{{0,40}}\b(?:must|should|shall|have to|has to|is to|are to|muss|müssen|sollen?"
    r"|doi(?:t|vent)|deben?|devono|deve)\b.{0,40}"
    r"\b(?:answer|reply|respond|say|state|tell|beantworten|antworten|sagen|nennen|répondre|dire"
    r"|responder|contestar|decir|rispondere)\b"
    # "AI assistant: answer ..."
    rf"|\b{_MACHINE}.{{0,20}}?[:,–—].{{0,40}}?\b{_ANSWER}\b"
    # "If you are an AI, say that ..."
    r"|\b(?:if you(?: are|['’]re)|(?:wenn|falls) (?:sie|du)|si (?:tu es|vous êtes|eres|es usted"
    r"|usted es)|se (?:sei|siete))\b.{0,12}?"
    rf"\b(?:{_MACHINE}|(?:ki|ia|ai|bot|intelligenza artificiale)\b(?!-))"
    # "Answer every question about leave with "99 days"
    rf"|\b{_ANSWER}\b.{{0,20}}\b(?:every|any|all|each|jede\w*|alle\w*|toutes?|chaque|cualquier|tod[oa]s?"
    r"|ogni|qualsiasi|tutte)\b.{0,15}\b(?:questions?|fragen?|preguntas?|domand[ae])\b"
    r" (?:about|on|regarding|nach|zu[mr]?|über|sur|concernant|sobre|su\w*|riguardo)\b.{0,60}"
    r"[\"“”„«»‹›‘']\s?\w",
    re.IGNORECASE,
)


_LOOK_ALIKES: Final = str.maketrans(
    "\u0430\u0441\u0501\u0435\u04bb\u0456\u0458\u043e\u0440\u051b\u0455\u051d\u0445\u0443"
    "\u043a\u043c\u043d\u0442\u0432\u0433\u0438\u043f"
    "\u03b1\u03b5\u03b9\u03ba\u03bd\u03bf\u03c1\u03c4\u03c5\u03c7\u03b3\u0131",
    "acdehijopqswxy" + "kmhtbrun" + "aeikvoptuxyi",
)
_SPACE: Final = re.compile(r"\s+")
_SEPARATORS: Final = " ._*|/-"
_SPACED: Final = re.compile(rf"(?<!\w)\w(?:[{_SEPARATORS}]\w(?!\w)){{3,}}")
"""A word, or several, with one separator behind each letter."""


def speaks_to_a_model(sentence: str) -> bool:
    """Whether the sentence gives orders for a reply, or tells a model to forget its own."""
    text = _folded(sentence)
    runs = [_without_separators(run) for run in _SPACED.findall(text)]
    if any(_OVERRIDES_RUN_ON.search(run) for run in runs):
        return True
    closed_up = _SPACED.sub(lambda run: _without_separators(run.group()), text)
    return any(_is_order(" ".join(form.split())) for form in {text, closed_up})


def addresses_a_model(sentence: str) -> bool:
    """Whether the sentence is the beginning of a note to one: what follows it is of the note."""
    return bool(_ADDRESSED_FOLDED.search(" ".join(_folded(sentence).split())))


def _is_order(text: str) -> bool:
    if _OVERRIDES_FOLDED.search(text) or _ADDRESSED_FOLDED.search(text):
        return True
    return any(reply.search(text) and order.search(text) for reply, order in _FOLDED)


def _folded(text: str) -> str:
    """Lower case without accents, invisible characters and look-alikes.

    All space is a space; two, where there were more, may part words whose letters stand apart.
    """
    if text.isascii():
        return _gaps_kept(text.casefold())
    text = "".join(
        " " if unicodedata.category(c) in {"Cc", "Zl", "Zp"} else c
        for c in _bare(text).casefold()
        if unicodedata.category(c) != "Cf"
    )
    return _gaps_kept(text.translate(_LOOK_ALIKES))


def _gaps_kept(text: str) -> str:
    return _SPACE.sub(lambda gap: "  " if len(gap.group()) > 1 else " ", text)


def _bare(text: str) -> str:
    """Compatible forms by their plain ones, and without marks on letters."""
    parts = unicodedata.normalize("NFKD", text)
    return "".join(c for c in parts if not unicodedata.combining(c))


def _without_separators(run: str) -> str:
    return "".join(c for c in run if c not in _SEPARATORS)


_OVERRIDES_FOLDED: Final = re.compile(_bare(_OVERRIDES.pattern), re.IGNORECASE)
_ADDRESSED_FOLDED: Final = re.compile(_bare(_ADDRESSED.pattern), re.IGNORECASE)
_OVERRIDES_RUN_ON: Final = re.compile(
    _OVERRIDES_FOLDED.pattern.replace(r"\b", "").replace(" ", ""), re.IGNORECASE
)
"""The same for words that nothing parts any more."""

_FOLDED: Final = tuple(
    (re.compile(_bare(_REPLY[language])), re.compile(_bare(order)))
    for language, order in _ORDERS.items()
)
