"""The life of parsing processes: started, killed, replaced, cleaned up after."""

import os
import signal
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # the package has no types
import pytest

from ingest.parse.process.fork_servers import ForkServers
from ingest.parse.process.pool import ParserPool
from ingest.parse.process.scratch import ScratchRoot
from sovereign_rag.errors import DocumentError, ParserUnavailable
from sovereign_rag.settings import ParseSettings
from tests.ingest.parse.process.letters import SENTENCE, run_python, zygotes


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
    with ParserPool(ParseSettings(workers=1), fork_servers=ForkServers()) as pool:
        thread = threading.Thread(target=pool.parse, args=(letter,), kwargs={"name": "a.txt"})
        thread.start()
        thread.join()
        before = zygotes()

        found = pool.parse(letter, name="letter.txt")

        assert zygotes() == before
    assert found.pages[0].text == SENTENCE


def test_the_process_that_is_forked_for_each_document_is_small(letter: Path) -> None:
    with ParserPool(ParseSettings(workers=1), fork_servers=ForkServers()) as pool:
        before = set(zygotes())
        pool.parse(letter, name="letter.txt")
        (started,) = set(zygotes()) - before

        memory = started.memory_info()

    assert memory.rss - memory.shared < 130 << 20


def test_a_parsing_process_that_was_killed_is_replaced(letter: Path) -> None:
    with ParserPool(ParseSettings(workers=1), fork_servers=ForkServers()) as pool:
        before = set(zygotes())
        pool.parse(letter, name="letter.txt")
        (started,) = set(zygotes()) - before
        started.kill()
        psutil.wait_procs([started], timeout=10)

        found = pool.parse(letter, name="letter.txt")

    assert found.pages[0].text == SENTENCE


def test_nothing_is_left_behind_by_a_closed_pool(letter: Path, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    pool = ParserPool(ParseSettings(workers=1), scratch_dir=scratch, fork_servers=ForkServers())
    before = set(zygotes())
    pool.parse(letter, name="letter.txt")
    started = set(zygotes()) - before

    pool.close()

    assert list(scratch.iterdir()) == []
    assert len(started) == 1
    assert not any(process.is_running() for process in started)


def test_pools_share_one_process_which_ends_with_the_last_of_them(letter: Path) -> None:
    shared = ForkServers()
    first, second = (ParserPool(ParseSettings(workers=1), fork_servers=shared) for _ in range(2))
    before = set(zygotes())

    for pool in (first, second):
        pool.parse(letter, name="letter.txt")
    (started,) = set(zygotes()) - before
    first.close()
    found = second.parse(letter, name="letter.txt")
    outlived_the_first = started.is_running()
    second.close()

    assert found.pages[0].text == SENTENCE
    assert outlived_the_first
    assert not started.is_running()


def test_a_pool_that_closes_ends_its_own_document_and_no_other_s(
    letter: Path, tmp_path: Path
) -> None:
    endless = tmp_path / "endless.md"
    endless.write_text("> " * 400_000 + SENTENCE)  # each level is read anew
    shared = ForkServers()
    with (
        ThreadPoolExecutor(1) as threads,
        ParserPool(ParseSettings(workers=1), fork_servers=shared) as other,
    ):
        pool = ParserPool(ParseSettings(workers=1), fork_servers=shared)
        reading = threads.submit(pool.parse, endless, name="endless.md")
        while not any(process.children() for process in zygotes()):
            time.sleep(0.01)  # a child of the fork server can only be looked for
        pool.close()
        with pytest.raises(ParserUnavailable, match="Start it again"):
            reading.result(30)

        found = other.parse(letter, name="letter.txt")

    assert found.pages[0].text == SENTENCE


def test_a_program_whose_path_has_changed_reads_with_the_new_one(
    letter: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared = ForkServers()
    before = set(zygotes())
    with ParserPool(ParseSettings(workers=1), fork_servers=shared) as pool:
        pool.parse(letter, name="letter.txt")
        monkeypatch.setenv("PATH", f"/nowhere:{os.environ['PATH']}")

        pool.parse(letter, name="letter.txt")

        paths = [one.environ()["PATH"] for one in set(zygotes()) - before]
    assert sorted(path.startswith("/nowhere:") for path in paths) == [False, True]


SERVICE = """
import sys, time
from pathlib import Path
from ingest.parse.process.fork_servers import ForkServers
from ingest.parse.process.pool import ParserPool
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
    service.communicate(timeout=60)
    _, alive = psutil.wait_procs([parser], timeout=60)
    with ParserPool(ParseSettings(workers=1), scratch_dir=scratch) as pool:
        pool.parse(letter, name="letter.txt")
        found = left.exists()

    assert alive == []
    assert not found


def test_a_folder_nested_deeper_than_python_can_follow_is_removed(tmp_path: Path) -> None:
    scratch = ScratchRoot(tmp_path / "scratch")
    deep = f"{scratch.make()}{'/d' * 1_500}"
    subprocess.run(["mkdir", "-p", deep], check=True)  # Python's own makedirs follows no deeper

    scratch.remove()

    assert list((tmp_path / "scratch").iterdir()) == []


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
