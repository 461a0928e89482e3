"""Questions go on over the real API while another process builds an index and switches to it."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import httpx
import pytest

from sovereign_rag.app import create_app
from sovereign_rag.settings import ChunkSettings
from tests.api.conftest import serving
from tests.ingest.reindex.conftest import SHORT, Reopened, switch, wait_until

QUESTIONS = (
    "When is the door closed?",
    "What is there on Mondays?",
    "Where do bicycles stand?",
)

Told = dict[str, object]


class Asker:
    """Asks over a connection of its own, and keeps which index each answer came from."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client
        self.indexes: list[str] = []
        self.failures: list[object] = []

    def answers(self) -> list[Told]:
        """What a person reads of the answers to `QUESTIONS`. Raises httpx.HTTPError."""
        return [self._answer(question) for question in QUESTIONS]

    @contextmanager
    def asking(self, before: Sequence[Told], *, alike: bool) -> Iterator[None]:
        """Ask without a pause in a thread; notes what fails, and what is not as it was.

        `alike`: the answers have to be the same to the letter, else to quote something.
        """
        stop = threading.Event()

        def ask() -> None:
            while not stop.is_set():
                try:
                    told = self.answers()
                except httpx.HTTPError as error:
                    self.failures.append(error)
                    continue
                if (alike and told != before) or not all(one["citations"] for one in told):
                    self.failures.append(told)

        thread = threading.Thread(target=ask)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()

    def _answer(self, question: str) -> Told:
        reply = self._client.post("/v1/answers", json={"question": question})
        told = reply.raise_for_status().json()
        self._client.post("/v1/search", json={"query": question}).raise_for_status()
        self.indexes.append(told["index_version"])
        citations = [(c["quote"], c["page"], c["start"]) for c in told["citations"]]
        return {"text": told["answer"], "kind": told["kind"], "citations": citations}


@pytest.mark.parametrize("chunks", [ChunkSettings(), SHORT], ids=["as it was", "other chunks"])
def test_questions_are_answered_while_another_index_is_built(
    reopened: Reopened, chunks: ChunkSettings
) -> None:
    unchanged = chunks == ChunkSettings()
    with reopened() as served, serving(create_app(served)) as url:
        _, key = served.catalog.keys.create("Ana", "ana")
        header = {"Authorization": f"Bearer {key}"}
        with httpx.Client(base_url=url, headers=header, timeout=120) as client:
            asker = Asker(client)
            before = asker.answers()
            with asker.asking(before, alike=unchanged), reopened(chunk=chunks) as admin:
                index = admin.reindexing.begin(admin.indexes.wanted())
                assert switch(admin.reindexing, index).is_whole
                wait_until(lambda: asker.indexes[-1] == index.collection)
            asked = list(asker.indexes)
            after = asker.answers()

    assert asker.failures == []
    assert asked[0] != asked[-1] == index.collection
    assert len(asked) > 2 * len(QUESTIONS)
    assert set(asker.indexes[len(asked) :]) == {index.collection}
    if unchanged:
        assert after == before
