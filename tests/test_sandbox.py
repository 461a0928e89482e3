"""A hostile document costs one failed document: what a parsing process can't do and reach."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # the package has no types
import pytest
from PIL import Image

from ingest.parse.sandbox import Protections
from ingest.parse.validate import validated
from ingest.parse.worker import ParserPool
from sovereign_rag.domain import Box, Element, ElementKind, PageText, ParsedDocument, Word
from sovereign_rag.errors import DocumentError
from sovereign_rag.settings import ParseSettings

SENTENCE = "The supplier delivers the goods within ten working days."

ATTEMPT = """
import json, os, socket, sys
from pathlib import Path
from ingest.parse.sandbox import lock_down
scratch, outside, parent = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
lock_down(scratch, memory_mib=512, cpu_s=20, readable=sys.path, office=False)

def attempt(act):
    try:
        act()
    except OSError as error:
        return type(error).__name__
    return "done"

print(json.dumps({
    "tcp": attempt(lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM)),
    "udp6": attempt(lambda: socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)),
    "netlink": attempt(lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW)),
    "unix": attempt(lambda: socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)),
    "read outside": attempt(lambda: open(outside).read()),
    "write outside": attempt(lambda: open(outside, "w")),
    "passwd": attempt(lambda: open("/etc/passwd").read()),
    "parent environment": attempt(lambda: open(f"/proc/{parent}/environ", "rb").read()),
    "signal parent": attempt(lambda: os.kill(parent, 0)),
    "write scratch": attempt(lambda: (scratch / "mine").write_text("x")),
    "read library": attempt(lambda: open(os.__file__).read()),
}))
"""


def run_python(code: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env={"PYTHONPATH": os.pathsep.join(p for p in sys.path if p), "PATH": os.defpath},
    )


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ParserPool]:
    settings = ParseSettings(workers=2, timeout_s=60)
    with ParserPool(settings, scratch_dir=tmp_path_factory.mktemp("scratch")) as pool:
        yield pool


@pytest.fixture
def letter(tmp_path: Path) -> Path:
    path = tmp_path / "letter.txt"
    path.write_text(SENTENCE)
    return path


@pytest.fixture
def endless(tmp_path: Path) -> Path:
    """A text of three million paragraphs: many seconds, more than a gigabyte."""
    path = tmp_path / "endless.txt"
    path.write_text("a word\n\n" * 3_000_000)
    return path


def zygotes() -> list[psutil.Process]:
    here = psutil.Process().children()
    return [child for child in here if "ingest.parse.zygote" in " ".join(child.cmdline())]


# -- confinement ---------------------------------------------------------------------------------


def test_a_confined_process_reaches_its_scratch_folder_and_nothing_else(tmp_path: Path) -> None:
    scratch, outside = tmp_path / "scratch", tmp_path / "secret.txt"
    scratch.mkdir()
    outside.write_text("secret")

    process = run_python(ATTEMPT, str(scratch), str(outside), str(os.getpid()))
    said = json.loads(process.communicate(timeout=60)[0])

    denied = "PermissionError"
    assert said == {
        "tcp": denied,
        "udp6": denied,
        "netlink": denied,
        "unix": "done",
        "read outside": denied,
        "write outside": denied,
        "passwd": denied,
        "parent environment": denied,
        "signal parent": denied,
        "write scratch": "done",
        "read library": "done",
    }
    assert outside.read_text() == "secret"


def test_every_layer_is_in_force_on_this_kernel(pool: ParserPool) -> None:
    found = pool.protections()

    assert found.missing == ()
    assert found.landlock_abi >= 1
    assert Protections().missing == (
        *("landlock", "seccomp", "no_new_privs", "capabilities", "rlimits"),
    )


def test_a_required_sandbox_parses_where_every_layer_stands(letter: Path) -> None:
    with ParserPool(ParseSettings(workers=1, sandbox="required")) as pool:
        found = pool.parse(letter, name="letter.txt")

    assert found.pages[0].text == SENTENCE


def test_secrets_of_the_environment_do_not_reach_the_parsing_process(
    letter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOVEREIGN_RAG_STORE__API_KEY", "hunter2")
    with ParserPool(ParseSettings(workers=1)) as pool:
        before = set(zygotes())
        pool.parse(letter, name="letter.txt")

        started = set(zygotes()) - before
        environments = [process.environ() for process in started]

    assert len(environments) == 1
    assert "hunter2" not in environments[0].values()
    assert set(environments[0]) <= {
        *("PATH", "LANG", "HOME", "OMP_NUM_THREADS", "OMP_THREAD_LIMIT"),
        *("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"),
    }


def test_a_document_that_names_files_and_addresses_gets_none_of_them(
    pool: ParserPool, tmp_path: Path
) -> None:
    secret, path = tmp_path / "secret.txt", tmp_path / "a.xml"
    secret.write_text("the secret")
    path.write_text(
        f'<!DOCTYPE a [<!ENTITY x SYSTEM "file://{secret}">]><a><b>{SENTENCE}</b><c>&x; end</c></a>'
    )
    included = tmp_path / "a.rst"
    included.write_text(f"{SENTENCE}\n\n.. include:: {secret}\n")

    from_xml = pool.parse(path, name="a.xml")
    from_rst = pool.parse(included, name="a.rst")

    for found in (from_xml, from_rst):
        assert SENTENCE in found.pages[0].text
        assert "the secret" not in found.pages[0].text


# -- limits: one document fails, the next one is read --------------------------------------------


def test_a_document_that_takes_too_long_is_ended_and_the_next_one_is_read(
    endless: Path, letter: Path
) -> None:
    settings = ParseSettings(workers=1, timeout_s=2, memory_mib=16_000)
    with ParserPool(settings) as pool:
        with pytest.raises(DocumentError) as refusal:
            pool.parse(endless, name="endless.txt")
        found = pool.parse(letter, name="letter.txt")

    assert refusal.value.reason == "timeout"
    assert "SOVEREIGN_RAG_PARSE__TIMEOUT_S" in str(refusal.value)
    assert found.pages[0].text == SENTENCE


def test_a_document_that_takes_too_much_memory_is_ended_and_the_next_one_is_read(
    endless: Path, letter: Path
) -> None:
    with ParserPool(ParseSettings(workers=1, timeout_s=60, memory_mib=100)) as pool:
        with pytest.raises(DocumentError) as refusal:
            pool.parse(endless, name="endless.txt")
        found = pool.parse(letter, name="letter.txt")

    assert refusal.value.reason == "memory"
    assert "SOVEREIGN_RAG_PARSE__MEMORY_MIB" in str(refusal.value)
    assert found.pages[0].text == SENTENCE


def test_a_file_above_the_size_limit_is_refused_and_a_smaller_one_is_read(
    tmp_path: Path, letter: Path
) -> None:
    large = tmp_path / "large.txt"
    large.write_bytes(b"words and words\n" * 140_000)

    with ParserPool(ParseSettings(workers=1, max_file_mib=1)) as pool:
        with pytest.raises(DocumentError) as refusal:
            pool.parse(large, name="large.txt")
        found = pool.parse(letter, name="letter.txt")

    assert refusal.value.reason == "too_large"
    assert found.pages[0].text == SENTENCE


def test_a_container_that_unpacks_to_far_more_than_it_is_is_refused(
    pool: ParserPool, tmp_path: Path
) -> None:
    path = tmp_path / "bomb.docx"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("word/document.xml", b" " * (60 << 20))

    with pytest.raises(DocumentError) as refusal:
        pool.parse(path, name="bomb.docx")

    assert path.stat().st_size < 1 << 20
    assert refusal.value.reason == "bomb"


def test_a_container_that_names_parts_outside_itself_is_refused(
    pool: ParserPool, tmp_path: Path
) -> None:
    path = tmp_path / "book.epub"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("mimetype", "application/epub+zip")
        archive.writestr("../../evil.xhtml", "<html/>")

    with pytest.raises(DocumentError) as refusal:
        pool.parse(path, name="book.epub")

    assert refusal.value.reason == "bomb"


def test_an_image_of_absurd_size_is_refused(pool: ParserPool, tmp_path: Path) -> None:
    path = tmp_path / "huge.png"
    Image.new("1", (9_000, 9_000)).save(path)

    with pytest.raises(DocumentError) as refusal:
        pool.parse(path, name="huge.png")

    assert refusal.value.reason == "bomb"


def test_noise_behind_a_known_beginning_is_refused_or_read_but_never_takes_the_pool_down(
    pool: ParserPool, letter: Path, tmp_path: Path
) -> None:
    chance = random.Random(7)
    beginnings = [b"%PDF-1.7\n", b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"{\\rtf1 "]
    beginnings += [b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0"]
    reasons = []
    for beginning in beginnings:
        noise = tmp_path / "noise"
        noise.write_bytes(beginning + chance.randbytes(5_000))
        try:
            pool.parse(noise, name="noise")
        except DocumentError as error:
            reasons.append(error.reason)

    found = pool.parse(letter, name="letter.txt")

    assert found.pages[0].text == SENTENCE
    assert len(reasons) >= 5  # RTF is so lenient that noise in it may pass for text


# -- the life of the processes -------------------------------------------------------------------


def test_documents_are_read_from_several_threads_at_once(pool: ParserPool, tmp_path: Path) -> None:
    paths = []
    for number in range(12):
        paths.append(tmp_path / f"{number}.txt")
        paths[-1].write_text(f"{SENTENCE} Number {number}.")

    with ThreadPoolExecutor(6) as threads:
        found = list(threads.map(lambda path: pool.parse(path, name=path.name), paths))

    texts = [document.pages[0].text for document in found]
    assert texts == [f"{SENTENCE} Number {number}." for number in range(12)]


def test_a_pool_started_in_a_thread_that_has_ended_goes_on(letter: Path) -> None:
    with ParserPool(ParseSettings(workers=1)) as pool:
        thread = threading.Thread(target=pool.parse, args=(letter,), kwargs={"name": "a.txt"})
        thread.start()
        thread.join()
        before = zygotes()

        found = pool.parse(letter, name="letter.txt")

        assert zygotes() == before
    assert found.pages[0].text == SENTENCE


def test_a_parsing_process_that_was_killed_is_replaced(letter: Path) -> None:
    with ParserPool(ParseSettings(workers=1)) as pool:
        before = set(zygotes())
        pool.parse(letter, name="letter.txt")
        (started,) = set(zygotes()) - before
        started.kill()
        psutil.wait_procs([started], timeout=10)

        found = pool.parse(letter, name="letter.txt")

    assert found.pages[0].text == SENTENCE


def test_nothing_is_left_behind_by_a_closed_pool(letter: Path, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    pool = ParserPool(ParseSettings(workers=1), scratch_dir=scratch)
    before = set(zygotes())
    pool.parse(letter, name="letter.txt")
    started = set(zygotes()) - before

    pool.close()

    assert list(scratch.iterdir()) == []
    assert not any(process.is_running() for process in started)


SERVICE = """
import sys, time
from pathlib import Path
from ingest.parse.worker import ParserPool
from sovereign_rag.settings import ParseSettings
import psutil
pool = ParserPool(ParseSettings(workers=1), scratch_dir=Path(sys.argv[1]))
pool.parse(Path(sys.argv[2]), name="letter.txt")
print(psutil.Process().children()[0].pid, flush=True)
time.sleep(600)
"""


def test_a_killed_service_takes_its_parsing_process_along_and_the_next_one_cleans_up(
    letter: Path, tmp_path: Path
) -> None:
    scratch = tmp_path / "scratch"
    service = run_python(SERVICE, str(scratch), str(letter))
    assert service.stdout is not None
    parser = psutil.Process(int(service.stdout.readline()))
    (left,) = scratch.iterdir()

    service.send_signal(signal.SIGKILL)
    service.communicate(timeout=10)
    _, alive = psutil.wait_procs([parser], timeout=20)
    with ParserPool(ParseSettings(workers=1), scratch_dir=scratch) as pool:
        pool.parse(letter, name="letter.txt")
        found = left.exists()

    assert alive == []
    assert not found


def test_a_living_pool_keeps_its_folder_when_another_starts(letter: Path, tmp_path: Path) -> None:
    with (
        ParserPool(ParseSettings(workers=1), scratch_dir=tmp_path / "s") as first,
        ParserPool(ParseSettings(workers=1), scratch_dir=tmp_path / "s") as second,
    ):
        first.parse(letter, name="letter.txt")
        second.parse(letter, name="letter.txt")

        found = first.parse(letter, name="letter.txt")

    assert found.pages[0].text == SENTENCE


def test_a_file_that_has_vanished_is_refused_by_name(pool: ParserPool, tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match=r"gone\.txt") as refusal:
        pool.parse(tmp_path / "gone.txt", name="gone.txt")

    assert refusal.value.reason == "unreadable"


# -- what comes back is checked ------------------------------------------------------------------

BOX = Box(1, 0.1, 0.1, 0.2, 0.2)
GOOD = ParsedDocument(
    media_type="text/plain",
    pages=(PageText(1, "One two", words=(Word(0, 3, BOX), Word(4, 7, BOX))),),
    elements=(Element(ElementKind.PARAGRAPH, 1, 0, 7),),
    paged=True,
)


def test_a_sound_result_is_accepted() -> None:
    assert validated(GOOD) is GOOD


@pytest.mark.parametrize(
    "bad",
    [
        replace(GOOD, pages=()),
        replace(GOOD, pages=(PageText(2, "One two"),)),
        replace(GOOD, pages=(PageText(1, b"One two"),)),  # type: ignore[arg-type]  # wrong on purpose
        replace(GOOD, elements=(Element(ElementKind.PARAGRAPH, 1, 0, 8),)),
        replace(GOOD, elements=(Element(ElementKind.PARAGRAPH, 2, 0, 3),)),
        replace(GOOD, elements=2 * (Element(ElementKind.PARAGRAPH, 1, 0, 3),)),
        replace(GOOD, pages=(PageText(1, "One two", words=(Word(4, 7, BOX), Word(0, 3, BOX))),)),
        replace(
            GOOD, pages=(PageText(1, "One two", words=(Word(0, 3, replace(BOX, right=1.5)),)),)
        ),
        replace(GOOD, properties={"title": 5}),  # type: ignore[dict-item]  # wrong on purpose
    ],
)
def test_a_result_that_breaks_a_promise_is_refused(bad: ParsedDocument) -> None:
    with pytest.raises(ValueError, match="parsed document"):
        validated(bad)
