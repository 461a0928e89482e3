"""LlamaIndex on both sides: its readers bring documents in, our parts serve its engines."""

import asyncio
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from llama_index.core import SimpleDirectoryReader
from llama_index.core.base.llms.types import ChatMessage, MessageRole
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.readers.base import BaseReader
from llama_index.core.schema import Document, MetadataMode
from llama_index.core.vector_stores.types import (
    FilterCondition,
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
)

from ingest.jobs.ingestion import IngestReport
from ingest.sources.llama_index import read, tasks
from sovereign_rag.access import Principal, local_owner
from sovereign_rag.catalog.records import TaskState
from sovereign_rag.embedding.dense import DenseEmbedder
from sovereign_rag.errors import BadInput, EnvironmentFault
from sovereign_rag.integrations.llama_index import (
    SovereignEmbedding,
    SovereignLLM,
    SovereignRetriever,
)
from sovereign_rag.settings import Settings
from sovereign_rag.wiring import Application, open_service

OWNER = local_owner()
EVERYONE = frozenset({"everyone"})
HR = frozenset({"group:hr"})
ANA = Principal("ana", frozenset({"finance"}))
HUGO = Principal("hugo", frozenset({"hr"}))
STRANGER = Principal("hugo", frozenset({"hr"}), tenant="elsewhere")


class Board(BaseReader):  # type: ignore[misc]  # LlamaIndex's types are not analysed
    """Brings pinned notes; like most readers, it has no lazy way."""

    def __init__(self, *notes: Document) -> None:
        self.notes = notes

    def load_data(self) -> list[Document]:
        return list(self.notes)


class Unplugged(BaseReader):  # type: ignore[misc]  # likewise
    """A reader whose source is gone."""

    def load_data(self) -> list[Document]:
        raise RuntimeError("the archive is closed")


@pytest.fixture(scope="module")
def company(
    tmp_path_factory: pytest.TempPathFactory,
    product_settings: Callable[..., Settings],
    embedder: DenseEmbedder,
) -> Iterator[Application]:
    """A product with one document for everyone and one for HR; for tests that only read."""
    folder = tmp_path_factory.mktemp("company")
    (folder / "house-rules.md").write_text(
        "# House rules\n\n## Evening\n\nThe front door is closed at nine in the evening.\n"
    )
    (folder / "salaries.md").write_text("# Salaries\n\nThe door keeper earns 2,900 euros.\n")
    with open_service(product_settings(), embedder=embedder) as application:
        ingest = application.ingestion.ingest
        ingest([folder / "house-rules.md"], OWNER, readers=EVERYONE)
        ingest([folder / "salaries.md"], OWNER, readers=HR)
        yield application


@pytest.fixture(scope="module")
def library(
    product_settings: Callable[..., Settings], embedder: DenseEmbedder
) -> Iterator[Application]:
    """A product that readers fill; each test has sources of its own in it."""
    with open_service(product_settings(), embedder=embedder) as application:
        yield application


def retriever(application: Application, principal: Principal) -> SovereignRetriever:
    return SovereignRetriever(application.searching, principal, limit=5)


def bring(application: Application, reader: BaseReader, source: str) -> IngestReport:
    new = read(reader, application.content, source=source, readers=EVERYONE)
    return application.ingestion.take_in(new, OWNER, origin=[source])


def found(application: Application, query: str, principal: Principal = ANA) -> list[str]:
    return [p.chunk.text for p in application.searching.search(query, principal)]


def uris(application: Application, source: str) -> list[str]:
    known = application.documents.list(ANA)
    return sorted(d.uri for d in known if d.uri.startswith(f"{source}:"))


@pytest.mark.parametrize(
    ("principal", "titles"),
    [
        (ANA, {"House rules"}),
        (HUGO, {"House rules", "Salaries"}),
        (Principal("hr"), {"House rules"}),  # a user named like a group isn't the group
        (STRANGER, set()),
    ],
)
def test_a_retriever_gives_what_its_principal_may_read_and_nothing_else(
    company: Application, principal: Principal, titles: set[str]
) -> None:
    nodes = retriever(company, principal).retrieve("What does the door keeper earn?")

    assert {node.metadata["title"] for node in nodes} == titles


def test_a_node_tells_where_its_text_stands_and_shows_a_model_no_more_than_titles(
    company: Application,
) -> None:
    node = retriever(company, ANA).retrieve("When is the front door closed?")[0]

    page = company.documents.page(node.metadata["document_id"], 1, ANA)
    [[_, start, end]] = node.metadata["spans"]
    assert page.text[start:end] == node.text
    assert node.metadata["headings"].endswith("Evening")
    shown = node.node.get_content(MetadataMode.LLM)
    assert "House rules" in shown
    assert node.metadata["document_id"] not in shown


