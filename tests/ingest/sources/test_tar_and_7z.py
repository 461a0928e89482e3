"""A tar or 7z file is a folder, as a ZIP file is, and keeps to the same limits."""

import bz2
import gzip
import io
import lzma
import tarfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import py7zr
import pytest

from ingest.parse.archive import ArchiveLimits, Contents
from ingest.parse.process.pool import ParserPool
from sovereign_rag.errors import DocumentError
from sovereign_rag.settings import ParseSettings

LIMITS = ArchiveLimits(
    max_members=50, max_unpacked_mib=64, max_ratio=100, max_depth=3, max_bytes=8 << 20
)
FILES = {"brief.txt": b"Der Vertrag.", "2026/märz/liste.csv": b"a;b\n1;2\n", ".hidden": b"x"}
Unpack = Callable[..., tuple[Contents | None, dict[str, bytes]]]


@pytest.fixture(scope="module")
def pool() -> Iterator[ParserPool]:
    with ParserPool(ParseSettings(workers=1)) as pool:
        yield pool


@pytest.fixture
def unpack(pool: ParserPool, tmp_path: Path) -> Unpack:
    """What is in an archive, by path, as the confined process takes it out."""

    def run(
        data: bytes, name: str, limits: ArchiveLimits = LIMITS
    ) -> tuple[Contents | None, dict[str, bytes]]:
        path = tmp_path / "given"
        path.write_bytes(data)
        with pool.unpack(path, name=name, limits=limits) as (folder, contents):
            members = contents.members if contents else []
            files = {
                m.path: (folder / str(m.file)).read_bytes() for m in members if m.file is not None
            }
            return contents, files

    return run


def tarred(files: Mapping[str, bytes]) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(data), 1_780_000_000
            archive.addfile(info, io.BytesIO(data))
    return made.getvalue()


def seven(files: Mapping[str, bytes], password: str | None = None) -> bytes:
    made = io.BytesIO()
    with py7zr.SevenZipFile(made, "w", password=password) as archive:
        for name, data in files.items():
            archive.writestr(data, name)
    return made.getvalue()


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.tar", tarred(FILES)),
        ("a.tar.gz", gzip.compress(tarred(FILES))),
        ("a.tgz", gzip.compress(tarred(FILES))),
        ("a.tar.bz2", bz2.compress(tarred(FILES))),
        ("a.tar.xz", lzma.compress(tarred(FILES))),
        ("a.7z", seven(FILES)),
    ],
)
def test_an_archive_gives_its_files_and_leaves_out_what_is_hidden(
    unpack: Unpack, name: str, data: bytes
) -> None:
    contents, files = unpack(data, name)

    assert contents is not None
    assert files == {key: value for key, value in FILES.items() if key != ".hidden"}
    assert contents.left_out == 1
    assert [member.failure for member in contents.members] == [None, None]


def test_a_file_that_is_compressed_by_itself_is_the_file_in_it(unpack: Unpack) -> None:
    _, files = unpack(gzip.compress(b"a;b\n1;2\n"), "liste.csv.gz")

    assert files == {"liste.csv": b"a;b\n1;2\n"}


def test_archives_inside_archives_are_taken_apart(unpack: Unpack) -> None:
    inner = seven({"leaf.txt": b"leaf"})

    _, files = unpack(gzip.compress(tarred({"inner.7z": inner, "beside.txt": b"b"})), "a.tar.gz")

    assert files == {"inner.7z/leaf.txt": b"leaf", "beside.txt": b"b"}


def test_links_and_paths_out_of_a_tar_lead_nowhere(unpack: Unpack) -> None:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        link = tarfile.TarInfo("passwd.txt")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
        out = tarfile.TarInfo("../../etc/cron.txt")
        out.size = 1
        archive.addfile(out, io.BytesIO(b"x"))

    contents, files = unpack(made.getvalue(), "a.tar")

    assert contents is not None
    assert (files, contents.left_out) == ({"etc/cron.txt": b"x"}, 1)


MANY = {f"{n}.txt": b"x" for n in range(60)}
ZEROS = {f"{n}.txt": bytes(7 << 20) for n in range(5)}


@pytest.mark.parametrize(
    ("name", "data", "problem"),
    [
        ("a.tar", tarred(MANY), "more than 50 files"),
        ("a.7z", seven(MANY), "more than 50 files"),
        ("a.tar.gz", gzip.compress(tarred(ZEROS)), "unpacks to more"),
        ("a.7z", seven(ZEROS), "unpacks to more"),
        ("a.7z", seven({}), "no files"),
        ("a.tar.gz", gzip.compress(tarred(FILES))[:-40], "damaged"),
        ("a.7z", seven(FILES)[:-20], "damaged"),
        ("a.7z", seven(FILES, password="geheim"), "needs a password"),
    ],
)
def test_an_archive_beyond_a_limit_or_damaged_is_refused_as_a_whole(
    unpack: Unpack, name: str, data: bytes, problem: str
) -> None:
    with pytest.raises(DocumentError, match=problem):
        unpack(data, name)


def test_a_file_larger_than_one_may_be_fails_alone(unpack: Unpack) -> None:
    limits = ArchiveLimits(50, 64, 100, 3, max_bytes=10)
    for name, data in (("a.tar", tarred), ("a.7z", seven)):
        contents, files = unpack(data({"a.txt": b"x" * 99, "b.txt": b"ok"}), name, limits)

        assert contents is not None
        assert files == {"b.txt": b"ok"}
        assert [m.failure is not None for m in contents.members] == [True, False]
