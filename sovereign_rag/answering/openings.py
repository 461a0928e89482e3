"""How documents begin: a date, a subject, what it applies to hold for all that a document says."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self

from sovereign_rag.domain import Passage, SparseVector
from sovereign_rag.embedding.protocol import LexicalEncoder

OPENING: Final = 0.4
"""What a word counts for in a sentence whose document begins with it, beside 1 for its own:
"Applies to cluster orion", "12 March 2025"."""
_BEGINNING: Final = 300  # characters of a document


@dataclass(frozen=True, slots=True)
class Openings:
    """How the documents begin whose beginning was found: it holds for all that they say."""

    first: Mapping[str, Passage]  # by document
    terms: Mapping[str, SparseVector]

    @classmethod
    def of(cls, passages: Sequence[Passage], lexical: LexicalEncoder) -> Self:
        first = {p.chunk.document_id: p for p in passages if p.chunk.index == 0}
        texts = [passage.chunk.text[:_BEGINNING] for passage in first.values()]
        spoken = [passage.chunk.language for passage in first.values()]
        weights = lexical.encode_passages(texts, spoken) if texts else []
        return cls(first, dict(zip(first, weights, strict=True)))

    def text(self, passage: Passage) -> str:
        begins = self.first.get(passage.chunk.document_id)
        return "" if begins is None else begins.chunk.text[:_BEGINNING]

    def terms_of(self, passage: Passage) -> Iterator[tuple[SparseVector, float]]:
        """Of another passage of the document."""
        begins = self.first.get(passage.chunk.document_id)
        if begins is not None and begins.id != passage.id:
            yield self.terms[passage.chunk.document_id], OPENING
