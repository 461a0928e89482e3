"""A ZIP file is a folder, a mailbox file a folder of mails; neither can fill the disk."""

import io
import os
import struct
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from ingest.jobs.archives import Expander, Expansion
from ingest.parse.archive import ArchiveLimits, Contents, UnpackedFile, safe_path
from ingest.parse.process.pool import ParserPool
from ingest.sync.sync import SyncReport, SyncRequest
from sovereign_rag.access import Principal, local_owner
from sovereign_rag.catalog.records import TaskState
from sovereign_rag.embedding.dense import DenseEmbedder
from sovereign_rag.errors import DocumentError
from sovereign_rag.settings import ArchiveSettings, ParseSettings, Settings
from sovereign_rag.storage.content import ContentStore
from sovereign_rag.wiring import Application, open_service

OWNER = local_owner()
ANA = Principal("ana", frozenset({"staff"}))
MAILS = (
    b"From bo@example.org Mon Feb  2 10:00:00 2026\n"
    b"From: bo@example.org\nSubject: =?utf-8?q?Caf=C3=A9/quay?=\n\nThe ferry leaves at ten.\n\n"
    b"From cy@example.org Tue Feb  3 10:00:00 2026\n"
    b"From: cy@example.org\nSubject: Lunch\n\nOn Mondays there is lentil soup.\n"
    b">From the garden.\n"
)


def zipped(**files: bytes) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return made.getvalue()


@pytest.fixture(scope="module")
def pool() -> Iterator[ParserPool]:
    with ParserPool(ParseSettings(workers=1)) as pool:
        yield pool


@pytest.fixture
def expand(tmp_path: Path, pool: ParserPool) -> Callable[..., Expansion | None]:
    """Expands bytes under a name, and says what is left on the disk."""

    def run(data: bytes, name: str = "a.zip", **limits: int) -> Expansion | None:
        path = tmp_path / "given"
        path.write_bytes(data)
        expander = Expander(
            ContentStore(tmp_path),
            pool,
            ArchiveSettings.model_validate(limits),
            max_bytes=8 << 20,
        )
        return expander.expand(path, name)

    return run


def received(tmp_path: Path) -> list[Path]:
    incoming = tmp_path / "content" / "incoming"
    return list(incoming.iterdir()) if incoming.exists() else []


def paths(found: Expansion | None) -> dict[str, str | None]:
    assert found is not None
    return {member.path: member.failure for member in found.members}


def test_a_zip_gives_its_files_and_leaves_out_what_is_hidden(
    expand: Callable[..., Expansion | None],
) -> None:
    found = expand(
        zipped(
            **{
                "a.txt": b"a",
                "b/ä.txt": b"b",
                ".hidden": b"x",
                "__MACOSX/a.txt": b"x",
                "b/.access.yaml": b"readers: everyone",
            }
        )
    )

    assert paths(found) == {"a.txt": None, "b/ä.txt": None}
    assert found is not None
    assert found.left_out == 3


def test_archives_inside_are_taken_apart_down_to_a_depth(
    expand: Callable[..., Expansion | None],
) -> None:
    deep = zipped(**{"leaf.txt": b"leaf"})
    for level in (2, 1):
        deep = zipped(**{f"{level}.zip": deep, f"{level}.txt": b"beside"})

    assert paths(expand(deep)) == {"1.txt": None, "1.zip/2.txt": None, "1.zip/2.zip/leaf.txt": None}
    shallow = paths(expand(deep, max_depth=2))
    assert shallow.keys() == {"1.txt", "1.zip/2.txt", "1.zip/2.zip"}
    assert "max_depth" in (shallow["1.zip/2.zip"] or "")


@pytest.mark.parametrize("kind", ["docx", "odt", "jar"])
def test_a_document_or_program_that_is_a_zip_file_stays_whole(
    kind: str, expand: Callable[..., Expansion | None]
) -> None:
    mark = {"docx": "[Content_Types].xml", "odt": "mimetype", "jar": "META-INF/MANIFEST.MF"}[kind]

    assert expand(zipped(**{mark: b"x", "word/document.xml": b"y"})) is None


