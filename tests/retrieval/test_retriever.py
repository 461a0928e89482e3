"""A question finds passages within the asker's rights; what stands beside them too."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from sovereign_rag.access import Principal, ReadScope, read_scope, stored_readers
from sovereign_rag.catalog.records import LiveDocument
from sovereign_rag.domain import Chunk, PageSpan, Passage, SearchMode
from sovereign_rag.embedding.lexical import Bm25Encoder
from sovereign_rag.retrieval.conversation import Turn
from sovereign_rag.retrieval.rerank import Reranker
from sovereign_rag.retrieval.retriever import Retriever
from sovereign_rag.settings import RetrievalSettings
from sovereign_rag.store.memory import MemoryStore
from sovereign_rag.store.protocol import (
    ChunkOrigin,
    DenseQuery,
    Hit,
    IndexedChunk,
    LexicalQuery,
    SearchFilter,
)
from tests.hashed import DIMENSION, HashEmbedder

ANA = read_scope(Principal("ana"))
HR = read_scope(Principal("hugo", frozenset({"hr"})))
LEXICAL = Bm25Encoder()


class EverythingIsLive:
    """A catalog whose documents were never replaced."""

    def live_versions(
        self, document_ids: Sequence[str], scope: ReadScope
    ) -> Mapping[str, LiveDocument]:
        return {
            id_: LiveDocument(
                id=id_,
                version="v1",
                title="title",
                uri="file:///a",
                paged=True,
                content_hash="0",
                parse_key="0",
            )
            for id_ in document_ids
        }


class Backwards:
    """A reranker that finds the last one best."""

    model_id = "backwards"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def rerank(self, question: str, passages: Sequence[Passage]) -> list[Passage]:
        self.asked.append(question)
        return [
            replace(passage, score_parts={**passage.score_parts, "rerank": float(place)})
            for place, passage in reversed(list(enumerate(passages)))
        ]


def chunk(
    text: str, *, document: str, index: int = 0, readers: str = "everyone", language: str = "en"
) -> IndexedChunk:
    made = Chunk(
        document_id=str(uuid.uuid5(uuid.NAMESPACE_OID, document)),
        version="v1",
        index=index,
        text=text,
        spans=(PageSpan(1, 1_000 * index, 1_000 * index + len(text)),),
        language=language,
    )
    return IndexedChunk(
        made,
        "default",
        stored_readers({readers}),
        0,
        HashEmbedder().embed_passages([text])[0],
        LEXICAL.encode_passages([text], [language])[0],
        ChunkOrigin(f"file:///{document}", "text/plain"),
    )


def retriever(
    *chunks: IndexedChunk,
    reranker: Reranker | None = None,
    settings: RetrievalSettings | None = None,
) -> Retriever:
    store = MemoryStore(dimension=DIMENSION)
    store.put(chunks)
    return Retriever(
        embedder=HashEmbedder(),
        lexical=LEXICAL,
        store=store,
        live=EverythingIsLive(),
        settings=settings or RetrievalSettings(),
        reranker=reranker,
    )


RIVERS = (
    chunk("The Penobscot river is 175 km long.", document="penobscot"),
    chunk("The Snake river is 1,735 km long.", document="snake"),
    chunk("A jury is twelve persons long in session.", document="jury"),
)


def test_a_question_that_leans_finds_what_the_conversation_is_about() -> None:
    search = retriever(*RIVERS)
    history = [Turn("Where does the Penobscot river start?", "In Maine.")]

    alone = search.query("How long is it?", "en", ANA)
    whole = search.query("How long is it?", "en", ANA, history=history)

    found = search.retrieve(whole, ANA, limit=3)
    assert "Penobscot" in found[0].chunk.text
    assert whole.whole == "Where does the Penobscot river start? How long is it?"
    assert alone.whole == "How long is it?"
    assert found[0].score_parts["lexical"] > max(
        p.score_parts.get("lexical", 0.0) for p in search.retrieve(alone, ANA, limit=3)
    )


@pytest.mark.parametrize("mode", ["hybrid", "dense", "lexical"])
def test_a_question_that_stands_alone_is_searched_as_if_nothing_was_asked_before(
    mode: str,
) -> None:
    search = retriever(*RIVERS)
    history = [Turn("Where does the Penobscot river start?")]
    question = "Which jury sits in session with twelve persons?"

    with_history = search.query(question, "en", ANA, history=history)

    assert with_history == search.query(question, "en", ANA)
    best = search.retrieve(with_history, ANA, limit=1, mode=mode)  # type: ignore[arg-type]  # a str of the table, where a Literal is
    assert "jury" in best[0].chunk.text


def test_languages_that_lie_together_compete_by_meaning() -> None:
    question = "Where does the Penobscot river start?"
    english = chunk("The Snake river and the trout start to spawn.", document="trout")
    german = chunk("Penobscot river: Quelle in Maine.", document="quelle", language="de")
    together, alone = retriever(english, german), retriever(german)

    found = together.retrieve(together.query(question, "en", ANA), ANA, limit=2)
    single = alone.retrieve(alone.query(question, "en", ANA), ANA, limit=1)

    parts = {p.chunk.language: p.score_parts for p in found}
    counted = parts["en"]["coverage"] - 0.5 * parts["de"]["coverage"]
    assert parts["de"]["lift"] == pytest.approx(counted)
    assert "lift" not in parts["en"]
    assert "lift" not in single[0].score_parts
    order = [p.score + p.score_parts.get("lift", 0.0) for p in found]
    assert order == sorted(order, reverse=True)


def test_a_neighbour_is_joined_where_the_asker_may_read_it_and_nowhere_else() -> None:
    cut = chunk("An applicant for a badge brings the following:", document="badge", index=0)
    rest = chunk("a passport and the secret number.", document="badge", index=1, readers="group:hr")
    others = [chunk(f"Badge colour {n} is for floor {n}.", document=f"f{n}") for n in range(8)]
    search = retriever(cut, rest, *others, settings=RetrievalSettings(passages=1))

    def texts(scope: ReadScope) -> list[str]:
        query = search.query("What does an applicant for a badge bring?", "en", scope)
        return [p.chunk.text for p in search.context(query, scope)]

    assert texts(ANA) == [cut.chunk.text]
    assert texts(HR) == [f"{cut.chunk.text}\n\n{rest.chunk.text}"]


def test_what_the_words_alone_put_first_is_among_what_an_answer_is_made_from() -> None:
    house = [chunk(f"The council of Lund meets in room {n}.", document=f"r{n}") for n in range(9)]
    rule = chunk(
        "Of all software that is bought, rented, copied or shared we avoid such licences.",
        document="rule",
    )
    search = retriever(*house, rule, settings=RetrievalSettings(passages=4))
    query = search.query("Which licences does the council of Lund avoid?", "en", ANA)

    found = search.retrieve(query, ANA, limit=10)
    read = search.context(query, ANA)

    place = next(n for n, p in enumerate(found) if "licences" in p.chunk.text)
    assert place >= 4
    assert found[place].score_parts["lexical_rank"] == 1
    assert ["licences" in p.chunk.text for p in read] == [False, False, True, False]


def test_a_reranker_orders_the_best_and_the_scores_stay_the_searchs() -> None:
    reranker = Backwards()
    settings = RetrievalSettings(rerank_candidates=2)
    plain = retriever(*RIVERS)
    reranked = retriever(*RIVERS, reranker=reranker, settings=settings)
    query = plain.query("How long is the Snake river?", "en", ANA)

    before = plain.retrieve(query, ANA, limit=2)
    after = reranked.retrieve(query, ANA, limit=2)

    assert [p.id for p in after] == [p.id for p in reversed(before)]
    assert {p.id: p.score for p in after} == {p.id: p.score for p in before}
    assert reranker.asked == ["How long is the Snake river?"]


def test_a_narrowing_holds_for_both_legs() -> None:
    search = retriever(*RIVERS)
    query = search.query("How long is the Snake river?", "en", ANA)

    found = search.retrieve(
        query, ANA, limit=10, search_filter=SearchFilter(sources=frozenset({"file:///jury"}))
    )

    assert [p.chunk.text for p in found] == [RIVERS[2].chunk.text]


class CountedStore(MemoryStore):
    """Notes what it was asked, a round trip each."""

    def __init__(self) -> None:
        super().__init__(dimension=DIMENSION)
        self.trips: list[str] = []

    def search(
        self, queries: Sequence[DenseQuery | LexicalQuery], scope: ReadScope
    ) -> list[list[Hit]]:
        self.trips.append("search")
        return super().search(queries, scope)

    def search_and_weigh(
        self, queries: Sequence[DenseQuery | LexicalQuery], terms: Sequence[int], scope: ReadScope
    ) -> tuple[list[list[Hit]], Mapping[int, float]]:
        self.trips.append("search and weights")
        return MemoryStore.search(self, queries, scope), self.idf(terms, scope)

    def scores(
        self, queries: Sequence[DenseQuery | LexicalQuery], scope: ReadScope
    ) -> list[Mapping[str, float]]:
        self.trips.append("scores")
        hits = MemoryStore.search(self, queries, scope)
        return [{hit.id: hit.score for hit in part} for part in hits]


@pytest.mark.parametrize(
    ("mode", "candidates", "trips"),
    [
        ("hybrid", 5, ["search and weights"]),  # a leg with room for more has found everything
        ("hybrid", 1, ["search and weights", "scores"]),
        ("dense", 5, ["search"]),
        ("lexical", 5, ["search"]),
    ],
)
def test_a_search_takes_two_round_trips_at_most_and_finds_what_a_weighed_question_does(
    mode: SearchMode, candidates: int, trips: list[str]
) -> None:
    store = CountedStore()
    # What each leg likes best differs: all the small words, or the rare ones.
    store.put([*RIVERS, chunk("How long is the and the how long", document="small")])
    search = Retriever(
        embedder=HashEmbedder(),
        lexical=LEXICAL,
        store=store,
        live=EverythingIsLive(),
        settings=RetrievalSettings(candidates=candidates),
    )
    question = "How long is the Snake river and the Penobscot?"

    found = search.retrieve(search.query(question, "en", ANA, weigh=False), ANA, limit=1, mode=mode)

    assert store.trips == trips
    weighed = search.query(question, "en", ANA)
    assert found == search.retrieve(weighed, ANA, limit=1, mode=mode)


@pytest.mark.parametrize("mode", ["hybrid", "dense", "lexical"])
def test_a_shorter_list_is_the_beginning_of_a_longer_one(mode: SearchMode) -> None:
    texts = ("The river is long.", "Der Fluss ist lang.", "The river and the jury.", "A long jury.")
    search = retriever(
        *(
            chunk(
                f"{text} {number}", document=f"{number}", language="de" if "Der" in text else "en"
            )
            for number, text in enumerate(texts * 5)
        )
    )
    query = search.query("How long is the river?", "en", ANA)

    everything = search.retrieve(query, ANA, limit=20, mode=mode)

    assert len(everything) > 5
    assert any("lift" in passage.score_parts for passage in everything) == (mode == "hybrid")
    for limit in (1, 5):
        assert search.retrieve(query, ANA, limit=limit, mode=mode) == everything[:limit]
