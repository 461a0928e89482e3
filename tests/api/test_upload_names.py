"""Whose an upload's name is, and which names are one."""

import pytest

from sovereign_rag.catalog.records import NewTask
from sovereign_rag.services.uploads import safe_name
from tests.api.conftest import Product
from tests.api.test_uploads import tasks_of


def test_two_people_s_files_of_one_name_are_two_documents(product: Product) -> None:
    bodies = {"admin": b"# Plan\n\nThe kestrel plan.", "other admin": b"# Plan\n\nThe merlin plan."}
    documents = {}
    for who, body in bodies.items():
        with product.client(who) as client:
            job = client.post("/v1/documents", files={"file": ("whose.md", body)}).json()
            product.work_off()
            documents[who] = tasks_of(client, job)[0]["document_id"]
    texts = {}
    for who in bodies:
        with product.client(who) as client:
            texts[who] = client.get(f"/v1/documents/{documents[who]}/pages/1").text

    assert len(set(documents.values())) == 2
    assert "kestrel" in texts["admin"]
    assert "merlin" in texts["other admin"]


def test_the_same_person_s_file_of_the_same_name_replaces_it(product: Product) -> None:
    with product.client("admin") as client:
        ids = []
        for body in (b"# Mine\n\nThe first osprey.", b"# Mine\n\nThe second osprey."):
            job = client.post("/v1/documents", files={"file": ("own.md", body)}).json()
            product.work_off()
            ids.append(tasks_of(client, job)[0]["document_id"])
        text = client.get(f"/v1/documents/{ids[0]}/pages/1").text

    assert ids[0] == ids[1]
    assert "second osprey" in text


def test_a_document_of_before_is_replaced_by_who_handed_it_in_and_by_nobody_else(
    product: Product,
) -> None:
    catalog, content = product.application.catalog, product.application.content
    received = content.receive(iter([b"# Old\n\nAn upload of before."]), max_bytes=1 << 20)
    former = NewTask(
        "upload:old.md", "old.md", frozenset({"everyone"}), 0, content_hash=received.content_hash
    )
    catalog.jobs.create(
        "default", "user:adam", [former], before_commit=lambda: content.keep(received, "default")
    )
    product.work_off()
    uris = {}
    for who in ("other admin", "admin"):
        with product.client(who) as client:
            job = client.post("/v1/documents", files={"file": ("old.md", b"# New\n\nNew.")}).json()
            product.work_off()
            uris[who] = tasks_of(client, job)[0]["uri"]

    assert uris["admin"] == "upload:old.md"
    assert uris["other admin"].endswith("/old.md")
    assert uris["other admin"].startswith("upload:user:")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("what:now.md", "what_now.md"),
        ("what?.md", "what*.md"),
        (f"{'x' * 250}1.md", f"{'x' * 250}2.md"),
        (".hidden.md", "hidden.md"),
    ],
)
def test_names_that_are_safe_in_the_same_way_stay_two(
    product: Product, one: str, other: str
) -> None:
    files = [("file", (name, f"# {n}\n\nText.".encode())) for n, name in enumerate((one, other))]
    with product.client("admin") as client:
        job = client.post("/v1/documents", files=files).json()
        product.work_off()
        tasks = tasks_of(client, job)

    assert len({task["uri"] for task in tasks}) == 2
    assert {task["state"] for task in tasks} == {"indexed"}


def test_one_name_however_its_accents_are_written_is_one(product: Product) -> None:
    with product.client("admin") as client:
        uris = set()
        for name in ("re\u0301sume\u0301.md", "r\u00e9sum\u00e9.md"):
            job = client.post("/v1/documents", files={"file": (name, b"# R\n\nText.")}).json()
            product.work_off()
            uris.add(tasks_of(client, job)[0]["uri"])

    assert len(uris) == 1


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
