"""On every page of the console, by role: what the rule shows whoever looks, and no more.

RIGHTS_EXAMPLES sets how many people look at each; a few in an ordinary run.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

import httpx
import pytest
from hypothesis import given, settings

from sovereign_rag.access import Principal
from sovereign_rag.roles import Role
from tests.refused import told
from tests.rights.conversations import AUTHORS, Told, named, text_of
from tests.rights.oracle import EXAMPLES, STACKED, Paper, may_read, often, staff
from tests.rights.site import NOWHERE, Site, assert_hidden, ids

on_each_page = settings(often, max_examples=EXAMPLES if "RIGHTS_EXAMPLES" in os.environ else 6)

LOOKED_AFTER: Final = ("/admin/documents", "/admin/upload")
OVERSEEN: Final = (
    *("/admin/quality", "/admin/usage", "/admin/usage?by=person", "/admin/usage?by=key"),
    *("/admin/audit", "/admin/audit?verify=1"),
    *("/admin/audit/export?form=csv", "/admin/audit/export?form=jsonl"),
)
ADMINISTERED: Final = (
    *("/admin", "/admin/jobs", "/admin/jobs?which=done", "/admin/sources", "/admin/keys"),
    *("/admin/people", "/admin/people/readable?user=ana", "/admin/people/readable?group=hr"),
    *("/admin/words", "/admin/words/answers/new", "/admin/webhooks"),
)
OF_THE_MACHINE: Final = ("/admin/models", "/admin/index", "/admin/settings")
EVERY_PAGE: Final = (*LOOKED_AFTER, *OVERSEEN, *ADMINISTERED, *OF_THE_MACHINE)
OPEN: Final = {
    Role.READER: frozenset[str](),
    Role.CURATOR: frozenset(LOOKED_AFTER),
    Role.AUDITOR: frozenset(OVERSEEN),
    Role.ADMIN: frozenset((*LOOKED_AFTER, *OVERSEEN, *ADMINISTERED)),
}
"""Of a tenant that is not the house's own, whose admins look after the machine as well."""
HOUSE_QUESTION: Final = "How are the notices of this house filed?"


@dataclass(frozen=True)
class House:
    """An answer of the house, and the paper whose word it says."""

    id: str
    paper: Paper


@pytest.fixture(scope="module")
def house_answers(site: Site) -> Iterator[dict[str, House]]:
    """By tenant, one that quotes what few may read."""
    kept = {tenant: keep(site, author) for tenant, author in AUTHORS.items()}
    yield kept
    for tenant, author in AUTHORS.items():
        site.client(author).delete(f"/v1/curated/{kept[tenant].id}")


def keep(site: Site, author: Principal) -> House:
    shown, _ = site.seen_by(author)
    paper = next(one for one in shown if "everyone" not in one.readers and one.level)
    said = {
        "wordings": [HOUSE_QUESTION],
        "texts": {"en": f"By the {paper.word}."},
        "sources": [{"document": paper.id, "quote": f"of the {paper.word}, says"}],
        "due": (datetime.now(UTC) + timedelta(days=90)).date().isoformat(),
    }
    made = site.client(author).post("/v1/curated", json=said)
    return House(made.raise_for_status().json()["id"], paper)


@on_each_page
@given(asker=staff)
def test_a_part_opens_by_role_and_tells_of_what_its_visitor_may_read(
    site: Site, told_to_ana: dict[str, Told], house_answers: dict[str, House], asker: Principal
) -> None:
    shown, hidden = site.seen_by(asker)
    (role,) = asker.roles
    browser = site.browser(asker)

    seen = {path: browser.get(path) for path in EVERY_PAGE}

    assert {path for path in EVERY_PAGE if seen[path].status_code == 200} == OPEN[role]
    assert {seen[path].status_code for path in {*EVERY_PAGE} - OPEN[role]} <= {403}
    for path, response in seen.items():
        if "/audit" not in path:
            assert_hidden(hidden, response.text)
        # The record tells what people searched for, and of others' documents the id alone.
        for paper in hidden:
            assert f"notice of the {paper.word}" not in response.text.lower()
            assert f"-{paper.word}." not in response.text
    if "/admin/documents" in OPEN[role]:
        assert named(shown, seen["/admin/documents"].text) == ids(shown)
    if role is Role.ADMIN:
        answered = {p for author in AUTHORS.values() for p in site.seen_by(author)[0]}
        cited = [paper for paper in shown if paper in answered]
        assert named(cited, seen["/admin/quality"].text) == ids(cited)
        house = house_answers[asker.tenant]
        may = may_read(asker, house.paper)
        assert (f"By the {house.paper.word}." in opened_text(browser, house)) == may


