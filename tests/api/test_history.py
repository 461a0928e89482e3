"""Conversations over HTTP: kept for whoever asked, and shown within the rights of who looks."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from sovereign_rag.catalog.records import document_id
from sovereign_rag.errors import Forbidden
from sovereign_rag.roles import Role
from tests.api.conftest import HEATING, Product
from tests.api.test_record import recorded_by

SALARY = "What is the salary band of grade seven?"
NOWHERE = "Where do the zebrafish of Ulm hibernate?"  # in no document
BAND = "61,000 to 74,000"


@contextmanager
def reader(product: Product, who: str) -> Iterator[httpx.Client]:
    with product.client(who) as client:
        client.headers.update({"Accept": "text/html", "Accept-Language": "en"})
        yield client


def ask(client: httpx.Client, question: str, **more: str) -> str:
    """Ask on the page; gives the conversation's address."""
    answered = client.post("/c", data={"question": question, **more})
    assert answered.status_code == 303, answered.text
    address: str = answered.headers["Location"]
    return address.partition("#")[0]


def turn_of(page: str) -> str:
    """The address of the last turn's actions."""
    found: list[str] = re.findall(r'action="(/c/[^"]+/turns/\d+)/vote"', page)
    return found[-1]


def test_an_answer_has_an_address_that_its_asker_alone_opens(product: Product) -> None:
    with reader(product, "hugo") as hugo, reader(product, "ana") as ana:
        address = ask(hugo, SALARY)
        ask(hugo, "And how far does it run?", conversation=address.removeprefix("/c/"))
        mine, theirs = hugo.get(address), ana.get(address)
        added = ana.post("/c", data={"question": "And?", "conversation": address[3:]})

    assert mine.text.count(BAND) >= 2
    assert "Understood as" in mine.text
    assert (theirs.status_code, added.status_code) == (404, 404)
    assert SALARY not in theirs.text


def test_whoever_opens_a_shared_answer_sees_what_they_may_read_of_it(product: Product) -> None:
    with (
        reader(product, "hugo") as hugo,
        reader(product, "ana") as ana,
        reader(product, "stranger") as stranger,
    ):
        turn = turn_of(hugo.get(ask(hugo, SALARY)).text)
        page = hugo.post(f"{turn}/share", follow_redirects=True).text
        link = re.findall(r'value="[^"]*(/c/shared/[^"]+)"', page)[-1]
        own, narrowed, elsewhere = hugo.get(link), ana.get(link), stranger.get(link)
        hugo.post(f"{turn}/share", data={"end": "true"})
        ended = hugo.get(link)

    assert BAND in own.text
    assert SALARY in narrowed.text
    assert BAND not in narrowed.text
    assert "salaries.md" not in narrowed.text
    assert "1 item is not shown" in narrowed.text
    assert (elsewhere.status_code, ended.status_code) == (404, 404)


@pytest.mark.parametrize(
    ("form", "begins"), [("md", b"# What is"), ("docx", b"PK"), ("pdf", b"%PDF")]
)
def test_an_answer_is_exported_by_its_asker_on_the_record(
    product: Product, form: str, begins: bytes
) -> None:
    with reader(product, "hugo") as hugo, reader(product, "ana") as ana:
        turn = turn_of(hugo.get(ask(hugo, SALARY)).text)
        refused = ana.get(f"{turn}/export.{form}")
        (entry,) = recorded_by(product, lambda: hugo.get(f"{turn}/export.{form}"))
        file = hugo.get(f"{turn}/export.{form}")

    assert file.content.startswith(begins)
    assert file.headers["Content-Disposition"].startswith("attachment; filename=")
    assert refused.status_code == 404
    assert (entry.action, entry.principal) == ("conversation.export", "user:hugo")


def test_nobody_touches_a_conversation_of_somebody_else(product: Product) -> None:
    with reader(product, "hugo") as hugo, reader(product, "ana") as ana:
        address = ask(hugo, SALARY)
        turn = turn_of(hugo.get(address).text)
        own = ask(ana, "Who was appointed chief executive officer?")
        refused = [
            ana.post(f"{address}/rename", data={"title": "Mine"}),
            ana.post(f"{address}/delete"),
            ana.post(f"{turn}/share"),
            ana.post(f"{turn}/vote", data={"helpful": "true"}),
            ana.post(f"{own}{turn.removeprefix(address)}/vote", data={"helpful": "true"}),
        ]
        done = [
            hugo.post(f"{address}/rename", data={"title": "Bands"}),
            hugo.post(f"{turn}/vote", data={"helpful": "false", "reason": "Out of date"}),
        ]
        listed, kept = hugo.get("/c").text, hugo.get(address).text

    assert [response.status_code for response in refused] == [404] * 5
    assert [response.status_code for response in done] == [303, 303]
    assert "Bands" in listed
    assert "Out of date" in kept


