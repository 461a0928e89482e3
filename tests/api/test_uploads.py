"""Documents in over HTTP: streamed, limited, named safely, and never taken in twice."""

import httpx
import pytest

from sovereign_rag.api.multipart import MultipartReader
from sovereign_rag.api.uploads import safe_name
from sovereign_rag.errors import BadInput
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
        document = job["tasks"][0]["document_id"]
        found = ana.post("/v1/search", json={"query": "parking badge euros"}).text
        deleted = admin.delete(f"/v1/documents/{document}")
        after = ana.post("/v1/search", json={"query": "parking badge euros"}).text
        gone = ana.get(f"/v1/documents/{document}")

    assert accepted.status_code == 202
    assert job["done"] == job["total"] == 1
    assert job["tasks"][0]["state"] == "indexed"
    assert job["tasks"][0]["uri"] == "upload:parking rules.md"
    assert "nine euros" in found
    assert deleted.status_code == 204
    assert "nine euros" not in after
    assert gone.status_code == 404


def test_without_readers_the_uploader_alone_reads_a_document(product: Product) -> None:
    with product.client("admin") as admin, product.client("other admin") as other:
        job = admin.post("/v1/documents", files={"file": ("mine.md", b"# Mine\n\nA badge.")}).json()
        product.work_off()
        own = admin.get(f"/v1/jobs/{job['job_id']}").json()
        of_another = other.get(f"/v1/jobs/{job['job_id']}").json()
        names = [d["name"] for d in admin.get("/v1/documents").json()["documents"]]
        others = [d["name"] for d in other.get("/v1/documents").json()["documents"]]

    assert "mine.md" in names
    assert "mine.md" not in others
    assert [task["name"] for task in own["tasks"]] == ["mine.md"]
    assert of_another["tasks"] == []  # the counts, not the names
    assert of_another["done"] == 1


def test_several_files_make_one_job(product: Product) -> None:
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


@pytest.mark.parametrize("who", ["ana", "hugo"])
def test_an_ordinary_key_neither_uploads_nor_sees_jobs(product: Product, who: str) -> None:
    with product.client(who) as client:
        upload = client.post("/v1/documents", files={"file": ("a.md", PARKING)})
        jobs = client.get("/v1/jobs")

    assert upload.status_code == jobs.status_code == 403
    assert upload.json()["error"] == "Forbidden"


def test_a_job_of_another_tenant_is_not_found(product: Product) -> None:
    with product.client("admin") as client, product.client("stranger") as stranger:
        job = client.post("/v1/documents", files={"file": ("t.md", PARKING)}).json()["job_id"]
        own = client.get(f"/v1/jobs/{job}")
        foreign = stranger.get(f"/v1/jobs/{job}")
        listed = stranger.get("/v1/jobs").json()["jobs"]

    assert own.status_code == 200
    assert foreign.status_code == 404
    assert listed == []


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
    parts = files or [("readers", (None, b"everyone"))]  # type: ignore[list-item]
    with product.client("admin") as client:
        response = client.post("/v1/documents", files=parts, data=data if files else None)

    assert response.status_code == 400
    assert word in response.json()["detail"]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("Bericht 2024.pdf", "Bericht 2024.pdf"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\ana\\Entwurf.docx", "Entwurf.docx"),
        (".bashrc", "bashrc"),
        ("a\x00b\n.pdf", "ab.pdf"),
        ("invoice\u202efdp.exe", "invoicefdp.exe"),  # no reversed endings
        ("re\u0301sume\u0301.pdf", "r\u00e9sum\u00e9.pdf"),
        ('what?"<>|.md', "what_____.md"),
        ("", "document"),
        ("..", "document"),
        ("x" * 300 + ".pdf", "x" * 196 + ".pdf"),
    ],
)
def test_a_file_name_is_made_safe_and_keeps_its_extension(given: str, kept: str) -> None:
    assert safe_name(given) == kept


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
