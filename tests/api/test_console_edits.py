"""Readers, level and tags of documents, changed on the console and by programs: whose they are."""

import re
import threading
from collections.abc import Iterator

import httpx
import pytest

from sovereign_rag.roles import Role
from tests.api.conftest import INFORMATION, Product
from tests.api.test_record import recorded_by

HTML = {"Accept": "text/html"}
SEVERAL = "/admin/documents/edit"
PUBLIC = INFORMATION.rsplit("/", 1)[-1]


@pytest.fixture(scope="module")
def cora(product: Product) -> str:
    """Who looks after the documents of the group hr, as a name for `client`."""
    make = product.application.catalog.keys.create
    product.keys["cora"] = make(
        "Cora", "cora", groups=["hr"], role=Role.CURATOR, curates=["group:hr"]
    )[1]
    return "cora"


@pytest.fixture
def rota(product: Product) -> Iterator[str]:
    """A document of the group hr and the admin, by its id."""
    with product.client("admin") as admin:
        file = {"file": ("rota.txt", b"The rota of the porters hangs beside the lift.")}
        admin.post("/v1/documents", files=file, data={"readers": "group:hr,user:adam"})
        product.work_off()
        (listed,) = admin.get("/v1/documents", params={"q": "rota.txt"}).json()["documents"]
        yield listed["document_id"]
        owner = product.application.catalog.documents.known("default", listed["document_id"])
        if owner is not None:
            product.application.erasure.erase("default", owner.id, owner.content_hash)


def form_of(client: httpx.Client, document: str) -> dict[str, str]:
    """What the form for one document would send if nothing were changed."""
    page = client.get(f"/admin/documents/{document}/edit", headers=HTML).raise_for_status().text
    values = dict(re.findall(r'name="(seen|readers|level)" value="([^"]*)"', page))
    (tags,) = re.findall(r"<textarea[^>]*>([^<]*)</textarea>", page)
    return {**values, "tags": tags}


def test_an_admin_narrows_a_document_and_its_former_readers_find_nothing_at_once(
    product: Product, rota: str
) -> None:
    address = f"/admin/documents/{rota}/edit"
    with product.client("admin") as admin, product.client("hugo") as hugo:
        form = form_of(admin, rota)
        before = hugo.get(f"/v1/documents/{rota}").status_code

        def act() -> None:
            sent = {**form, "readers": "user:adam", "tags": "house\r\nporters"}
            done = admin.post(address, data=sent, headers=HTML)
            assert done.headers["location"] == "/admin/documents?done=edited"
            assert "no longer finds it" in admin.get(done.headers["location"]).text

        recorded = [entry for entry in recorded_by(product, act) if entry.action == "edit"]
        found = hugo.post("/v1/search", json={"query": "rota of the porters"}).json()["passages"]
        told = admin.get(f"/v1/documents/{rota}").json()
        after = hugo.get(f"/v1/documents/{rota}").status_code

    assert (form["readers"], form["level"]) == ("group:hr, user:adam", "0")
    assert (before, after) == (200, 404)
    assert rota not in {passage["document_id"] for passage in found}
    assert (told["readers"], told["metadata"]["tags"]) == (["user:adam"], ["house", "porters"])
    assert [entry.detail["before"]["readers"] for entry in recorded] == [["group:hr", "user:adam"]]


@pytest.mark.parametrize(
    ("said", "status", "words"),
    [
        ({}, 400, "as it was already"),
        ({"readers": "hr"}, 400, "be understood"),
        ({"tags": "x" * 101}, 400, "be understood"),
        ({"seen": "another", "level": "3"}, 412, "in the meantime"),
        ({"readers": "user:ana"}, 200, "nor undo this"),  # asked once more
    ],
)
def test_a_form_that_is_not_carried_out_says_why_and_changes_nothing(
    product: Product, rota: str, said: dict[str, str], status: int, words: str
) -> None:
    with product.client("admin") as admin:
        form = form_of(admin, rota)
        answer = admin.post(f"/admin/documents/{rota}/edit", data={**form, **said}, headers=HTML)

        assert (answer.status_code, words in answer.text) == (status, True)
        assert form_of(admin, rota) == form


