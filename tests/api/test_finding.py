"""What there is to ask of, search, the list of documents and the words in one: for each reader."""

import re
from pathlib import Path

import pytest

from sovereign_rag.domain import PageText
from sovereign_rag.web.views import places_of
from tests.api.conftest import HEATING, Product
from tests.api.test_history import ask, reader

SALARIES = "salaries.md"


def total(page: str) -> int:
    return int(re.findall(r"(\d+) documents?\b", page)[0])


def test_the_first_screen_counts_what_its_reader_may_read(product: Product) -> None:
    with reader(product, "hugo") as hugo, reader(product, "ana") as ana:
        ask(hugo, "How is the weather in the archives?")
        more, fewer = hugo.get("/").text, ana.get("/").text

    assert total(more) == total(fewer) + 1
    assert "newest added on" in fewer
    assert "Which documents are there?" in fewer
    assert "How is the weather in the archives?" in more
    assert "How is the weather in the archives?" not in fewer


def test_a_title_that_asks_something_is_offered_to_who_speaks_its_language(
    product: Product,
) -> None:
    asked = "À quelle température doit être chauffé un logement ?"
    with reader(product, "ana") as ana:
        first = {
            language: ana.get("/", headers={"Accept-Language": language}).text
            for language in ("fr", "de")
        }

    assert f">{asked}</a>" in first["fr"]
    assert "« À quelle" not in first["fr"]
    assert asked not in first["de"]
    assert "Informationsfreiheitsgesetz" in first["de"]


def test_who_may_read_nothing_is_told_whom_to_ask(product: Product) -> None:
    with reader(product, "newcomer") as newcomer:
        first, listed = newcomer.get("/").text, newcomer.get("/documents").text

    for page in (first, listed):
        assert "There is no document that you may read yet" in page
        assert "ask the administrator" in page


def test_a_search_lists_documents_within_the_readers_rights_and_filters(product: Product) -> None:
    query = "salary band of grade seven"
    with reader(product, "hugo") as hugo, reader(product, "ana") as ana:
        found, hidden = hugo.get("/search", params={"q": query}), ana.get(f"/search?q={query}")
        narrowed = hugo.get("/search", params={"q": query, "language": "fr"})
        wrong = hugo.get("/search", params={"q": query, "from": "yesterday"})
        empty = hugo.get("/search")

    assert product.documents[SALARIES] in found.text
    assert "61,000 to 74,000" in found.text
    assert "<mark>salary</mark> <mark>band</mark> of <mark>grade</mark>" in found.text
    assert product.documents[SALARIES] not in hidden.text
    assert product.documents[SALARIES] not in narrowed.text
    assert (wrong.status_code, empty.status_code) == (400, 200)


@pytest.mark.parametrize(
    ("query", "holds"),
    [
        ({"q": "salar"}, True),
        ({"q": "chauffage"}, False),
        ({"type": "text/markdown"}, True),
        ({"type": "application/pdf"}, False),
        ({"language": "fr"}, False),
        ({"sort": "title"}, True),
        ({"sort": "date"}, True),
        ({"sort": "nonsense"}, True),
    ],
)
def test_the_list_is_searched_filtered_and_counted(
    product: Product, query: dict[str, str], holds: bool
) -> None:
    with reader(product, "hugo") as hugo, reader(product, "ana") as ana:
        mine, theirs = hugo.get("/documents", params=query), ana.get("/documents", params=query)

    link = f"/documents/{product.documents[SALARIES]}/pages/1"
    assert (link in mine.text) == holds
    assert link not in theirs.text
    if "sort" in query:
        assert total(mine.text) == total(theirs.text) + 1


def test_words_are_found_in_a_document_that_its_reader_may_read(product: Product) -> None:
    heating, salaries = product.documents[Path(HEATING).name], product.documents[SALARIES]
    with reader(product, "ana") as ana:
        found = ana.get(f"/documents/{heating}/find", params={"q": "CHAUFFAGE"}).text
        literal = ana.get(f"/documents/{heating}/find", params={"q": ".*"}).text
        hidden = ana.get(f"/documents/{salaries}/find", params={"q": "salary"})
        jump = ana.get(f"/documents/{heating}/pages", params={"page": 2})

    assert re.search(rf"/documents/{heating}/pages/\d\?start=\d+&amp;end=\d+#quote", found)
    assert "No match" in literal
    assert hidden.status_code == 404
    assert jump.headers["Location"] == f"/documents/{heating}/pages/2"


def test_what_stands_around_found_words_is_cut_between_words() -> None:
    text = "The board of the cooperative declared " + "a quarterly dividend of twelve cents. " * 6

    first, *_, last = places_of([PageText(1, text)], "dividend", most=9)

    assert first.text.before == text[: first.start]
    around = last.text.before + last.text.mark + last.text.after
    assert {word.strip(".") for word in around.split()} <= {
        word.strip(".") for word in text.split()
    }
    assert len(last.text.before) <= 90


def test_the_original_of_a_document_is_a_link_beside_its_text(product: Product) -> None:
    salaries = product.documents[SALARIES]
    with reader(product, "hugo") as hugo:
        link = re.findall(
            r'href="(/v1/[^"]+/original)"', hugo.get(f"/documents/{salaries}/pages/1").text
        )
        original = hugo.get(link[0])

    assert original.content == product.ingested.read_bytes()


def test_a_refusal_is_in_the_askers_words_and_the_programs_words_are_aside(
    product: Product,
) -> None:
    with reader(product, "ana") as ana:
        ana.headers["Accept-Language"] = "fr"
        page = ana.get("/documents/nothing/pages/1")
        events = ana.post(
            "/c",
            data={"question": "?", "conversation": "nothing"},
            headers={"Accept": "text/event-stream"},
        )

    assert "Elle n’existe pas" in page.text
    assert "Se déconnecter" in page.text  # whoever is signed in still is
    assert '<p class="quiet" lang="en">404' in page.text
    assert (events.status_code, events.json()["error"]) == (404, "NotFound")
    assert events.json()["detail"].startswith("Elle n’existe pas")
