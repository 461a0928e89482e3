"""The console: who gets in, what each page shows and does, and that it is on the record."""

import csv
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from sovereign_rag.access import Principal, local_owner, read_scope
from sovereign_rag.catalog.keys import key_id_of
from sovereign_rag.catalog.records import NewTask, TaskState, document_id
from tests.api.conftest import HEATING, Product
from tests.api.test_record import recorded_by

HTML = {"Accept": "text/html"}
PAGES = [
    *("/admin", "/admin/documents", "/admin/upload", "/admin/jobs", "/admin/sources"),
    *("/admin/people", "/admin/people/why", "/admin/keys", "/admin/quality", "/admin/usage"),
    *("/admin/words", "/admin/audit", "/admin/models", "/admin/index", "/admin/settings"),
]
OF_THE_MACHINE = ["/admin/models", "/admin/index", "/admin/settings"]


def get(product: Product, who: str | None, path: str) -> httpx.Response:
    with product.client(who) as client:
        return client.get(path, headers=HTML)


@pytest.fixture
def job(product: Product) -> Iterator[str]:
    """A job of `admin` that nobody works on, of one document."""
    catalog = product.application.catalog
    task = NewTask("upload:gate.md", "gate.md", frozenset({"everyone"}), 0, content_hash="a" * 64)
    made = catalog.jobs.create("default", "user:adam", [task])
    yield made.id
    catalog.jobs.cancel(made.id, "default")


@pytest.mark.parametrize("path", PAGES)
def test_admins_come_in_and_nobody_else_does(product: Product, path: str) -> None:
    admin, reader = get(product, "admin", path), get(product, "ana", path)
    stranger, nobody = get(product, "newcomer", path), get(product, None, path)

    assert admin.status_code == 200
    assert reader.status_code == 403
    assert stranger.status_code == (403 if path in OF_THE_MACHINE else 200)
    assert (nobody.status_code, nobody.headers["location"]) == (
        303,
        f"/sign-in?next={path}",
    )
    ours = product.application.documents.list(local_owner())
    # Of those that other tests brought some are called as the page's own words are.
    titles = {record.title for record in ours if record.id in product.documents.values()}
    assert len(titles) == len(product.documents)
    for body in (reader.text, stranger.text):
        assert not any(title in body for title in titles)


def test_the_navigation_leads_to_the_parts_that_somebody_may_open(product: Product) -> None:
    admin, stranger = get(product, "admin", "/admin").text, get(product, "stranger", "/admin").text

    parts = [path for path in PAGES if path != "/admin/people/why"]
    assert all(f'<a href="{path}"' in admin for path in parts)
    assert [path for path in parts if f'<a href="{path}"' not in stranger] == OF_THE_MACHINE
    assert 'href="/admin"' not in get(product, "ana", "/documents").text


def test_the_first_page_tells_what_failed_and_where_it_is_mended(
    product: Product, job: str
) -> None:
    catalog = product.application.catalog
    task = catalog.leases.acquire("w", lease_s=60, job_id=job)
    assert task is not None
    catalog.leases.finish(task.id, "w", TaskState.FAILED, reason="It is torn.")

    ours = get(product, "admin", "/admin").text
    theirs = get(product, "newcomer", "/admin").text

    assert '<a href="/admin/jobs?which=failed">' in ours
    assert "which=failed" not in theirs


def test_a_job_that_failed_is_found_and_tried_again_from_the_list(
    product: Product, job: str
) -> None:
    catalog = product.application.catalog
    task = catalog.leases.acquire("w", lease_s=60, job_id=job)
    assert task is not None
    catalog.leases.finish(task.id, "w", TaskState.FAILED, reason="It is torn.")
    address, again = f'href="/jobs/{job}"', f"/admin/jobs/{job}/retry"
    assert address in get(product, "admin", "/admin/jobs?which=failed").text
    assert address not in get(product, "admin", "/admin/jobs?which=done").text
    assert address not in get(product, "stranger", "/admin/jobs").text

    def act() -> None:
        with product.client("admin") as admin, product.client("stranger") as stranger:
            assert stranger.post(again, headers=HTML).status_code == 404
            answer = admin.post(again, data={"which": "failed"}, headers=HTML)
            assert answer.headers["location"] == "/admin/jobs?which=failed&done=retried"
            assert 'role="status"' in admin.get(answer.headers["location"], headers=HTML).text

    recorded = recorded_by(product, act)

    assert ("job.retry", "user:adam") in {(e.action, e.principal) for e in recorded}
    assert catalog.jobs.get(job, "default").counts == {TaskState.WAITING: 1}


