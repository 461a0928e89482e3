"""Answers of the house, opened and sealed: the catalog alone tells nothing of what they say."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from typing import Final

import orjson

from sovereign_rag.catalog.curated_answers import CuratedAnswerRows, CuratedRow, CuratedSourceRow
from sovereign_rag.storage.sealing import Sealer

MOST_ANSWERS: Final = 500  # of a tenant


@dataclass(frozen=True, slots=True)
class CuratedSource:
    """A document that an answer leans on, by the words that it quotes."""

    document_id: str
    content_hash: str  # as the document was when the answer was checked
    quote: str | None  # None: the document is gone


@dataclass(frozen=True, slots=True)
class CuratedAnswer:
    """What the house says to a question, whoever asks and may read its sources."""

    id: str
    tenant: str
    wordings: tuple[str, ...]  # of the question, at least one
    texts: Mapping[str, str]  # the answer by language, at least one
    sources: tuple[CuratedSource, ...]  # at least one
    checked: datetime
    checked_by: str
    due: date  # when it is to be looked at again
    revision: int  # from 1

    @property
    def documents(self) -> frozenset[str]:
        return frozenset(source.document_id for source in self.sources)

    @property
    def is_whole(self) -> bool:
        """Whether none of its sources is gone."""
        return all(source.quote is not None for source in self.sources)

    def is_overdue(self, today: date) -> bool:
        return self.due < today


class CuratedAnswers:
    """The answers of each tenant."""

    def __init__(self, rows: CuratedAnswerRows, sealer: Sealer) -> None:
        self._rows, self._sealer = rows, sealer
        # Read with every question; a row that is the same opens to the same.
        self._opened = lru_cache(maxsize=2 * MOST_ANSWERS)(self._open)

    def of_tenant(self, tenant: str) -> list[CuratedAnswer]:
        """What is to be looked at again first, first; without those that open no more."""
        opened = map(self._opened, self._rows.of_tenant(tenant))
        return [answer for answer in opened if answer is not None]

    def put(self, answer: CuratedAnswer) -> bool:
        """Keep one; False: there are too many. Raises NotFound: somebody was faster."""
        return self._rows.put(self._row(answer), most=MOST_ANSWERS)

    def remove(self, tenant: str, id_: str) -> None:
        """Forget one. Raises NotFound."""
        self._rows.remove(tenant, id_)

    def reseal(self) -> int:
        """Seal anew what another key than the newest had sealed; gives how many texts."""
        count = 0
        for row in self._everywhere():
            answer = self._open(row)
            texts = [row.body, *(source.quote for source in row.sources if source.quote)]
            if answer is None or all(self._sealer.is_newest(one, row.tenant) for one in texts):
                continue
            if self._rows.reseal(self._row(answer)):
                count += len(texts)
        return count

    def of_data_folder(self) -> int:
        """How many texts were sealed before there was a master key."""
        return sum(
            self._sealer.is_of_data_folder(one)
            for row in self._everywhere()
            for one in (row.body, *(source.quote for source in row.sources if source.quote))
        )

    def _everywhere(self) -> Iterator[CuratedRow]:
        for tenant in self._rows.tenants():
            yield from self._rows.of_tenant(tenant)

    def _row(self, answer: CuratedAnswer) -> CuratedRow:
        body = orjson.dumps({"wordings": answer.wordings, "texts": dict(answer.texts)})
        return CuratedRow(
            id=answer.id,
            tenant=answer.tenant,
            body=self._sealer.seal(body, _context(answer.id), answer.tenant),
            checked=answer.checked,
            checked_by=answer.checked_by,
            due=answer.due,
            revision=answer.revision,
            sources=tuple(self._sealed(answer, source) for source in answer.sources),
        )

    def _sealed(self, answer: CuratedAnswer, source: CuratedSource) -> CuratedSourceRow:
        quote = None if source.quote is None else source.quote.encode("utf-8", "surrogatepass")
        if quote is None:
            return CuratedSourceRow(source.document_id, source.content_hash, None)
        sealed = self._sealer.seal(quote, _context(answer.id, "quote"), answer.tenant)
        return CuratedSourceRow(source.document_id, source.content_hash, sealed)

    def _open(self, row: CuratedRow) -> CuratedAnswer | None:
        opened = self._sealer.open(row.body, _context(row.id))
        if opened is None:  # the key is another one than it was
            return None
        body = orjson.loads(opened)
        return CuratedAnswer(
            id=row.id,
            tenant=row.tenant,
            wordings=tuple(body["wordings"]),
            texts=body["texts"],
            sources=tuple(self._source(row.id, source) for source in row.sources),
            checked=row.checked,
            checked_by=row.checked_by,
            due=row.due,
            revision=row.revision,
        )

    def _source(self, id_: str, row: CuratedSourceRow) -> CuratedSource:
        opened = None if row.quote is None else self._sealer.open(row.quote, _context(id_, "quote"))
        quote = None if opened is None else opened.decode("utf-8", "surrogatepass")
        return CuratedSource(row.document_id, row.content_hash, quote)


def _context(id_: str, what: str = "body") -> str:
    return f"curated {what}\n{id_}"
