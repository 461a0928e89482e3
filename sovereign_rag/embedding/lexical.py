"""BM25 term weights, in the language of the text, with identifiers as terms of their own."""

import hashlib
import re
import unicodedata
from collections.abc import Sequence
from functools import cache
from typing import Final, Self

import qdrant_edge

from sovereign_rag.domain import SparseVector
from sovereign_rag.embedding import compounds
from sovereign_rag.embedding.compounds import CompoundSplitter
from sovereign_rag.settings import Settings
from sovereign_rag.text.folding import compatible
from sovereign_rag.text.identifiers import identifiers, joined_ibans
from sovereign_rag.text.quantities import read_values

_K1: Final = 1.2
_B: Final = 0.75

# What Snowball's lists hold with an accent. The engine folds accents before it looks a word up,
# so "für" arrives as "fur" and would pass for a term.
_FOLDED_STOP_WORDS: Final = {
    "french": "a etaient etais etait etant etante etantes etants ete etee etees etes etiez etions "
    "eumes eutes fumes futes meme",
    "german": "fur konnen konnte uber wahrend wurde wurden",
    "spanish": "eramos estabamos estais estan estara estaran estaras estare estareis estaria "
    "estariais estariamos estarian estarias esteis esten estes estuvieramos estuviesemos fueramos "
    "fuesemos habeis habia habiais habiamos habian habias habra habran habras habre habreis habria "
    "habriais habriamos habrian habrias hayais hubieramos hubiesemos mas mia mias mio mios seais "
    "sera seran seras sere sereis seria seriais seriamos serian serias si tambien tendra tendran "
    "tendras tendre tendreis tendria tendriais tendriamos tendrian tendrias teneis tengais tenia "
    "teniais teniamos tenian tenias tuvieramos tuviesemos",
    "italian": "avra avro fara faro perche piu sara saro stara staro",
    "english": "",
}
_LANGUAGES: Final = {
    "fr": ("french", qdrant_edge.Language.French),
    "de": ("german", qdrant_edge.Language.German),
    "en": ("english", qdrant_edge.Language.English),
    "es": ("spanish", qdrant_edge.Language.Spanish),
    "it": ("italian", qdrant_edge.Language.Italian),
}

_WORD: Final = re.compile(r"[^\W\d_]+")
_DIGITS: Final = re.compile(r"\d+")
_PART_IN_PASSAGE: Final = 0.5
_PART_IN_QUESTION: Final = 0.3
"""What a part of a compound weighs, beside 1 for a word: it is said in passing. Chosen on German
text asked in three languages (docs/quality.md); half or double of each finds much the same.
"""
_VALUE_IN_PASSAGE: Final = 0.6
_VALUE_IN_QUESTION: Final = 0.5
"""The same for a value that is written otherwise than its normal form; chosen so that no public
set finds less than without.
"""