def test_jobs_come_in_pages_newest_first(product: Product, job: str) -> None:
    lists = product.application.catalog.job_lists
    everything = [one.id for one in lists.page("default", limit=1_000)]

    first = lists.page("default", limit=1)
    rest = lists.page("default", limit=1_000, after=first[-1].id)

    assert [one.id for one in (*first, *rest)] == everything
    assert job in everything
    assert lists.page("untouched", limit=10) == []


def test_files_dropped_into_the_form_become_a_job_with_the_readers_said(product: Product) -> None:
    form = {"readers": "group:hr", "level": "1", "password": ""}
    file = {"file": ("shifts.md", b"# Shifts\n\nThe night shift begins at ten.")}

    def act() -> None:
        with product.client("admin") as admin, product.client("ana") as reader:
            refused = reader.post("/admin/upload", data=form, files=file, headers=HTML)
            answer = admin.post("/admin/upload", data=form, files=file, headers=HTML)
            assert refused.status_code == 403
            assert answer.status_code == 303
            assert admin.get(answer.headers["location"], headers=HTML).status_code == 200

    recorded = [e for e in recorded_by(product, act) if e.action == "ingest"]

    (told,) = recorded[0].detail["documents"]
    assert len(recorded) == 1
    assert (told["uri"], told["readers"], told["level"]) == (
        *("upload:user:adam/shifts.md", ["group:hr"]),
        1,
    )


def test_the_record_is_searched_and_names_no_document_to_who_may_not_read_it(
    product: Product,
) -> None:
    salaries = product.documents["salaries.md"]
    get(product, "hugo", f"/documents/{salaries}/pages/1")

    by_hugo = get(product, "admin", f"/admin/audit?person=hugo&document={salaries}").text
    by_ana = get(product, "admin", f"/admin/audit?person=ana&document={salaries}").text
    all_of_it = get(product, "admin", f"/admin/audit?document={salaries}").text
    tomorrow = get(product, "admin", f"/admin/audit?document={salaries}&since=2999-01-01").text
    elsewhere = get(product, "stranger", f"/admin/audit?document={salaries}").text

    assert salaries in by_hugo
    for body in (by_ana, tomorrow, elsewhere):
        assert "<tbody>" not in body
    assert "Salary bands" not in all_of_it  # as the page names it to hugo
    assert "salaries.md" not in all_of_it
    with product.client("hugo") as hugo:
        assert "Salary bands" in hugo.get("/documents", headers=HTML).text


def test_the_record_is_verified_and_taken_along(product: Product) -> None:
    def act() -> None:
        with product.client("admin") as admin:
            assert "<code>" in admin.get("/admin/audit?verify=1", headers=HTML).text
            table = admin.get("/admin/audit/export?action=sign_in")
            lines = admin.get("/admin/audit/export?form=jsonl&person=nobody.at.all")
        assert table.headers["content-disposition"].startswith('attachment; filename="audit-')
        rows = list(csv.DictReader(io.StringIO(table.text)))
        assert {row["action"].split(".")[0] for row in rows} <= {"sign_in"}
        assert [json.loads(line) for line in lines.text.splitlines()] == []

    recorded = [entry.action for entry in recorded_by(product, act)]

    assert recorded == ["audit.verify", "audit.show", "audit.export", "audit.export"]


def test_settings_say_where_they_come_from_and_hide_secrets(product: Product) -> None:
    body = get(product, "admin", "/admin/settings").text
    changed = get(product, "admin", "/admin/settings?show=changed").text

    sections = re.findall(r"<summary><h3><code>([^<]+)</code>", body)
    assert len(sections) == len(set(sections)) > 10
    assert "<code>server.max_upload_mib</code>" in changed
    assert "<code>retrieval.dense_weight</code>" in body
    assert "<code>retrieval.dense_weight</code>" not in changed


