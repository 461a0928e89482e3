"""The client for programs, against the service itself: typed, blocking or awaited."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from starlette.responses import HTMLResponse, JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from sovereign_rag.app import create_app
from sovereign_rag.client import (
    AnswerOut,
    AsyncClient,
    Client,
    Extract,
    Finished,
    Found,
    ServiceError,
)
from sovereign_rag.errors import (
    BadInput,
    Busy,
    EnvironmentFault,
    Forbidden,
    NotFound,
    Unauthenticated,
)
from tests.api.conftest import HEATING, SALARIES, Product, serving
from tests.api.test_answers import HEATING_QUESTION, SALARY_QUESTION

LIGHT = """
import sys
import httpx
import pydantic
pydantic.create_model("Any", number=(int, 0))
made_of = {name.partition(".")[0] for name in sys.modules}
import sovereign_rag.client
more = {name.partition(".")[0] for name in sys.modules} - made_of
print(sorted(more - sys.stdlib_module_names))
"""


@pytest.fixture
def ana(product: Product) -> Iterator[Client]:
    with Client(product.url, product.keys["ana"]) as client:
        yield client


@pytest.fixture
def admin(product: Product) -> Iterator[Client]:
    with Client(product.url, product.keys["admin"]) as client:
        yield client


def test_an_answer_comes_typed_and_is_the_one_that_the_service_gives(
    product: Product, ana: Client
) -> None:
    answer = ana.ask(HEATING_QUESTION)

    with product.client("ana") as plain:
        body = plain.post("/v1/answers", json={"question": HEATING_QUESTION}).json()
    assert answer.answer == body["answer"]
    assert [c.model_dump(mode="json") for c in answer.citations] == body["citations"]


def test_an_answer_comes_event_by_event(ana: Client) -> None:
    events = list(ana.stream(HEATING_QUESTION))

    assert isinstance(events[0], Found)
    assert all(isinstance(event, Extract) for event in events[1:-1])
    assert isinstance(events[-1], Finished)
    assert events[-1].answer.answer == ana.ask(HEATING_QUESTION).answer


def test_a_question_leans_on_the_answers_before_it(ana: Client) -> None:
    first = ana.ask(HEATING_QUESTION)

    second = ana.ask("Et la nuit ?", history=[first])

    assert second.follow_up is not None
    assert ana.ask("Et la nuit ?").follow_up is None


def test_filters_leave_out_what_they_say(product: Product, ana: Client) -> None:
    other = [id_ for name, id_ in product.documents.items() if name != Path(HEATING).name]

    found = ana.search(HEATING_QUESTION, languages=["fr"]).passages
    without = ana.search(HEATING_QUESTION, documents=other).passages

    assert {passage.language for passage in found} == {"fr"}
    heating = product.documents[Path(HEATING).name]
    assert heating in {passage.document_id for passage in found}
    assert heating not in {passage.document_id for passage in without}
    assert set(ana.facets(languages=["fr"]).language) == {"fr"}


def test_a_cited_page_and_its_image_are_at_hand(ana: Client) -> None:
    citation = ana.ask(HEATING_QUESTION).citations[0]
    assert citation.page is not None

    page = ana.page(citation.document_id, citation.page)
    image = ana.page_image(
        citation.document_id, citation.page, start=citation.start, end=citation.end
    )

    assert page.text[citation.start : citation.end] == citation.quote
    assert image.startswith(b"\x89PNG")


def test_a_list_is_about_what_the_program_names(ana: Client) -> None:
    listed = [one.name for one in ana.documents(q="chauffage", sort="-title", statuses=["indexed"])]

    assert listed == [Path(HEATING).name]
    assert ana.count_documents(q="chauffage") == 1
    assert ana.count_documents(date_to=datetime(1990, 1, 1, tzinfo=UTC)) == 0


def test_a_document_is_taken_along_with_its_chunks_and_its_original(
    product: Product, ana: Client
) -> None:
    heating = product.documents[Path(HEATING).name]

    chunks, exported = list(ana.chunks(heating)), ana.export(heating)

    assert ana.original(heating).startswith(b"%PDF")
    assert len(chunks) == exported.document.chunks
    assert len(exported.pages) == exported.document.pages


def test_documents_are_those_that_the_key_may_read(product: Product, ana: Client) -> None:
    secret = product.documents["salaries.md"]

    listed = {document.document_id for document in ana.documents()}
    with Client(product.url, product.keys["hugo"]) as hugo:
        seen = hugo.document(secret)

    assert secret not in listed
    assert seen.name == "salaries.md"
    with pytest.raises(NotFound):
        ana.document(secret)


def test_a_file_is_handed_in_searched_and_deleted(
    product: Product, ana: Client, admin: Client, tmp_path: Path
) -> None:
    file = tmp_path / "bicycles.md"
    file.write_text("# Bicycles\n\nThe bicycle cellar opens with the blue key.\n", "utf-8")

    job = admin.upload(file, readers=["everyone"])
    product.work_off()
    ended = admin.wait(job.job_id)
    (task,) = admin.job_documents(job.job_id)
    assert task.document_id is not None
    found = [passage.document_id for passage in ana.search("bicycle cellar key").passages]
    admin.delete_document(task.document_id)

    assert ended.counts["indexed"] == 1
    assert task.document_id in found
    assert job.job_id in {known.job_id for known in admin.jobs()}
    with pytest.raises(NotFound):
        ana.document(task.document_id)


def test_only_an_admin_hands_files_in(ana: Client, tmp_path: Path) -> None:
    file = tmp_path / "mine.md"
    file.write_text("# Mine\n", "utf-8")

    with pytest.raises(Forbidden):
        ana.upload(file)


def test_a_program_with_an_event_loop_gets_the_same(product: Product, ana: Client) -> None:
    async def asked() -> tuple[AnswerOut, AnswerOut, set[str]]:
        async with AsyncClient(product.url, product.keys["ana"]) as client:
            whole, events = await asyncio.gather(
                client.ask(HEATING_QUESTION), _events(client, HEATING_QUESTION)
            )
            names = {document.name async for document in client.documents()}
            with pytest.raises(NotFound):
                await client.document(product.documents["salaries.md"])
            assert isinstance(events[-1], Finished)
            return whole, events[-1].answer, names

    whole, streamed, names = asyncio.run(asked())

    assert whole.answer == streamed.answer == ana.ask(HEATING_QUESTION).answer
    assert names == {document.name for document in ana.documents()}


def test_a_wrong_key_is_refused_and_so_is_no_service(product: Product) -> None:
    with Client(product.url, "srag_wrong") as stranger, pytest.raises(Unauthenticated):
        stranger.ask(SALARY_QUESTION)
    with (
        Client("http://127.0.0.1:9", "srag_x") as nobody,
        pytest.raises(EnvironmentFault, match="can't be reached"),
    ):
        nobody.ask(SALARY_QUESTION)
    with pytest.raises(BadInput, match="no address"):
        Client("rag.example.org")


def test_no_proxy_of_the_environment_gets_to_see_a_question(
    product: Product, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HTTP_PROXY", "ALL_PROXY", "http_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.delenv("no_proxy", raising=False)

    with Client(product.url, product.keys["hugo"]) as hugo:
        assert SALARIES.splitlines()[2][:20] in hugo.search(SALARY_QUESTION).passages[0].text


class Before:
    """What stands before the service, and answers the first requests itself."""

    def __init__(self, app: ASGIApp, *refusals: ASGIApp) -> None:
        self._app, self._refusals = app, list(refusals)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and self._refusals:
            await self._refusals.pop(0)(scope, receive, send)
        else:
            await self._app(scope, receive, send)


def busy() -> JSONResponse:
    return JSONResponse(
        {"error": "Busy", "detail": "Every place is taken."}, 429, {"Retry-After": "0"}
    )


def test_a_busy_service_is_asked_again_a_few_times(product: Product) -> None:
    key = product.keys["hugo"]
    with (
        serving(Before(create_app(product.application), busy(), busy())) as url,
        Client(url, key, retries=2) as patient,
    ):
        assert patient.search(SALARY_QUESTION).passages
    with (
        serving(Before(create_app(product.application), busy(), busy())) as url,
        Client(url, key, retries=1) as hasty,
        pytest.raises(Busy),
    ):
        hasty.search(SALARY_QUESTION)


def test_the_page_of_a_proxy_is_no_answer(product: Product) -> None:
    page = HTMLResponse("<h1>Bad gateway</h1>", 502)
    with (
        serving(Before(create_app(product.application), page)) as url,
        Client(url, product.keys["hugo"]) as hugo,
    ):
        with pytest.raises(ServiceError, match="502"):
            hugo.search(SALARY_QUESTION)
        assert hugo.search(SALARY_QUESTION).passages


def test_a_program_that_imports_it_loads_nothing_beside_httpx_and_pydantic() -> None:
    done = subprocess.run([sys.executable, "-c", LIGHT], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "['sovereign_rag']"


async def _events(client: AsyncClient, question: str) -> list[object]:
    return [event async for event in client.stream(question)]
