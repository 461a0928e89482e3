"""A stand-in for the language module of unstructured, so that it works without a network.

The stock module downloads an English spaCy model when a document is first classified. Three of
its functions are used, to tell a title from running text; these rules need no model and serve
every language. Its list of English words is asked for and never acted upon, unless checks are
switched on that we leave off; 57 MiB of it would be copied, page by page, for each document.
"""

import re
import sys
import types

_MODULE = "unstructured.nlp.tokenize"
_WORD_LIST = "unstructured.nlp.english_words"
_SENTENCE_END = re.compile(r"(?<=[.!?…])[\"'»“”)\]]*\s+(?=[\"'«„“(\[]?[A-ZÄÖÜÀÂÇÉÈÊËÎÏÔÙÛŸ¿¡0-9])")
_WORD = re.compile(r"\w+(?:['’\-]\w+)*|[^\w\s]")
_VERBS = re.compile(
    r"(?i)\b(?:"
    r"ist|sind|wird|werden|war|hat|haben|kann|muss|soll|darf|bedarf|gilt|sein|erfolgt|"
    r"est|sont|a|ont|sera|peut|doit|fait|prend|était|être|avoir|demeure|s'applique|reste|"
    r"is|are|was|were|has|have|will|shall|may|must|can|be|takes|does|applies|"
    r"es|son|era|fue|ha|han|será|puede|debe|tiene|è|sono|ha|hanno|sarà|può|deve)\b"
)
_SENTENCE_WORDS = 4
_LONG_WORDS = 15


def sent_tokenize(text: str) -> list[str]:
    return [sentence for sentence in _SENTENCE_END.split(text) if sentence]


def word_tokenize(text: str) -> list[str]:
    return _WORD.findall(text)


def pos_tag(text: str) -> list[tuple[str, str]]:
    """Words with a part of speech: verbs where the text reads like a sentence, else nouns."""
    words = word_tokenize(text)
    count = sum(word[0].isalpha() for word in words)
    like_a_sentence = text.rstrip()[-1:] in ".!?…;" or _VERBS.search(text) is not None
    verb = count >= _LONG_WORDS or (count >= _SENTENCE_WORDS and like_a_sentence)
    return [(word, "VB" if verb else "NN") for word in words]


def install() -> None:
    """Take the place of the stock modules; before anything of unstructured is imported."""
    module = types.ModuleType(_MODULE)
    for function in (sent_tokenize, word_tokenize, pos_tag):
        setattr(module, function.__name__, function)
    sys.modules[_MODULE] = module
    words = types.ModuleType(_WORD_LIST)
    words.__dict__["ENGLISH_WORDS"] = frozenset[str]()
    sys.modules[_WORD_LIST] = words