@pytest.mark.parametrize(
    ("given", "titles"),
    [
        ([], {"House rules", "Salaries"}),
        ([MetadataFilter(key="label", value="group:hr")], {"Salaries"}),
        ([MetadataFilter(key="label", value="group:finance")], set()),  # not one of hugo's own
        ([MetadataFilter(key="source", value="SALARIES")], {"Salaries"}),
        ([MetadataFilter(key="language", value="fr")], set()),
        ([MetadataFilter(key="modified", value="2100-01-01", operator=FilterOperator.GTE)], set()),
        (
            [
                MetadataFilter(
                    key="media_type", value=["text/markdown"], operator=FilterOperator.IN
                ),
                MetadataFilter(key="source", value="SALARIES"),
            ],
            {"Salaries"},
        ),
        (
            [MetadataFilter(key="document_id", value="ID", operator=FilterOperator.NE)],
            {"House rules"},
        ),
    ],
)
def test_a_retriever_leaves_out_what_its_filters_leave_out(
    company: Application, given: list[MetadataFilter], titles: set[str]
) -> None:
    salaries = next(d for d in company.documents.list(HUGO) if d.title == "Salaries")
    places = {"SALARIES": salaries.uri, "ID": salaries.id}
    filters = MetadataFilters(
        filters=[
            MetadataFilter(key=f.key, operator=f.operator, value=places.get(str(f.value), f.value))
            for f in given
        ]
    )

    narrowed = SovereignRetriever(company.searching, HUGO, filters=filters)

    assert {node.metadata["title"] for node in narrowed.retrieve("the door keeper")} == titles


@pytest.mark.parametrize(
    "filters",
    [
        MetadataFilters(filters=[MetadataFilter(key="author", value="x")]),
        MetadataFilters(
            filters=[MetadataFilter(key="language", value="f", operator=FilterOperator.CONTAINS)]
        ),
        MetadataFilters(filters=[MetadataFilter(key="language", value=7)]),
        MetadataFilters(
            filters=[MetadataFilter(key="modified", value="soon", operator=FilterOperator.LT)]
        ),
        MetadataFilters(
            filters=[
                MetadataFilter(key="language", value="fr"),
                MetadataFilter(key="language", value="de"),
            ]
        ),
        MetadataFilters(
            filters=[
                MetadataFilter(key="language", value="fr"),
                MetadataFilter(key="label", value="everyone"),
            ],
            condition=FilterCondition.OR,
        ),
        MetadataFilters(
            filters=[MetadataFilter(key="language", value="fr")], condition=FilterCondition.NOT
        ),
    ],
)
def test_a_filter_that_can_t_be_kept_to_is_refused_not_passed_over(
    company: Application, filters: MetadataFilters
) -> None:
    with pytest.raises(BadInput, match="document_id with =="):
        SovereignRetriever(company.searching, HUGO, filters=filters)


def test_a_retriever_hears_a_question_after_the_conversation_before_it(
    company: Application,
) -> None:
    history = [
        ChatMessage(role=MessageRole.SYSTEM, content="Be brief."),
        ChatMessage(role=MessageRole.USER, content="What does the door keeper earn?"),
        ChatMessage(role=MessageRole.ASSISTANT, content="2,900 euros."),
    ]

    def lexical(history: list[ChatMessage]) -> set[str]:
        by_words = SovereignRetriever(company.searching, HUGO, mode="lexical", history=history)
        return {node.metadata["title"] for node in by_words.retrieve("And how often is it paid?")}

    assert lexical(history) == {"House rules", "Salaries"}
    assert lexical([]) == set()


def test_a_retriever_searches_without_holding_up_an_event_loop(company: Application) -> None:
    question = "When is the front door closed?"

    async def both() -> list[str]:
        nodes = await retriever(company, ANA).aretrieve(question)
        return [node.node_id for node in nodes]

    assert asyncio.run(both()) == [n.node_id for n in retriever(company, ANA).retrieve(question)]


def test_every_search_of_a_retriever_is_on_the_audit_record(company: Application) -> None:
    before = list(company.audit.read())[-1].number

    retriever(company, HUGO).retrieve("door keeper")

    (record,) = company.audit.read(after=before)
    assert (record.entry.action, record.entry.principal) == ("search", "user:hugo")


def test_embeddings_are_those_of_our_embedder(embedder: DenseEmbedder) -> None:
    embedding = SovereignEmbedding(embedder)
    texts = ["The door is closed.", "Die Tür ist zu."]

    passages = embedding.get_text_embedding_batch(texts)
    question = embedding.get_query_embedding(texts[0])

    assert np.allclose(passages, embedder.embed_passages(texts), atol=1e-6)
    assert np.allclose(question, embedder.embed_queries(texts[:1])[0], atol=1e-6)
    assert not np.allclose(question, passages[0], atol=1e-3)  # a question is no passage
    assert asyncio.run(embedding.aget_query_embedding(texts[0])) == question