def test_documents_are_chosen_named_once_more_and_deleted(product: Product) -> None:
    salaries, chosen = product.documents["salaries.md"], "/admin/documents/chosen"
    with product.client("admin") as admin, product.client("ana") as reader:
        file = {"file": ("lanterns.md", b"# Lanterns\n\nSeven of them hang in the yard.")}
        admin.post("/admin/upload", data={"readers": "everyone"}, files=file)
        product.work_off()
        lanterns = document_id("default", "upload:user:adam/lanterns.md")
        found = admin.get("/admin/documents?q=lanterns&status=indexed", headers=HTML).text
        failed = admin.get("/admin/documents?q=lanterns&status=failed", headers=HTML).text
        marked = {"document": [lanterns, salaries]}
        refused = reader.post(chosen, data=marked, headers=HTML)
        asked = admin.post(chosen, data={**marked, "do": "delete"}, headers=HTML).text
        still = admin.get(f"/v1/documents/{lanterns}").status_code

        def act() -> None:
            done = admin.post(chosen, data={**marked, "do": "confirmed"}, headers=HTML)
            assert done.headers["location"] == "/admin/documents?done=deleted"

        recorded = recorded_by(product, act)
        gone = admin.get(f"/v1/documents/{lanterns}").status_code

    assert lanterns in found
    assert lanterns not in failed
    assert refused.status_code == 403
    assert "lanterns.md" in asked
    assert salaries not in asked
    assert (still, gone) == (200, 404)
    assert [e.detail["document"] for e in recorded if e.action == "delete"] == [lanterns]
    assert salaries in product.documents.values()
    with product.client("hugo") as hugo:
        assert hugo.get(f"/v1/documents/{salaries}").status_code == 200


def test_what_somebody_can_read_is_told_of_what_the_asker_reads_too(product: Product) -> None:
    salaries = product.documents["salaries.md"]
    public = product.documents[Path(HEATING).name]
    of_hugo = get(product, "admin", "/admin/people/readable?user=hugo").text
    of_group = get(product, "admin", "/admin/people/readable?group=hr").text
    elsewhere = get(product, "stranger", "/admin/people/readable?user=hugo").text

    assert public in of_hugo
    assert "<tbody>" in of_group
    for body in (of_hugo, of_group, elsewhere):
        assert salaries not in body
        assert "Salary bands" not in body
    assert "<tbody>" not in elsewhere


def test_why_somebody_reads_a_document_is_told_without_its_name_to_who_may_not(
    product: Product,
) -> None:
    salaries = product.documents["salaries.md"]
    asked = f"/admin/people/why?document={salaries}"

    def act() -> None:
        can = get(product, "admin", f"{asked}&user=hugo").text
        can_not = get(product, "admin", f"{asked}&user=ana").text
        on_trial = get(product, "admin", f"{asked}&user=ana&groups=hr").text
        assert "hugo can read it." in can
        assert "ana can’t read it." in can_not
        assert "ana can read it." in on_trial
        assert "group:hr" in can
        assert not any("salaries.md" in body or "Salary" in body for body in (can, can_not))
        assert get(product, "stranger", f"{asked}&user=hugo").status_code == 404

    recorded = [e.action for e in recorded_by(product, act)]

    assert recorded == ["access.explain"] * 3


def test_why_is_asked_by_a_document_s_name_within_what_the_asker_may_read(
    product: Product,
) -> None:
    asked = "/admin/people/why?user=ana&document="
    heating = product.documents["Temperature-de-chauffage.pdf"]

    by_name = get(product, "admin", f"{asked}Temperature-de-chauffage.pdf")
    hidden, missing = (
        get(product, "admin", f"{asked}{name}.md") for name in ("salaries", "nosuch")
    )
    edit = get(product, "admin", f"/admin/documents/{heating}/edit")

    assert "ana can read it." in by_name.text
    assert (hidden.status_code, missing.status_code) == (404, 404)
    assert "There is no document with this name" in hidden.text
    assert hidden.text.replace("salaries", "nosuch") == missing.text
    assert f"/admin/people/why?document={heating}" in edit.text


def test_a_key_is_made_shown_once_replaced_and_ended(product: Product) -> None:
    form = {"user": "nora", "groups": "hr, finance", "role": "reader", "expires": "2999-01-31"}

    def act() -> None:
        with product.client("admin") as admin, product.client("ana") as reader:
            assert reader.post("/admin/keys", data=form, headers=HTML).status_code == 403
            made = secret_in(admin.post("/admin/keys", data=form, headers=HTML))
            listed = admin.get("/admin/keys", headers=HTML).text
            assert made not in listed
            key = key_id_of(made)
            assert key in listed
            new = secret_in(admin.post(f"/admin/keys/{key}/rotate", headers=HTML))
            assert (opens(product, made), opens(product, new)) == (401, 200)
            ended = admin.post(f"/admin/keys/{key_id_of(new)}/end", headers=HTML)
            assert ended.headers["location"] == "/admin/keys?done=key_ended"
            assert opens(product, new) == 401
            assert key_id_of(new) not in admin.get("/admin/keys", headers=HTML).text
            assert key_id_of(new) in admin.get("/admin/keys?show=all", headers=HTML).text

    recorded = recorded_by(product, act)

    assert {"key.create.done", "key.rotate.done", "key.revoke.done"} <= {e.action for e in recorded}
    assert "srag_" not in str(recorded)


