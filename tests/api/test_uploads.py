"""Documents in over HTTP: streamed, limited, named safely, and never taken in twice."""

import hashlib
import sqlite3
from pathlib import Path
from typing import Any

import docx
import httpx
import pytest
from msoffcrypto.format.ooxml import OOXMLFile  # type: ignore[import-untyped]  # the package has no types

from sovereign_rag.errors import BadInput
from sovereign_rag.http.multipart import MultipartReader
from tests.api.conftest import Product

PARKING = b"# Parking\n\nStaff park on level minus two; a badge costs nine euros a month.\n"


def test_an_uploaded_document_answers_questions_and_can_be_deleted(product: Product) -> None:
    with product.client("admin") as admin, product.client("ana") as ana:
        accepted = admin.post(
            "/v1/documents",
            files={"file": ("../parking rules.md", PARKING)},
            data={"readers": "everyone"},
        )
        product.work_off()
        job = admin.get(accepted.headers["location"]).json()
        (task,) = admin.get(f"{accepted.headers['location']}/documents").json()["documents"]
        document = task["document_id"]
        found = ana.post("/v1/search", json={"query": "parking badge euros"}).text
        deleted = admin.delete(f"/v1/documents/{document}")
        after = ana.post("/v1/search", json={"query": "parking badge euros"}).text
        gone = ana.get(f"/v1/documents/{document}")

    assert accepted.status_code == 202
    assert job["done"] == job["total"] == 1
    assert (task["state"], task["uri"]) == ("indexed", "upload:user:adam/parking rules.md")
    assert "nine euros" in found
    assert deleted.status_code == 204
    assert "nine euros" not in after
    assert gone.status_code == 404


def test_without_readers_the_uploader_alone_reads_a_document(product: Product) -> None:
    with product.client("admin") as admin, product.client("other admin") as other:
        job = admin.post("/v1/documents", files={"file": ("mine.md", b"# Mine\n\nA badge.")}).json()
        product.work_off()
        own = admin.get(f"/v1/jobs/{job['job_id']}/documents").json()
        of_another = other.get(f"/v1/jobs/{job['job_id']}/documents").json()
        counts = other.get(f"/v1/jobs/{job['job_id']}").json()
        names = [d["name"] for d in admin.get("/v1/documents").json()["documents"]]
        others = [d["name"] for d in other.get("/v1/documents").json()["documents"]]

    assert "mine.md" in names
    assert "mine.md" not in others
    assert [task["name"] for task in own["documents"]] == ["mine.md"]
    assert of_another["documents"] == []  # the counts, not the names
    assert counts["done"] == 1


def test_several_files_of_one_upload_make_one_job(product: Product) -> None:
    files = [("file", ("one.md", b"# One\n\nOne.")), ("file", ("two.md", b"# Two\n\nTwo."))]
    with product.client("admin") as client:
        job = client.post("/v1/documents", files=files).json()
        listed = client.get("/v1/jobs").json()["jobs"]

    assert job["total"] == 2
    assert listed[0]["job_id"] == job["job_id"]


def test_the_same_idempotency_key_gives_the_same_job(product: Product) -> None:
    def upload(client: httpx.Client, key: str) -> str:
        response = client.post(
            "/v1/documents",
            files={"file": ("once.md", b"# Once\n\nOnce.")},
            headers={"Idempotency-Key": key},
        )
        job_id: str = response.json()["job_id"]
        return job_id

    with product.client("admin") as client:
        first, again, other = upload(client, "a"), upload(client, "a"), upload(client, "b")

    assert first == again
    assert other != first


@pytest.mark.parametrize(
    ("name", "body", "data"),
    [
        ("once.md", b"# Twice\n\nTwice.", {}),
        ("other.md", b"# Once\n\nOnce.", {}),
        ("once.md", b"# Once\n\nOnce.", {"readers": "everyone"}),
        ("once.md", b"# Once\n\nOnce.", {"level": "1"}),
    ],
    ids=["other bytes", "another name", "other readers", "another level"],
)
def test_a_used_idempotency_key_with_something_else_is_refused_and_leaves_nothing(
    product: Product, name: str, body: bytes, data: dict[str, str]
) -> None:
    key, content = {"Idempotency-Key": f"{name}{data}{len(body)}"}, product.application.content
    with product.client("admin") as client:
        files = {"file": ("once.md", b"# Once\n\nOnce.")}
        first = client.post("/v1/documents", files=files, headers=key)
        before = content.hashes()
        refused = client.post("/v1/documents", files={"file": (name, body)}, data=data, headers=key)
        again = client.post("/v1/documents", files=files, headers=key)

    assert (refused.status_code, refused.json()["error"]) == (409, "KeyReused")
    assert again.json()["job_id"] == first.json()["job_id"]
    assert content.hashes() == before


