"""Taking documents away: from everybody, or from some of their readers.

The one place for both, whoever asks: a person, a sync, an archive that holds less than before.
What is taken away is gone from the catalog at once, which every hit has to pass; the vector store
is told right after, or when it is back: what it is still to be told stands in the catalog, so a
crash on the way is mended by whoever comes next.
"""

import logging
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from contextlib import suppress
from typing import Final

from sovereign_rag.access import stored_readers
from sovereign_rag.catalog.documents import Documents
from sovereign_rag.catalog.follow_ups import FollowUp, FollowUps
from sovereign_rag.catalog.records import Lease
from sovereign_rag.errors import NotFound, StoreError
from sovereign_rag.metadata import Stated
from sovereign_rag.storage.content import ContentStore
from sovereign_rag.store.protocol import AllIndexes, ChunkOrigin, Spoken
from sovereign_rag.system.holder import holder_name, is_dead

log = logging.getLogger(__name__)

_PATIENCE_S: Final = 2.0
_AGAIN_S: Final = 0.2


class Erasure:
    """Of documents in every index, their texts and their bytes."""

    def __init__(
        self,
        documents: Documents,
        follow_ups: FollowUps,
        *,
        content: ContentStore,
        all_indexes: AllIndexes,
    ) -> None:
        """`all_indexes` is the chunks of documents in every index that there is."""
        self._documents, self._follow_ups = documents, follow_ups
        self._content, self._all_indexes = content, all_indexes
        self._holder = holder_name()
        self._tellers = ThreadPoolExecutor(thread_name_prefix="follow-up")
        self._is_away = False  # so that a store that is away is told of once

    def erase(self, tenant: str, document_id: str, content_hash: str) -> bool:
        """Remove a document: its chunks, its text, its original, its page images.

        A version of it that is being taken in right now is not published any more.

        Returns:
            False: Nobody finds anything of it any more, and its chunks are removed later: the
            store does not answer, or a worker is at the document.
        """
        self._documents.withdraw(tenant, document_id)
        return self.erase_stored(tenant, document_id, content_hash)

    def erase_stored(
        self, tenant: str, document_id: str, content_hash: str, lease: Lease | None = None
    ) -> bool:
        """As `erase`, and what jobs still want to do for the document goes on.

        Args:
            lease: Of the worker that asks, where it holds a task for the document.
        """
        # Catalog first: from here on nobody finds it, and what has to go is on its list.
        self._documents.remove(tenant, document_id)
        self.erase_content(content_hash)
        return self.follow_up(document_id, lease)

    def erase_content(self, content_hash: str) -> None:
        """Remove bytes, text and page images that no document and no task needs any more."""
        self._content.check()  # while it is removed, other writers wait
        self._documents.unless_in_use(content_hash, lambda: self._content.delete(content_hash))

    def change_readers(
        self,
        tenant: str,
        document_id: str,
        readers: frozenset[str],
        level: int,
        lease: Lease | None = None,
    ) -> bool:
        """Change who may read a document.

        Who may not any more finds nothing of it from now on, whether the store answers or not;
        who is new does once the store has been told.

        Returns:
            False: The document is gone; whoever wants it has to take it in anew.

        Raises:
            LeaseLost: The worker that holds `lease` does not hold it any more.
        """
        try:
            self._follow_ups.change(tenant, document_id, readers, level, lease)
        except NotFound:  # deleted meanwhile
            return False
        self.follow_up(document_id, lease)
        return True

    def state(self, tenant: str, document_id: str, stated: Stated) -> None:
        """Change what is stated of a document; lists have it now, searches once the store does.

        Raises:
            NotFound: The tenant has no such document.
        """
        self._follow_ups.state(tenant, document_id, stated)
        self.follow_up(document_id)

    def state_by_task(self, tenant: str, document_id: str, lease: Lease | None) -> None:
        """State of a document what its task states; the same again, or no task, changes nothing.

        Raises:
            LeaseLost: The worker that holds `lease` does not hold it any more.
        """
        with suppress(NotFound):  # deleted meanwhile
            if self._follow_ups.state(tenant, document_id, lease=lease):
                self.follow_up(document_id, lease)

    def follow_up(self, document_id: str, lease: Lease | None = None) -> bool:
        """Tell the store of a document what the catalog says; False: it can't be for now.

        Who holds no lease is a person, who is not kept waiting for a store that is silent: it is
        told all the same.
        """
        if lease is not None:
            return self._follow_up(document_id, lease)
        telling = self._tellers.submit(self._follow_up, document_id, None)
        try:
            return telling.result(_PATIENCE_S)
        except FutureTimeout:
            return False

    def wait_told(self, document_ids: Iterable[str], *, within_s: float) -> bool:
        """Wait until the store was told of documents what the catalog says; False: it was not.

        For whoever is to find the bytes gone, not only what they say.
        """
        until = time.monotonic() + within_s
        for id_ in document_ids:
            while not self._follow_up(id_, None):
                if time.monotonic() > until:
                    return False
                time.sleep(_AGAIN_S)
        return True

    def close(self) -> None:
        """What the store is being told, it is told; what it is to be told yet is in the catalog."""
        self._tellers.shutdown()

    def _follow_up(self, document_id: str, lease: Lease | None) -> bool:
        while found := self._follow_ups.claim(self._holder, document_id=document_id, lease=lease):
            if not self._tell(found):
                return False
        return not self._follow_ups.is_noted(document_id)

    def follow_up_all(self) -> bool:
        """Tell the store all that it was not told of yet; False: it does not answer.

        For whoever works, now and then: the store may have been away, or a process have died.
        """
        for holder in self._follow_ups.holders():
            if is_dead(holder):
                self._follow_ups.free(holder)
        while (found := self._follow_ups.claim(self._holder)) is not None:
            if not self._tell(found):
                return False
        return True

    def _tell(self, found: FollowUp) -> bool:
        try:
            if found.rights is None:
                self._all_indexes.prune(found.tenant, found.document_id, keep=None)
                self._all_indexes.flush()
            else:
                readers, level = found.rights
                labels = stored_readers(readers)
                self._all_indexes.set_access(
                    found.tenant, found.document_id, readers=labels, level=level
                )
                self._tell_stated(found, labels, level)
                self._all_indexes.tidy(found.tenant, found.document_id)
        except StoreError as fault:
            self._follow_ups.release(found)
            if not self._is_away:
                log.warning("The catalog goes by what changed; the store follows later: %s", fault)
            self._is_away = True
            return False
        except BaseException:
            self._follow_ups.release(found)
            raise
        self._is_away = False
        self._follow_ups.end(found)
        return True

    def _tell_stated(self, found: FollowUp, labels: frozenset[str], level: int) -> None:
        document = found.document
        if document is None:
            return
        facts, date = document.stated.found_by
        dated = date or document.modified
        if found.is_spoken:  # its chunks are written with all that is known of them
            origin = ChunkOrigin(document.uri, document.media_type, dated, facts)
            spoken = Spoken(document.stated.spoken, document.found_language, labels, level, origin)
            self._all_indexes.set_language(found.tenant, document.id, spoken)
        if found.is_stated:
            self._all_indexes.set_facts(found.tenant, document.id, facts=facts, modified=dated)
