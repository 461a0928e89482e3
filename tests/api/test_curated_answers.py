"""Answers of the house: who keeps them, who is given them, and when they are not given any more."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from sovereign_rag.access import Principal, local_owner, read_scope
from sovereign_rag.answering.request import AnswerRequest
from sovereign_rag.api.curated import CuratedBody
from sovereign_rag.domain import AnswerKind
from sovereign_rag.services.kept_answers import KeptAnswers, encode
from tests.api.conftest import HEATING, Product

QUESTION = "Quelle température faut-il régler au bureau en hiver ?"
REWORDED = "Quelle température faut-il régler au bureau pendant l'hiver ?"
TEXT = "Au bureau, réglez 19 °C.\n\nLa nuit, baissez à 16 °C."
HTML = {"Accept": "text/html"}
DAY = (datetime.now(UTC) + timedelta(days=90)).date().isoformat()


def body(quote: str, document: str, **other: object) -> dict[str, object]:
    source = {"document": document, "quote": quote}
    return {"wordings": [QUESTION], "texts": {"fr": TEXT}, "sources": [source], "due": DAY, **other}


@pytest.fixture(scope="module")
def heating_quote(product: Product) -> str:
    """A sentence of the document on heating, as it stands there."""
    name = HEATING.rpartition("/")[2]
    pages = product.application.documents.pages(product.documents[name], local_owner())
    line = max((line for page in pages for line in page.text.splitlines()), key=len)
    return " ".join(line.split()[:12])


@pytest.fixture
def kept(product: Product, heating_quote: str) -> Iterator[dict[str, Any]]:
    name = HEATING.rpartition("/")[2]
    with product.client("admin") as admin:
        made = admin.post("/v1/curated", json=body(heating_quote, name))
        assert made.status_code == 201, made.text
        yield made.json()
        admin.delete(f"/v1/curated/{made.json()['id']}")


def ask(client: httpx.Client, question: str, **other: object) -> dict[str, Any]:
    answer: dict[str, Any] = client.post("/v1/answers", json={"question": question, **other}).json()
    return answer


@pytest.mark.parametrize("asked", [QUESTION.upper().replace("É", "E"), REWORDED])
def test_an_answer_of_the_house_is_given_to_its_question_in_other_words_with_its_name_and_quotes(
    product: Product, kept: dict[str, Any], heating_quote: str, asked: str
) -> None:
    with product.client("ana") as ana:
        answer = ask(ana, asked)

    assert (answer["kind"], answer["house"]["by"]) == ("curated", "adam")
    assert [statement["text"] for statement in answer["statements"]] == TEXT.split("\n\n")
    assert [" ".join(c["quote"].split()) for c in answer["citations"]] == [heating_quote]
    assert answer["citations"][0]["verified"]
    assert "adam" in answer["notice"]


@pytest.mark.parametrize(
    "asked",
    ["Quelle température faut-il régler la nuit ?", "Qui règle la température au bureau ?"],
)
def test_a_question_that_asks_for_something_else_is_searched(
    product: Product, kept: dict[str, Any], asked: str
) -> None:
    with product.client("ana") as ana:
        assert ask(ana, asked)["kind"] != "curated"
        assert ask(ana, QUESTION, kind="extracts")["kind"] == "extracts"


def test_it_is_given_to_nobody_who_may_not_read_its_source_nor_shown_to_such_an_admin(
    product: Product,
) -> None:
    question = "Was verdient man in Stufe sieben des Hauses?"
    quote = "The salary band of grade seven runs from 61,000 to 74,000 euros a year."
    secret = body(
        quote, "salaries.md", wordings=[question], texts={"de": "Stufe 7: siehe Zebrabuch."}
    )
    with product.client("admin") as admin:
        refused = admin.post("/v1/curated", json=secret)
    desk = product.application.console.curated
    id_ = desk.save(CuratedBody.model_validate(secret).wanted, local_owner())
    try:
        with product.client("hugo") as hugo, product.client("ana") as ana:
            assert ask(hugo, question)["answer"] == "Stufe 7: siehe Zebrabuch."
            assert "Zebrabuch" not in ana.post("/v1/answers", json={"question": question}).text
        with product.client("admin") as admin:
            listed = admin.get("/v1/curated").json()["answers"]
            assert "Zebrabuch" not in admin.get("/admin/words", headers=HTML).text
            assert admin.get(f"/v1/curated/{id_}").status_code == 404
    finally:
        desk.remove(id_, local_owner())

    assert (refused.status_code, "Zebrabuch" in refused.text) == (400, False)
    assert [a["texts"] for a in listed if a["id"] == id_] == [None]


def test_an_answer_whose_quote_is_gone_is_given_no_more_and_the_overview_tells(
    product: Product,
) -> None:
    owner = local_owner()
    folder = product.ingested.parent / "curated"
    folder.mkdir(exist_ok=True)
    note = folder / "parking-note.md"
    note.write_text("# Parking\n\nThe barrier of the car park opens at six in the morning.\n")
    application = product.application
    application.ingestion.ingest([note], owner, readers=frozenset({"everyone"}))
    question = "When does the barrier of the car park open in the morning?"
    wanted = body(
        "barrier of the car park opens at six",
        note.name,
        wordings=[question],
        texts={"en": "At six sharp."},
    )
    with product.client("admin") as admin:
        id_ = admin.post("/v1/curated", json=wanted).json()["id"]
        with product.client("ana") as ana:
            before = ask(ana, question)
            document = before["citations"][0]["document_id"]
            application.documents.delete(document, owner)
            after = ask(ana, question)
        overview = admin.get("/admin", headers=HTML).text
        theirs = admin.get(f"/admin/words/answers/{id_}", headers=HTML)
        again = admin.post(f"/v1/curated/{id_}/check", json={"due": DAY})
        admin.delete(f"/v1/curated/{id_}")

    assert (before["kind"], before["answer"]) == ("curated", "At six sharp.")
    assert after["kind"] != "curated"
    assert question in overview
    assert (theirs.status_code, "opens at six" in theirs.text) == (200, False)
    assert again.status_code == 400


def test_an_old_answer_of_the_house_tells_nothing_to_who_may_not_read_its_source_any_more(
    product: Product, kept: dict[str, Any]
) -> None:
    answer = product.application.answers.answer(AnswerRequest(QUESTION, Principal("ana")))
    shows = KeptAnswers(
        live=product.application.catalog.documents.live_versions,
        texts=product.application.content.page_texts,
    )
    body_ = encode(answer).body

    own = shows.show(body_, read_scope(Principal("ana"))).answer
    others = shows.show(body_, read_scope(Principal("ana", tenant="elsewhere"))).answer

    assert (own.kind, own.house) == (AnswerKind.CURATED, answer.house)
    assert "19 °C" in own.text
    assert (others.kind, others.house, "19 °C" in others.text) == (AnswerKind.NONE, None, False)


def test_an_admin_keeps_changes_confirms_and_removes_one_on_the_page(
    product: Product, heating_quote: str
) -> None:
    document = product.documents[HEATING.rpartition("/")[2]]
    wording = "Faut-il éteindre le radiateur le soir ?"
    form = {"wordings": wording, "text_fr": "Oui.", "due": DAY, "document": document}
    with product.client("admin") as admin, product.client("ana") as ana:
        wrong = admin.post(
            "/admin/words/answers", data={**form, "quote": "This stands nowhere."}, headers=HTML
        )
        admin.post("/admin/words/answers", data={**form, "quote": heating_quote}, headers=HTML)
        kept = next(
            one for one in admin.get("/v1/curated").json()["answers"] if wording in one["wordings"]
        )
        url = f"/admin/words/answers/{kept['id']}"
        changed = {**form, "quote": heating_quote, "text_fr": "Non.", "revision": "1"}
        admin.post(url, data=changed, headers=HTML)
        raced = admin.post(url, data=changed, headers=HTML)
        given = ask(ana, wording)["answer"]
        admin.post(f"{url}/check", headers=HTML)
        refused = ana.get(url, headers=HTML)
        revision = admin.get(f"/v1/curated/{kept['id']}").json()["revision"]
        admin.post(f"{url}/remove", headers=HTML)
        gone = admin.get(url, headers=HTML)

    assert (wrong.status_code, "Oui." in wrong.text) == (400, True)
    assert (raced.status_code, given, revision) == (400, "Non.", 3)
    assert (refused.status_code, gone.status_code) == (403, 404)