def test_chosen_documents_are_shown_as_they_would_be_and_changed_once_confirmed(
    product: Product, cora: str, rota: str
) -> None:
    salaries, public = product.documents["salaries.md"], product.documents[PUBLIC]
    with product.client("admin") as admin, product.client(cora) as curator:
        admin.patch(
            f"/v1/documents/{rota}", json={"readers": ["group:hr"], "metadata": {"tags": ["old"]}}
        )
        chosen = {"document": [rota, salaries, public], "tags_how": "add", "tags": "house"}
        asked = curator.post(SEVERAL, data={**chosen, "do": "choose"}, headers=HTML).text
        shown = curator.post(SEVERAL, data={**chosen, "do": "review"}, headers=HTML).text
        taken = re.findall(r'name="document" value="([^"]+)"', shown)
        still = curator.get(f"/v1/documents/{rota}").json()["metadata"]["tags"]
        confirmed = {**chosen, "document": taken, "do": "confirmed"}
        done = curator.post(SEVERAL, data=confirmed, headers=HTML)
        tags = [curator.get(f"/v1/documents/{id_}").json()["metadata"]["tags"] for id_ in taken]
        listed = curator.get("/admin/documents", headers=HTML).text
        back = {**confirmed, "tags_how": "remove"}
        curator.post(SEVERAL, data=back, headers=HTML)

    assert "Change 3 documents" in asked
    assert "Change 2 documents?" in shown
    assert "1 stays as it is: you don’t look after it" in shown
    assert (taken, still) == ([rota, salaries], ["old"])
    assert done.headers["location"] == "/admin/documents?done=edited"
    assert tags == [["house", "old"], ["house"]]
    assert f"/admin/documents/{rota}/edit" in listed
    assert f"/admin/documents/{public}/edit" not in listed
    assert "everyone" not in listed  # who else reads it is for those who look after it


def test_a_curator_gives_documents_only_the_readers_they_look_after(
    product: Product, cora: str, rota: str
) -> None:
    with product.client("admin") as admin, product.client(cora) as curator:
        admin.patch(f"/v1/documents/{rota}", json={"readers": ["group:hr"]})
        form = {**form_of(curator, rota), "readers": "group:hr, everyone"}
        refused = curator.post(f"/admin/documents/{rota}/edit", data=form, headers=HTML)
        several = {"document": rota, "change": "readers", "do": "review"}
        too = curator.post(SEVERAL, data={**several, "readers": "everyone"}, headers=HTML)
        unchanged = admin.get(f"/v1/documents/{rota}").status_code
        form["readers"] = "group:hr, user:cora"
        allowed = curator.post(f"/admin/documents/{rota}/edit", data=form, headers=HTML)

    assert (refused.status_code, too.status_code, unchanged) == (403, 403, 404)
    assert "You look after documents that only your groups" in refused.text
    assert allowed.status_code == 303


def test_a_source_says_who_reads_its_documents_and_the_page_says_so(product: Product) -> None:
    application = product.application
    folder = product.source_folder / "porters"
    folder.mkdir()
    (folder / "doors.md").write_text("# Doors\n\nThe doors open at six.\n", encoding="utf-8")
    with product.client("admin") as admin:
        source = {"name": "porters", "folder": str(folder), "readers": "everyone"}
        admin.post("/admin/sources", data=source, headers=HTML)
        admin.post("/admin/sources/porters/run", headers=HTML)
        application.watcher.sync_due(threading.Event(), {})
        product.work_off()
        (listed,) = admin.get("/v1/documents", params={"q": "doors"}).json()["documents"]
        doors = listed["document_id"]
        address = f"/admin/documents/{doors}/edit"
        form = form_of(admin, doors)
        refused = admin.post(address, data={**form, "readers": "user:adam", "level": "1"})
        several = {"document": doors, "change": "level", "level": "1", "do": "review"}
        shown = admin.post(SEVERAL, data=several, headers=HTML).text
        confirmed = admin.post(SEVERAL, data={**several, "do": "confirmed"}, headers=HTML)
        tagged = admin.post(address, data={**form, "tags": "doors"}, headers=HTML)
        told = admin.get(f"/v1/documents/{doors}").json()
        admin.post("/admin/sources/porters/remove", headers=HTML)
        admin.delete(f"/v1/documents/{doors}")

    assert set(form) == {"seen", "tags"}  # readers and level are shown and not asked for
    assert (refused.status_code, confirmed.status_code) == (409, 409)
    assert "change it at the source" in confirmed.text
    assert "Nothing would change" in shown
    assert "a source says who may read it" in shown
    assert tagged.status_code == 303
    assert (told["readers"], told["level"]) == (["everyone"], 0)
    assert told["metadata"]["tags"] == ["doors"]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PATCH", "/v1/documents/{0}", {"metadata": {"author": "Cora"}}),
        ("POST", "/v1/documents/edit", {"documents": "*", "metadata": {"author": "Cora"}}),
        ("POST", "/v1/documents/delete", {"documents": "*"}),
    ],
)
def test_programs_change_and_delete_what_their_key_looks_after_and_nothing_else(
    product: Product, cora: str, rota: str, method: str, path: str, body: dict[str, object]
) -> None:
    public = product.documents[PUBLIC]

    def send(who: str, *ids: str) -> int:
        sent = {**body, **({"documents": ids} if "documents" in body else {})}
        with product.client(who) as client:
            return client.request(method, path.format(ids[0]), json=sent).status_code

    with product.client("admin") as admin:
        admin.patch(f"/v1/documents/{rota}", json={"readers": ["group:hr"]})
        by_others = [send("hugo", rota), send("admin", rota), send(cora, public, rota)]
        untouched = admin.get(f"/v1/documents/{public}").json()["metadata"]["author"]
        by_its_curator = send(cora, rota)

    assert by_others == [403, 404, 403]  # a reader; an admin who may not know of it; another's
    assert untouched is None
    assert by_its_curator in {200, 204}
