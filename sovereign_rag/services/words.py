"""Acronyms and synonyms of the house, which searches know in both directions from then on."""

import re
from collections.abc import Iterable
from typing import Final

from sovereign_rag.access import Principal
from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.catalog.house_words import HouseWord
from sovereign_rag.errors import BadInput
from sovereign_rag.services.operations import OperationRecorder
from sovereign_rag.storage.audit import AuditTrail, entry

MOST_WORDS: Final = 500
_TERM: Final = re.compile(r"[^=;#\s][^=;\n]{0,79}")
_MEANING: Final = re.compile(r"[^\s][^\n]{0,199}")


class WordsDesk:
    """For admins; what is changed is on the record before it is."""

    def __init__(
        self, *, catalog: Catalog, audit: AuditTrail, operations: OperationRecorder
    ) -> None:
        self._catalog, self._audit, self._operations = catalog, audit, operations

    def of_tenant(self, tenant: str) -> Iterable[tuple[str, str]]:
        """(term, meaning) each, for a search."""
        return ((word.term, word.meaning) for word in self._catalog.house_words.of_tenant(tenant))

    def all(self, asker: Principal) -> list[HouseWord]:
        """The words of the asker's tenant. Raises AuditError."""
        self._audit.append(entry("words.list", asker, {}))
        return self._catalog.house_words.of_tenant(asker.tenant)

    def add(self, term: str, meaning: str, asker: Principal) -> None:
        """Keep a word; the next search knows it.

        Raises:
            BadInput: It can't be one, or there are 500 already.
            AuditError: It can't be recorded; nothing is kept.
        """
        term, meaning = " ".join(term.split()), " ".join(meaning.split())
        if not _TERM.fullmatch(term) or not _MEANING.fullmatch(meaning):
            raise BadInput(
                "A word has a term of at most 80 characters without = and ;, and a meaning of at "
                "most 200: RTT, réduction du temps de travail."
            )
        told = {"term": term, "meaning": meaning}
        with self._operations.begun("word.add", asker, told):
            words = self._catalog.house_words
            if not words.add(asker.tenant, term, meaning, asker.label, most=MOST_WORDS):
                raise BadInput(
                    f"There are {MOST_WORDS} words already; remove one that is not used."
                )

    def remove(self, term: str, meaning: str, asker: Principal) -> None:
        """Forget a word. Raises NotFound, AuditError."""
        told = {"term": term, "meaning": meaning}
        with self._operations.begun("word.remove", asker, told):
            self._catalog.house_words.remove(asker.tenant, term, meaning)
