"""On every page that people read, and in what they take along: what the rule shows, and no more.

RIGHTS_EXAMPLES sets how many people look at each; a few in an ordinary run.
"""

import os
import re
from dataclasses import replace
from urllib.parse import quote

from hypothesis import given, settings

from sovereign_rag.access import Principal
from tests.refused import told
from tests.rights.conversations import AUTHORS, WORDS, Told, named, text_of
from tests.rights.oracle import EXAMPLES, Paper, often, principals
from tests.rights.site import NOWHERE, Site, assert_hidden, ids

on_each_page = settings(often, max_examples=EXAMPLES if "RIGHTS_EXAMPLES" in os.environ else 4)
NO_WORD = "quokka"  # in no document


def number_before(words: str, text: str) -> int:
    found = re.search(rf"(\d+) {words}", text)
    return 0 if found is None else int(found[1])


@on_each_page
@given(asker=principals)
def test_what_is_listed_counted_and_offered_the_asker_may_read_and_all_of_it(
    site: Site, asker: Principal
) -> None:
    shown, hidden = site.seen_by(asker)
    browser = site.browser(asker)
    gone = {"from": "2099-01-01"}

    pages = {
        path: browser.get(path).raise_for_status().text
        for path in ("/", "/documents", "/documents?sort=title&q=notice", f"/search?q={WORDS}")
    }
    others = [
        browser.get(path, params=params).raise_for_status().text
        for path, params in (("/c", {}), ("/jobs", {}), ("/documents", gone), ("/search", gone))
    ]

    for text in (*pages.values(), *others):
        assert_hidden(hidden, text)
    first, listed, found, searched = pages.values()
    assert named(shown, listed) == named(shown, found) == named(shown, searched) == ids(shown)
    assert number_before("documents?", listed) == number_before("documents?", found) == len(shown)
    assert number_before("documents?", first) == len(shown)
    types = {paper.media_type for paper in shown}
    assert set(re.findall(r'<option value="(\w+/[^"]+)"', listed)) == types
    offered = set(re.findall(r'class="tool" href="[^"]*type=([^"&]+)"', searched))
    assert offered == ({quote(one, safe="") for one in types} if len(types) > 1 else set())


@on_each_page
@given(asker=principals)
def test_what_is_hidden_is_searched_and_chosen_like_what_is_not_there(
    site: Site, asker: Principal
) -> None:
    shown, hidden = site.seen_by(asker)
    browser = site.browser(asker)
    lists = ["/documents", "/search", "/c", *(["/admin/documents"] if asker.is_admin else [])]

    for paper in hidden[:2]:
        for path in lists:
            for word in (paper.word, f"{paper.word}-shelf"):
                asked = browser.get(path, params={"q": word}).raise_for_status().text
                nothing = browser.get(path, params={"q": word.replace(paper.word, NO_WORD)}).text
                assert asked.count(paper.word) == nothing.count(NO_WORD), path
                assert paper.id not in asked
        for path in ("/", "/documents", "/search"):
            chosen, missing = (
                browser.get(path, params={"q": WORDS, "folder": folder(one), "doc": one.id})
                for one in (paper, not_there(paper))
            )
            as_if = told(chosen).replace(paper.word, NO_WORD).replace(paper.id, NOWHERE)
            assert as_if == told(missing), path
    for paper in shown[:2]:
        assert paper.id in browser.get("/documents", params={"q": paper.word}).text
        there = {"q": WORDS, "folder": folder(paper)}
        found = re.findall(r'href="/documents/([^/"]+)/', browser.get("/search", params=there).text)
        assert set(found) == {paper.id}


@on_each_page
@given(asker=principals)
def test_a_conversation_and_its_files_show_its_asker_what_they_may_read_by_now(
    site: Site, told_to_ana: dict[str, Told], asker: Principal
) -> None:
    ana = replace(asker, user="ana")  # perhaps in fewer groups, with another clearance than then
    shown, hidden = site.seen_by(ana)
    browser, mine = site.browser(ana), told_to_ana[ana.tenant]
    wide, _ = site.seen_by(AUTHORS[ana.tenant])

    page = browser.get(mine.conversation).raise_for_status().text
    files = [browser.get(f"{mine.turns[0]}/export.{form}") for form in ("md", "docx", "pdf")]
    each = [browser.get(f"{turn}/export.md") for turn in mine.turns[1:]]
    histories = [browser.get("/c"), browser.get("/c", params={"q": "gate"})]

    for text in (page, *map(text_of, (*files, *each, *histories))):
        assert_hidden(hidden, text)
    assert named(wide, page) == ids(shown)
    for paper, file in zip(wide, each, strict=True):
        assert (paper.word in text_of(file).lower()) == (paper in shown)
    assert len({frozenset(named(wide, text_of(file))) for file in files}) == 1


@on_each_page
@given(asker=principals)
def test_a_shared_answer_shows_whoever_opens_it_what_they_may_read(
    site: Site, told_to_ana: dict[str, Told], asker: Principal
) -> None:
    shown, hidden = site.seen_by(asker)
    browser = site.browser(asker)
    nothing = told(browser.get(f"/c/shared/{NOWHERE}"))

    for tenant, answers in told_to_ana.items():
        wide, _ = site.seen_by(AUTHORS[tenant])
        opened = [browser.get(link) for link in answers.shares]
        for response in opened:
            assert_hidden(hidden, response.text)
            assert response.status_code == (200 if asker.tenant == tenant else 404)
            if asker.tenant != tenant:
                assert told(response) == nothing
        for paper, response in zip(wide, opened[1:], strict=True):
            assert (paper.word in response.text.lower()) == (paper in shown)


@on_each_page
@given(asker=principals)
def test_a_conversation_of_somebody_else_is_refused_like_one_that_is_not_there(
    site: Site, told_to_ana: dict[str, Told], asker: Principal
) -> None:
    browser = site.browser(asker)

    for tenant, answers in told_to_ana.items():
        if (tenant, "ana") == (asker.tenant, asker.user):
            assert browser.get(answers.conversation).status_code == 200
            continue
        turn = answers.turns[0]
        for path in (answers.conversation, *(f"{turn}/export.{f}" for f in ("md", "docx", "pdf"))):
            refused = browser.get(path)
            nothing = browser.get(path.replace(answers.conversation, f"/c/{NOWHERE}"))
            assert refused.status_code == nothing.status_code == 404
            assert told(refused) == told(nothing)
        for path in ("share", "vote"):
            assert browser.post(f"{turn}/{path}", data={"helpful": "true"}).status_code == 404


def not_there(paper: Paper) -> Paper:
    uri = paper.uri.replace(paper.word, NO_WORD)
    return replace(paper, id=NOWHERE, word=NO_WORD, uri=uri)


def folder(paper: Paper) -> str:
    """The folder of a paper, as the filters say it."""
    return paper.uri.rpartition("/")[0] + "/"
