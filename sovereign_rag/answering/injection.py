"""Sentences of documents that speak to a language model instead of to a reader.

They are neither quoted, nor shown to the model, nor taken as support: whoever may put a document
into the index may otherwise put words into answers. A word list sees the common forms, in the five
languages; it is one defence of several, see docs/security.md.
"""

import re
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


def speaks_to_a_model(sentence: str, language: str | None) -> bool:
    """Whether the sentence gives orders for a reply, or tells a model to forget its own."""
    if _OVERRIDES.search(sentence):
        return True
    reply, orders = _REPLY.get(language or "en"), _ORDERS.get(language or "en")
    if reply is None or orders is None:
        return False
    found = re.search(reply, sentence, re.IGNORECASE)
    return bool(found and re.search(orders, sentence, re.IGNORECASE))