def test_votes_are_told_without_names_and_with_words_only_of_what_one_may_read(
    product: Product,
) -> None:
    kept, keys = product.application.conversations, product.application.catalog.keys
    politely = f"{SALARY.removesuffix('?')}, please?"  # nobody else asks it like that
    # Each is asked in one document: what else is there may be near, and not for who looks.
    for who, name, question, reason in (
        ("hugo", "salaries.md", politely, "It ended at 74,000"),
        ("ana", Path(HEATING).name, NOWHERE, "Look in the attic"),
    ):
        with reader(product, who) as asker:
            turn = turn_of(asker.get(ask(asker, question, doc=product.documents[name])).text)
            asker.post(f"{turn}/vote", data={"helpful": "false", "reason": reason})
    in_hr = keys.create("Henri", "henri", groups=["hr"], role=Role.ADMIN)[1]
    auditor = keys.create("Aude", "aude", role=Role.AUDITOR)[1]
    seen: dict[str, str] = {}

    def act() -> None:
        for who, secret in (("in hr", in_hr), ("auditor", auditor), *product.keys.items()):
            headers = {
                "Authorization": f"Bearer {secret}",
                "Accept": "text/html",
                "Accept-Language": "en",
            }
            with product.client() as client:
                seen[who] = client.get("/admin/quality?days=7", headers=headers).text

    recorded = [e for e in recorded_by(product, act) if e.action == "conversation.votes"]

    assert all(words in seen["in hr"] for words in ("It ended at 74,000", "Look in the attic"))
    assert "Look in the attic" in seen["admin"]
    assert "Look in the attic" not in seen["auditor"]  # who reads no documents, near ones neither
    for who in ("admin", "auditor"):
        assert "<dt>Not helpful</dt>" in seen[who]
        assert "It ended at 74,000" not in seen[who]
        assert politely not in seen[who]
    for who in ("stranger", "hugo", "ana"):
        assert "Look in the attic" not in seen[who]
    assert "hugo" not in seen["in hr"]
    assert {e.principal for e in recorded if e.tenant == "default"} == {
        *("user:henri", "user:aude", "user:adam", "user:olga")
    }
    with pytest.raises(Forbidden):
        kept.votes(keys.principal_for(product.keys["hugo"]), days=1)


def test_the_words_of_a_vote_go_with_the_document_that_the_answer_drew_on(
    product: Product,
) -> None:
    kept, keys = product.application.conversations, product.application.catalog.keys
    admin = keys.principal_for(product.keys["admin"])
    with reader(product, "other admin") as olga:
        file = {"file": ("gongs.md", b"# Gongs\n\nThe gong of the east tower weighs forty kilos.")}
        olga.post("/admin/upload", data={"readers": "everyone"}, files=file)
        product.work_off()
        gongs = document_id("default", "upload:user:olga/gongs.md")
        asked = ask(olga, "How heavy is the gong of the east tower?", doc=gongs)
        turn = turn_of(olga.get(asked).text)
        olga.post(f"{turn}/vote", data={"helpful": "true", "reason": "Forty, of course"})
        before = kept.votes(admin, days=1)
        olga.delete(f"/v1/documents/{gongs}")
        after = kept.votes(admin, days=1)

    assert "Forty, of course" in [vote.reason for vote in before.told]
    assert "Forty, of course" not in [vote.reason for vote in after.told]
    assert after.helpful == before.helpful  # that somebody voted stays


def test_history_is_searched_and_deleted_by_its_owner(product: Product) -> None:
    with reader(product, "other admin") as olga, reader(product, "hugo") as hugo:
        kept = ask(hugo, SALARY)
        for question in ("Which pears are ripe?", "Which apples are ripe?"):
            ask(olga, question)
        found, none = olga.get("/c?q=PEARS").text, olga.get("/c?q=plums").text
        olga.post("/c/delete")
        after, others = olga.get("/c").text, hugo.get(kept)

    assert "Which pears" in found
    assert "Which apples" not in found
    assert "No question contains" in none
    assert "You have no conversations yet" in after
    assert others.status_code == 200


def test_what_an_old_answer_shows_is_on_the_record(product: Product) -> None:
    with reader(product, "hugo") as hugo:
        address = ask(hugo, SALARY)
        (entry,) = recorded_by(product, lambda: hugo.get(address))

    assert (entry.action, entry.principal) == ("conversation.read", "user:hugo")
    assert product.documents["salaries.md"] in entry.detail["documents"]


def test_a_question_can_be_narrowed_to_documents_and_no_further_than_its_asker_reads(
    product: Product,
) -> None:
    salaries = product.documents["salaries.md"]
    with reader(product, "hugo") as hugo, reader(product, "ana") as ana:
        form = hugo.get(f"/?doc={salaries}").text
        foreign = ana.get(f"/?doc={salaries}").text
        elsewhere = hugo.get(
            ask(hugo, SALARY, doc=product.documents["Temperature-de-chauffage.pdf"])
        )
        there = hugo.get(ask(hugo, SALARY, doc=salaries))

    assert f'name="doc" value="{salaries}"' in form
    assert salaries not in foreign.replace(f"doc={salaries}", "")
    assert BAND not in elsewhere.text
    assert BAND in there.text