def test_a_key_that_comes_again_is_on_the_record_as_known_without_names(product: Product) -> None:
    with product.client("admin") as client:
        files = {"file": ("recorded.md", b"# Recorded\n\nOnce.")}
        key = {"Idempotency-Key": "on the record"}
        for _ in range(2):
            job = client.post("/v1/documents", files=files, headers=key).json()["job_id"]

    records = [
        r.entry for r in product.application.audit.read() if r.entry.detail.get("job") == job
    ]
    assert [(r.action, "documents" in r.detail) for r in records] == [
        ("ingest", True),
        ("ingest.known", False),
    ]


@pytest.mark.parametrize("who", ["ana", "hugo"])
def test_an_ordinary_key_does_not_upload(product: Product, who: str) -> None:
    with product.client(who) as client:
        upload = client.post("/v1/documents", files={"file": ("a.md", PARKING)})

    assert upload.status_code == 403
    assert upload.json()["error"] == "Forbidden"


def test_what_a_locked_document_says_is_read_with_its_password_which_is_kept_nowhere(
    product: Product, locked: bytes
) -> None:
    with product.client("admin") as admin:
        without = admin.post("/v1/documents", files={"file": ("secret.docx", locked)}).json()
        product.work_off()
        refused = tasks_of(admin, without)
        given = admin.post(
            "/v1/documents", files={"file": ("secret.docx", locked)}, data={"password": PASSWORD}
        ).json()
        waiting = password_column(product)
        product.work_off()
        opened = tasks_of(admin, given)
        document = admin.get(f"/v1/documents/{opened[0]['document_id']}").json()
        found = admin.post("/v1/search", json={"query": "osprey vault combination"}).text

    assert refused[0]["state"] == "failed"
    assert "password" in refused[0]["reason"]
    assert opened[0]["state"] == "indexed"
    assert "osprey" in found
    assert document["properties"]["protected"] == "password"
    assert [sealed for sealed in waiting if sealed] != []
    assert all(PASSWORD.encode() not in sealed for sealed in waiting if sealed)
    assert not any(password_column(product))
    assert PASSWORD.encode() not in everything_below(product.application.settings.data_dir)


def test_who_hands_in_the_same_locked_file_has_to_know_its_password(
    product: Product, locked: bytes
) -> None:
    with product.client("admin") as admin, product.client("stranger") as stranger:
        own = {"file": ("owned.docx", locked)}
        admin.post("/v1/documents", files=own, data={"password": PASSWORD})
        product.work_off()
        foreign = stranger.post("/v1/documents", files={"file": ("owned.docx", locked)}).json()
        wrong = stranger.post(
            "/v1/documents", files={"file": ("guess.docx", locked)}, data={"password": "a guess"}
        ).json()
        right = stranger.post(
            "/v1/documents", files={"file": ("known.docx", locked)}, data={"password": PASSWORD}
        ).json()
        product.work_off()
        states = [tasks_of(stranger, job)[0]["state"] for job in (foreign, wrong, right)]

    assert states == ["failed", "failed", "indexed"]


@pytest.mark.parametrize("password", [None, "a guess"])
def test_a_locked_file_asks_for_its_password_each_time_also_under_its_own_name(
    product: Product, locked: bytes, password: str | None
) -> None:
    files = {"file": (f"again {password}.docx", locked)}
    with product.client("admin") as admin, product.client("ana") as ana:
        admin.post("/v1/documents", files=files, data={"password": PASSWORD})
        product.work_off()
        data = {"readers": "everyone"} | ({"password": password} if password else {})
        refused = admin.post("/v1/documents", files=files, data=data).json()
        product.work_off()
        state = tasks_of(admin, refused)[0]
        still_hidden = ana.post("/v1/search", json={"query": "osprey vault combination"}).text
        still_there = admin.post("/v1/search", json={"query": "osprey vault combination"}).text
        data["password"] = PASSWORD
        given = admin.post("/v1/documents", files=files, data=data).json()
        product.work_off()
        shown = ana.post("/v1/search", json={"query": "osprey vault combination"}).text
        document = tasks_of(admin, given)[0]["document_id"]
        admin.delete(f"/v1/documents/{document}")

    assert state["state"] == "failed"
    assert "password" in state["reason"]
    assert "4711" not in still_hidden
    assert "4711" in still_there
    assert "4711" in shown


def test_a_password_is_for_one_file(product: Product) -> None:
    files = [("file", ("one.pdf", b"one")), ("file", ("two.pdf", b"two"))]
    with product.client("admin") as admin:
        refused = admin.post("/v1/documents", files=files, data={"password": "x"})

    assert refused.status_code == 400
    assert "one file" in refused.json()["detail"]
    assert list((product.application.content.root / "incoming").iterdir()) == []