@pytest.mark.parametrize(
    ("data", "limits", "problem"),
    [
        (zipped(**{f"{n}.txt": bytes(5 << 20) for n in range(8)}), {}, "unpacks to more"),
        (zipped(**{f"{n}.txt": b"x" for n in range(30)}), {"max_members": 20}, "more than 20"),
        (
            zipped(
                **{f"{n}.zip": zipped(**{f"{m}.txt": b"x" for m in range(9)}) for n in range(4)}
            ),
            {"max_members": 20},
            "more than 20",
        ),
        (zipped(**{"a.txt": os.urandom(3 << 20)}), {"max_unpacked_mib": 2}, "unpacks to more"),
        (zipped(), {}, "no files"),
        (
            zipped(**{f"{'n' * 900}{n}": b"" for n in range(200)}),
            {"max_members": 1},
            "list of files",
        ),
    ],
    ids=["ratio", "files", "nested files", "size", "empty", "directory"],
)
def test_an_archive_beyond_a_limit_is_refused_and_leaves_nothing(
    data: bytes,
    limits: dict[str, int],
    problem: str,
    expand: Callable[..., Expansion | None],
    tmp_path: Path,
) -> None:
    with pytest.raises(DocumentError, match=problem):
        expand(data, **limits)

    assert received(tmp_path) == []


def test_a_size_that_the_archive_lies_about_is_counted_all_the_same(
    expand: Callable[..., Expansion | None], tmp_path: Path
) -> None:
    data = bytearray(zipped(zeros=bytes(40 << 20)))
    for mark, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        struct.pack_into("<I", data, data.find(mark) + offset, 10)

    found = paths(expand(bytes(data)))

    assert all(failure for failure in found.values())
    assert received(tmp_path) == []


def test_a_file_that_is_locked_damaged_or_too_large_fails_alone(
    expand: Callable[..., Expansion | None],
) -> None:
    data = bytearray(
        zipped(**{"locked.txt": b"l" * 99, "broken.txt": os.urandom(99), "good.txt": b"good"})
    )
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.find(mark) + offset] |= 1
    place = data.find(b"broken.txt") + len("broken.txt") + 20
    data[place] ^= 0xFF

    failures = paths(expand(bytes(data)))

    assert "password" in (failures["locked.txt"] or "")
    assert "damaged" in (failures["broken.txt"] or "")
    assert failures["good.txt"] is None


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("a/b.txt", "a/b.txt"),
        ("../../etc/passwd", "etc/passwd"),
        ("/etc/passwd", "etc/passwd"),
        ("C:\\Users\\x.doc", "C_/Users/x.doc"),
        ("a\x00b\u202e.txt", "ab.txt"),
        ("..", None),
        ("a/.git/config", None),
    ],
)
def test_a_name_can_not_lead_out_of_the_archive(name: str, safe: str | None) -> None:
    assert safe_path(name) == safe


def test_two_files_of_one_name_are_two_documents(
    expand: Callable[..., Expansion | None],
) -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("x/a.txt", b"one")
        archive.writestr("./x//a.txt", b"two")

    assert set(paths(expand(made.getvalue()))) == {"x/a.txt", "x/a~2.txt"}


def test_a_mailbox_gives_its_messages_each_under_a_name_of_its_own(
    expand: Callable[..., Expansion | None],
) -> None:
    found = expand(MAILS, name="inbox.mbox")

    assert found is not None
    assert [member.name for member in found.members] == ["Café_quay.eml", "Lunch.eml"]
    first = expand(MAILS[: MAILS.index(b"From cy@")], name="inbox.mbox")
    assert first is not None
    assert first.members[0].path == found.members[0].path


def test_a_text_that_begins_like_a_mailbox_is_none(
    expand: Callable[..., Expansion | None],
) -> None:
    assert expand(b"From here to there at 10:00\nit is far.\n", name="walk") is None
    assert expand(MAILS, name="notes.txt") is None


@pytest.fixture
def application(
    product_settings: Callable[..., Settings], embedder: DenseEmbedder
) -> Iterator[Application]:
    with open_service(product_settings(), embedder=embedder) as application:
        yield application


def synced(application: Application, folder: Path) -> SyncReport:
    source = application.sync.find(str(folder))
    return application.sync.sync(
        source, OWNER, SyncRequest(readers="group:staff", max_delete="100%")
    )