def test_a_form_that_is_sent_again_makes_no_other_key_and_shows_no_secret(
    product: Product,
) -> None:
    form = {"user": "olaf", "role": "reader"}
    keys = product.application.catalog.keys

    def of_olaf() -> int:
        return sum(key.user == "olaf" for key in keys.in_tenant("default"))

    with product.client("admin") as admin:
        found = re.search(r'name="once" value="([^"]+)"', admin.get("/admin/keys").text)
        assert found is not None
        form["once"] = found[1]
        made = key_id_of(secret_in(admin.post("/admin/keys", data=form, headers=HTML)))
        reloaded = admin.post("/admin/keys", data=form, headers=HTML)
        once_made = of_olaf()
        other = admin.post("/admin/keys", data={**form, "name": "Another"}, headers=HTML)
        secret_in(other)  # another content is another key
        for overlap in ("1", ""):
            again = {"once": found[1], "overlap": overlap}
            first, second = (
                admin.post(f"/admin/keys/{made}/rotate", data=again, headers=HTML) for _ in "ab"
            )
            secret_in(first)
            assert second.status_code == 200
            assert "srag_" not in second.text

    assert reloaded.status_code == 200
    assert "srag_" not in reloaded.text
    assert once_made == 1
    assert of_olaf() == 4  # two made, and one in the place of the first, twice


def test_questions_without_an_answer_are_told_once_and_without_names(product: Product) -> None:
    with product.client("hugo") as hugo:
        for asked in (
            "Where do the Axolotls of Trier sleep?",
            "where do the axolotls of trier sleep",
        ):
            hugo.post("/v1/answers", json={"question": asked})
        hugo.post("/v1/answers", json={"question": "What is the salary band of grade seven?"})

    ours, theirs = (get(product, who, "/admin/quality").text for who in ("admin", "stranger"))

    assert len(re.findall("axolotls", ours, re.IGNORECASE)) == 1
    assert "hugo" not in ours
    assert "Salary bands" not in ours
    assert "axolotls" not in theirs.lower()
    assert "<rect" in ours


def test_a_word_of_the_house_is_searched_in_both_directions_within_its_tenant(
    product: Product,
) -> None:
    word = {"term": "ZKV", "meaning": "zinc kettle valve"}

    def meant(question: str, tenant: str = "default") -> tuple[tuple[str, str], ...]:
        scope = read_scope(Principal("ana", tenant=tenant))
        return product.application.retriever.query(question, "en", scope).meant

    def act() -> None:
        with product.client("admin") as admin, product.client("ana") as reader:
            assert reader.post("/admin/words", data=word, headers=HTML).status_code == 403
            assert admin.post("/admin/words", data={**word, "term": "a=b"}).status_code == 400
            admin.post("/admin/words", data=word, headers=HTML)
            assert meant("Who mends the ZKV?") == (("ZKV", "zinc kettle valve"),)
            assert meant("Who mends the zinc kettle valve?") == (("ZKV", "zinc kettle valve"),)
            assert meant("Who mends the ZKV?", "elsewhere") == ()
            admin.post("/admin/words/remove", data=word, headers=HTML)
            assert meant("Who mends the ZKV?") == ()

    recorded = [e.action for e in recorded_by(product, act)]

    told = [action for action in recorded if action.startswith("word.")]
    assert told == ["word.add", "word.add.done", "word.remove", "word.remove.done"]


def secret_in(answer: httpx.Response) -> str:
    assert answer.headers["cache-control"] == "no-store"
    found = re.search(r'value="(srag_[^"]+)"', answer.raise_for_status().text)
    assert found is not None
    return found[1]


def opens(product: Product, secret: str) -> int:
    headers = {"Authorization": f"Bearer {secret}"}
    with httpx.Client(base_url=product.url, headers=headers, timeout=60) as client:
        return client.get("/v1/me").status_code