PASSWORD = "correct horse battery staple"  # of a document made here


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A Word document behind a password."""
    folder = tmp_path_factory.mktemp("locked")
    document = docx.Document()
    document.add_paragraph("The osprey vault has the combination 4711.")
    document.save(str(folder / "plain.docx"))
    with (folder / "plain.docx").open("rb") as plain, (folder / "it").open("wb") as target:
        OOXMLFile(plain).encrypt(PASSWORD, target)
    return (folder / "it").read_bytes()


def tasks_of(client: httpx.Client, job: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get(f"/v1/jobs/{job['job_id']}/documents").json()[
        "documents"
    ]
    return found


def password_column(product: Product) -> list[bytes | None]:
    with sqlite3.connect(product.application.settings.data_dir / "catalog.sqlite3") as books:
        return [row[0] for row in books.execute("SELECT password FROM tasks")]


def everything_below(folder: Path) -> bytes:
    return b"".join(
        path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith("catalog.sqlite3-shm")
    )


@pytest.mark.parametrize("outcome", ["kept", "refused", "known"])
def test_received_bytes_are_in_their_place_or_gone(product: Product, outcome: str) -> None:
    body = f"# {outcome}\n\nA file of its own.".encode()
    content = product.application.content
    with product.client("admin") as admin:
        if outcome == "refused":
            admin.post("/v1/documents", files={"file": ("r.md", body)}, data={"level": "high"})
        else:
            header = {"Idempotency-Key": "first"} if outcome == "known" else {}
            if outcome == "known":
                other = {"file": ("k.md", b"# First\n\nThe first of this key.")}
                admin.post("/v1/documents", files=other, headers=header)
            admin.post("/v1/documents", files={"file": ("r.md", body)}, headers=header)

    assert content.holds(hashlib.sha256(body).hexdigest()) is (outcome == "kept")
    assert list((content.root / "incoming").iterdir()) == []


def test_a_file_beyond_the_limit_is_refused_and_not_kept(product: Product) -> None:
    content = product.application.content
    before = content.hashes()
    with product.client("admin") as client:
        response = client.post("/v1/documents", files={"file": ("big.txt", b"x" * ((1 << 20) + 1))})

    assert response.status_code == 413
    assert response.json()["error"] == "TooLarge"
    assert "big.txt" in response.json()["detail"]
    assert "1 MiB" in response.json()["detail"]
    assert content.hashes() == before
    assert list((content.root / "incoming").iterdir()) == []


def test_a_file_at_the_limit_is_taken(product: Product) -> None:
    with product.client("admin") as client:
        response = client.post("/v1/documents", files={"file": ("big.txt", b"x" * (1 << 20))})

    assert response.status_code == 202


@pytest.mark.parametrize(
    ("files", "data", "word"),
    [
        ([], {"readers": "everyone"}, "file"),
        ([("file", ("a.md", b"a")), ("file", ("x/a.md", b"b"))], {}, "a.md"),
        ([("file", ("a.md", b"a"))], {"readers": "finance"}, "finance"),
        ([("file", ("a.md", b"a"))], {"level": "high"}, "level"),
        ([("file", ("a.md", b"a"))], {"tenant": "elsewhere"}, "tenant"),
    ],
)
def test_a_form_that_can_not_be_is_refused_with_the_reason(
    product: Product,
    files: list[tuple[str, tuple[str, bytes]]],
    data: dict[str, str],
    word: str,
) -> None:
    # A form without a file is sent as multipart all the same.
    parts = files or [("readers", (None, b"everyone"))]  # type: ignore[list-item]  # httpx takes both shapes
    with product.client("admin") as client:
        response = client.post("/v1/documents", files=parts, data=data if files else None)

    assert response.status_code == 400
    assert word in response.json()["detail"]


@pytest.mark.parametrize(("content", "status"), [(b"", 400), (b"# Nameless\n\nA text.", 202)])
def test_a_field_where_a_browser_had_no_file_chosen_holds_none(
    product: Product, content: bytes, status: int
) -> None:
    head = b'--cut\r\nContent-Disposition: form-data; name="file"; filename=""\r\n\r\n'
    kind = {"content-type": "multipart/form-data; boundary=cut"}

    with product.client("admin") as client:
        response = client.post(
            "/v1/documents", content=head + content + b"\r\n--cut--\r\n", headers=kind
        )

    assert response.status_code == status
    assert ("no file" in response.text) == (status == 400)


def test_a_body_is_read_in_whatever_pieces_it_comes() -> None:
    body = (
        b'--cut\r\nContent-Disposition: form-data; name="level"\r\n\r\n3\r\n'
        b'--cut\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n'
        b"Content-Type: text/plain\r\n\r\nfirst\r\n--cu not the end\r\n--cut--\r\n"
    )
    reader = MultipartReader("multipart/form-data; boundary=cut", iter([bytes([b]) for b in body]))

    level, value = reader.next_part(), reader.field()
    file, content = reader.next_part(), b"".join(reader.blocks())

    assert level is not None
    assert (level.name, level.filename, value) == ("level", None, "3")
    assert file is not None
    assert (file.name, file.filename) == ("file", "a.txt")
    assert content == b"first\r\n--cu not the end"
    assert reader.next_part() is None


def test_an_upload_that_breaks_off_is_refused() -> None:
    body = b'--cut\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\nhalf'
    reader = MultipartReader("multipart/form-data; boundary=cut", iter([body]))
    reader.next_part()

    with pytest.raises(BadInput, match="send it again"):
        list(reader.blocks())