class Bm25Encoder:
    """Term weights by the tokenizer, stemmers and hash of Qdrant's own BM25 (k1 1.2, b 0.75).

    Words are lowered, accents folded (Straße, STRASSE and strasse are one term), elisions cut
    (l'entreprise, entreprise) and stemmed by the language of the text; a language without a
    stemmer here is taken word by word. Passages keep every word, so that one encoded in the
    wrong language loses none; stop words are left out of questions instead.

    An identifier (see `identifiers`) is split into its parts like any text, and in addition is
    one term: the first 64 bits of the SHA-256 of its normal form, written as 20 digits and
    appended to the text as a word. No stemmer touches digits, so it has the same term id in
    every language, on both sides.

    So is a value whose notations share no word, as `Values.normal_forms` writes it: a day and its
    month, a time, a fraction (2018-10-03, 2018-10, 14:00, 68.9), the same in 3. Oktober 2018 and
    03.10.2018. A whole number is its digits: 1000 for 1.000,00, 19 for nineteen.

    In German, the parts of compounds are terms too. These and the values have less weight than
    words, and a passage is no longer for them: what stands in it word for word counts as it would
    without.
    """

    def __init__(
        self,
        *,
        compounds: CompoundSplitter | None = None,
        average_words: float = 150.0,
        values: bool = True,
    ) -> None:
        """
        Args:
            compounds: Splits German compounds; None: they stay whole.
            values: Makes terms of values; False: as indexes of before have it.
            average_words: The usual length of a passage, in words: a constant, because stored
                weights can't follow a moving average. Another value needs a new index.
        """
        self._compounds, self._average_words = compounds, average_words
        self._values = values

    @classmethod
    def open(cls, settings: Settings) -> Self:
        """The encoder that the product uses, with the tables of the models folder."""
        return cls(compounds=CompoundSplitter(settings.models_dir))

    @property
    def key(self) -> str:
        parts = compounds.KEY if self._compounds else "whole"
        return f"bm25-{2 if self._values else 1}-{self._average_words:g}-{parts}"

    def as_made(self, key: str) -> "Bm25Encoder":
        """The encoder that an index with this key was made with; this one where it is not known."""
        for other in (self, self.without_values()):
            if other.key == key:
                return other
        return self

    def without_values(self) -> "Bm25Encoder":
        """The encoder of before values were terms."""
        return Bm25Encoder(
            compounds=self._compounds, average_words=self._average_words, values=False
        )

    @property
    def max_term_weight(self) -> float:
        return _K1 + 1

    def encode_passages(
        self, texts: Sequence[str], languages: Sequence[str | None]
    ) -> list[SparseVector]:
        return [
            self._passage(text, language) for text, language in zip(texts, languages, strict=True)
        ]

    def encode_query(self, text: str, language: str | None) -> SparseVector:
        """Each distinct term with weight 1; a question of stop words alone keeps them.

        An IBAN in groups and a day are asked for as what they are: their pieces, which stand in
        many a text, are no terms of the question.
        """
        asked = self._without_pieces(text, language) if self._values else text
        model = _model(language, True, self._average_words)
        terms = _vector(model.embed_query(_with_identifiers(asked)))
        if not terms.indices:
            model = _model(language, False, self._average_words)
            terms = _vector(model.embed_query(_with_identifiers(asked)))
        for more, share in (
            (self._parts(text, language), _PART_IN_QUESTION),
            (self._forms(text, language, narrow=True), _VALUE_IN_QUESTION),
        ):
            if more:
                terms = _joined(terms, _vector(model.embed_query(more)), share)
        return terms

    def _passage(self, text: str, language: str | None) -> SparseVector:
        model = _model(language, False, self._average_words)
        terms = _vector(model.embed_document(_with_identifiers(text)))
        for more, share in (
            (self._parts(text, language), _PART_IN_PASSAGE),
            (self._forms(text, language), _VALUE_IN_PASSAGE),
        ):
            if more:
                terms = _joined(terms, _vector(model.embed_document(more)), share)
        return terms

    def _without_pieces(self, text: str, language: str | None) -> str:
        text = compatible(text)
        for date in reversed(read_values(text, language).dates):
            if date.is_a_day:
                text = f"{text[: date.start]} {text[date.end :]}"
        return joined_ibans(text)

    def _forms(self, text: str, language: str | None, *, narrow: bool = False) -> str:
        """The normal forms of the values in `text` that its words don't show, as a text."""
        if not self._values:
            return ""
        stand = set(_DIGITS.findall(text))
        forms = dict.fromkeys(read_values(text, language).normal_forms(narrow=narrow))
        return " ".join(
            form if form.isdigit() else _as_word(f"value {form}")
            for form in forms
            if form not in stand
        )

    def _parts(self, text: str, language: str | None) -> str:
        """The parts of the German compounds in `text`, as a text."""
        if self._compounds is None or language != "de":
            return ""
        words = _WORD.findall(unicodedata.normalize("NFKC", text))
        return " ".join(part for word in words for part in self._compounds.parts(word))


def _with_identifiers(text: str) -> str:
    text = compatible(text)  # a decomposed "u¨" would be cut in two
    return " ".join([text, *map(_as_word, identifiers(text))])


def _as_word(form: str) -> str:
    """A normal form as a word of 20 digits, which no stemmer touches."""
    return f"{int.from_bytes(hashlib.sha256(form.encode()).digest()[:8]):020d}"


@cache
def _model(
    language: str | None, without_stop_words: bool, average_words: float
) -> qdrant_edge.Bm25:
    name, stop_list = _LANGUAGES.get(language or "", (None, None))
    if without_stop_words and name is not None and stop_list is not None:
        dropped = qdrant_edge.StopwordsSet({stop_list}, set(_FOLDED_STOP_WORDS[name].split()))
    else:
        dropped = qdrant_edge.StopwordsSet(custom=set())
    return qdrant_edge.Bm25(
        qdrant_edge.Bm25Config(
            k=_K1,
            b=_B,
            avg_len=average_words,
            language=name,
            stemmer=None if name else qdrant_edge.DisabledStemmer(),
            stopwords=dropped,
            ascii_folding=True,
            lowercase=True,
        )
    )


def _joined(terms: SparseVector, more: SparseVector, share: float) -> SparseVector:
    """`terms`, and what only `more` holds with a share of its weight there."""
    weights = {term: share * weight for term, weight in zip(more.indices, more.values, strict=True)}
    weights |= dict(zip(terms.indices, terms.values, strict=True))
    pairs = sorted(weights.items())
    return SparseVector(tuple(i for i, _ in pairs), tuple(v for _, v in pairs))


def _vector(encoded: qdrant_edge.SparseVector) -> SparseVector:
    pairs = sorted(zip(encoded.indices, encoded.values, strict=True))
    return SparseVector(tuple(i for i, _ in pairs), tuple(v for _, v in pairs))