@pytest.mark.model
def test_the_language_model_writes_the_same_streamed_or_at_once(company: Application) -> None:
    language_model = company.language_model()
    assert language_model is not None
    llm = SovereignLLM(language_model, tenant=ANA.tenant, max_tokens=12)
    messages = [
        ChatMessage(role=MessageRole.SYSTEM, content="You answer briefly."),
        ChatMessage(role=MessageRole.USER, content="Name a colour."),
    ]

    pieces = list(llm.stream_chat(messages))
    whole = llm.chat(messages)

    assert len(pieces) > 1
    assert "".join(piece.delta or "" for piece in pieces) == pieces[-1].message.content
    assert pieces[-1].message.content == whole.message.content != ""
    text = llm.complete("Name a colour.").text
    assert text.startswith(llm.complete("Name a colour.", max_tokens=2).text)
    assert llm.complete("Name a colour.", stop=[text[-3:]]).text == text[:-3]


@pytest.mark.model
def test_a_query_engine_of_llama_index_answers_from_what_its_principal_may_read(
    company: Application,
) -> None:
    language_model = company.language_model()
    assert language_model is not None
    llm = SovereignLLM(language_model, tenant=ANA.tenant, max_tokens=16)
    engine = RetrieverQueryEngine.from_args(retriever(company, ANA), llm=llm)

    response = engine.query("What does the door keeper earn?")

    assert str(response).strip() != ""
    assert {node.metadata["title"] for node in response.source_nodes} == {"House rules"}


def test_a_folder_reader_of_llama_index_is_a_source(library: Application, tmp_path: Path) -> None:
    (tmp_path / "soup.txt").write_text("On Mondays there is lentil soup for everybody.")
    (tmp_path / "boat.md").write_text("# Boats\n\nThe ferry leaves from the northern pier.")
    reader = SimpleDirectoryReader(str(tmp_path))

    first = bring(library, reader, "folder")
    second = bring(library, reader, "folder")

    assert {task.state for task in first.tasks} == {TaskState.INDEXED}
    assert {task.state for task in second.tasks} == {TaskState.UNCHANGED}
    assert any("northern pier" in text for text in found(library, "Where does the ferry leave?"))
    (boat,) = (d for d in library.documents.list(ANA) if d.name == "boat.md")
    assert boat.uri == f"folder:{tmp_path}/boat.md"
    assert boat.title == "Boats"


def test_a_changed_note_replaces_the_old_one_and_keeps_its_identity(library: Application) -> None:
    origin = {"url": "board/7", "title": "Opening hours"}
    bring(library, Board(Document(text="The office opens at eight.", metadata=origin)), "board")

    report = bring(
        library, Board(Document(text="The office opens at ten.", metadata=origin)), "board"
    )

    assert [task.state for task in report.tasks] == [TaskState.INDEXED]
    assert found(library, "When does the office open?")[0] == "The office opens at ten."
    assert uris(library, "board") == ["board:board/7"]
    assert "The office opens at eight." not in found(library, "When does the office open?")


def test_parts_of_one_origin_are_all_kept(library: Application) -> None:
    parts = ["The first part is about apples.", "The second part is about pears."]
    notes = [Document(text=text, metadata={"url": "board/1"}) for text in parts]

    bring(library, Board(*notes, Document(text="  ")), "parts")

    assert set(found(library, "What is the part about?")) >= set(parts)
    assert uris(library, "parts") == ["parts:board/1", "parts:board/1#2"]


def test_an_id_that_the_reader_chose_names_the_document_and_a_random_one_does_not(
    library: Application,
) -> None:
    chosen, random = Document(text="Chosen.", id_="note-7"), Document(text="Random.")

    new = list(tasks([chosen, random], library.content, source="board", readers=EVERYONE))

    again = list(
        tasks([Document(text="Random.")], library.content, source="board", readers=EVERYONE)
    )
    assert new[0].uri == "board:note-7"
    assert new[1].uri == again[0].uri != f"board:{random.doc_id}"


def test_a_source_cannot_take_the_name_of_another_kind_of_source(library: Application) -> None:
    for name in ("file", "upload", "My notes", ""):
        with pytest.raises(BadInput, match="source"):
            bring(library, Board(Document(text="Fake.")), name)

    assert bring(library, Board(Document(text="Genuine.")), "notes").job.total == 1


def test_a_reader_that_fails_leaves_no_job_behind(library: Application) -> None:
    before = library.catalog.jobs.recent(OWNER.tenant, 100)

    with pytest.raises(EnvironmentFault, match=r"Unplugged failed: .*the archive is closed"):
        bring(library, Unplugged(), "archive")

    assert library.catalog.jobs.recent(OWNER.tenant, 100) == before


def test_the_product_does_not_wait_for_llama_index() -> None:
    code = (
        "import sys, sovereign_rag.wiring, sovereign_rag.cli; print('llama_index' in sys.modules)"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "False"