def opened_text(browser: httpx.Client, house: House) -> str:
    return browser.get(f"/admin/words/answers/{house.id}").text


@on_each_page
@given(asker=staff)
def test_the_console_treats_what_is_hidden_like_what_is_not_there(
    site: Site, asker: Principal
) -> None:
    shown, hidden = site.seen_by(asker)
    browser = site.browser(asker)

    def ways(paper: Paper) -> dict[str, httpx.Response]:
        one, why = {"document": paper.id}, "/admin/people/why"
        return {
            "edit": browser.get(f"/admin/documents/{paper.id}/edit"),
            "delete": browser.post("/admin/documents/chosen", data={**one, "do": "delete"}),
            "several": browser.post("/admin/documents/edit", data={**one, "do": "choose"}),
            "why": browser.get(why, params={"user": "bob", **one}),
        }

    missing = ways(Paper(NOWHERE, asker.tenant, frozenset(), 0, "en", "", "quokka"))
    for paper in hidden[:2]:
        for name, refused in ways(paper).items():
            if name == "why" and asker.is_admin and paper.tenant == asker.tenant:
                # Who reads a document of their tenant is told to admins; what it is, is not.
                assert_hidden([paper], refused.raise_for_status().text, [paper.id])
                continue
            as_if = told(refused).replace(paper.id, NOWHERE).replace(paper.word, "quokka")
            assert refused.status_code == missing[name].status_code, name
            assert as_if == told(missing[name]), name
    if asker.is_admin:
        for paper in shown[:1]:
            opened = ways(paper)
            for name in ("edit", "delete", "several", "why"):
                assert paper.word in opened[name].raise_for_status().text, name


@on_each_page
@given(asker=staff)
def test_a_preview_of_a_sync_names_what_its_asker_will_be_able_to_read(
    site: Site, asker: Principal
) -> None:
    to_come = Paper("", asker.tenant, frozenset({"group:hr"}), 1, "en", "text/markdown")
    browser, elsewhere = site.browser(asker), {"north": "south", "south": "north"}[asker.tenant]

    preview = browser.get(f"/admin/sources/{asker.tenant}/preview")
    source = browser.get(f"/admin/sources/{asker.tenant}")
    others = browser.get(f"/admin/sources/{elsewhere}/preview")

    assert preview.status_code == source.status_code == (200 if asker.is_admin else 403)
    assert others.status_code == (404 if asker.is_admin else 403)
    assert (STACKED in preview.text) == (asker.is_admin and may_read(asker, to_come))
    assert STACKED not in source.text + others.text


@on_each_page
@given(asker=staff)
def test_an_answer_of_the_house_is_given_to_who_may_read_what_it_quotes(
    site: Site, house_answers: dict[str, House], asker: Principal
) -> None:
    shown, hidden = site.seen_by(asker)
    house, browser = house_answers[asker.tenant], site.browser(asker)

    answered = browser.post("/c", data={"question": HOUSE_QUESTION}, follow_redirects=True)

    assert answered.status_code == (403 if Role.AUDITOR in asker.roles else 200)
    assert_hidden(hidden, answered.text)
    assert (f"By the {house.paper.word}." in answered.text) == (house.paper in shown)


@on_each_page
@given(asker=staff)
def test_the_machine_s_own_pages_tell_of_no_document(site: Site, asker: Principal) -> None:
    admin = replace(asker, tenant="default", roles=frozenset({Role.ADMIN}), curates=frozenset())

    for path in (*OF_THE_MACHINE, "/admin", "/admin/audit/export", "/admin/jobs", "/admin/quality"):
        assert_hidden(site.papers, text_of(site.browser(admin).get(path)))