def names(application: Application) -> set[str]:
    return {
        document.uri.partition("documents/")[2] for document in application.documents.list(OWNER)
    }


def finds(application: Application, word: str, principal: Principal = OWNER) -> bool:
    found = application.searching.search(word, principal)
    return any(word in passage.chunk.text for passage in found)


def test_an_archive_is_followed_as_it_changes_moves_and_goes(
    application: Application, tmp_path: Path
) -> None:
    folder = tmp_path / "documents"
    folder.mkdir()
    archive = folder / "a.zip"
    archive.write_bytes(
        zipped(
            **{
                "menu.txt": b"On Mondays there is lentil soup.",
                "in/quay.txt": b"The ferry leaves from the old quay.",
                "in/broken.pdf": b"%PDF-1.7 not really",
            }
        )
    )

    first = synced(application, folder)

    assert first.ingested is not None
    states = {task.name: task.state for task in first.ingested.tasks}
    assert states == {
        "a.zip": TaskState.INDEXED,
        "menu.txt": TaskState.INDEXED,
        "quay.txt": TaskState.INDEXED,
        "broken.pdf": TaskState.FAILED,
    }
    assert names(application) == {"a.zip/menu.txt", "a.zip/in/quay.txt", "a.zip/in/broken.pdf"}
    assert finds(application, "lentil", ANA)

    archive.write_bytes(
        zipped(**{"menu.txt": b"On Mondays there is lentil soup.", "new.txt": b"A heron came."})
    )
    synced(application, folder)

    assert names(application) == {"a.zip/menu.txt", "a.zip/new.txt"}
    assert not finds(application, "ferry")

    (folder / "old").mkdir()
    archive.rename(folder / "old" / "b.zip")
    (folder / "old" / ".access.yaml").write_text("readers: group:hr\n")
    third = synced(application, folder)

    assert third.counts["moved"] == 1
    assert third.job is None
    assert names(application) == {"old/b.zip/menu.txt", "old/b.zip/new.txt"}
    assert not finds(application, "lentil", ANA)
    assert finds(application, "lentil", Principal("hugo", frozenset({"hr"})))

    (folder / "old" / "b.zip").unlink()
    synced(application, folder)

    assert names(application) == set()
    assert application.content.hashes() == []


class TakenOver:
    """An opener whose process was taken over: where a file should be stands a link out of it."""

    def __init__(self, folder: Path, target: Path) -> None:
        self._folder = folder
        (folder / "0").symlink_to(target)

    @contextmanager
    def unpack(
        self,
        path: Path,
        *,
        name: str,
        limits: ArchiveLimits,
        cancel: threading.Event | None = None,
    ) -> Iterator[tuple[Path, Contents | None]]:
        yield self._folder, Contents([UnpackedFile("a.txt", "a.txt", 0)])


def test_a_link_that_stands_where_a_file_should_is_not_followed(tmp_path: Path) -> None:
    secret, archive, folder = tmp_path / "secret", tmp_path / "a.zip", tmp_path / "unpacked"
    secret.write_text("the salaries")
    archive.write_bytes(zipped(**{"a.txt": b"a"}))
    folder.mkdir()
    expander = Expander(
        ContentStore(tmp_path), TakenOver(folder, secret), ArchiveSettings(), max_bytes=8 << 20
    )

    with pytest.raises(DocumentError, match="no file"):
        expander.expand(archive, "a.zip")

    assert received(tmp_path) == []


def test_an_archive_bomb_is_one_failed_document(application: Application, tmp_path: Path) -> None:
    folder = tmp_path / "documents"
    folder.mkdir()
    (folder / "bomb.zip").write_bytes(zipped(zeros=bytes(64 << 20)))
    (folder / "menu.txt").write_text("On Mondays there is lentil soup.\n")

    report = synced(application, folder)

    assert report.ingested is not None
    failed = [task for task in report.ingested.tasks if task.state is TaskState.FAILED]
    assert [task.name for task in failed] == ["bomb.zip"]
    assert "max_ratio" in (failed[0].reason or "")
    assert finds(application, "lentil", ANA)
