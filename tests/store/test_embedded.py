"""The embedded engine as a process: one a data folder, there when needed, gone when not."""

import os
import select
import signal
import stat
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from qdrant_client import QdrantClient, models
from qdrant_client.http.exceptions import UnexpectedResponse

from sovereign_rag.access import local_owner, read_scope, stored_readers
from sovereign_rag.domain import Chunk, PageSpan, SparseVector
from sovereign_rag.errors import StoreError
from sovereign_rag.settings import Settings, StoreSettings
from sovereign_rag.store.connect import open_store
from sovereign_rag.store.embedded.client import EngineTransport, launch
from sovereign_rag.store.protocol import ChunkStore, IndexedChunk

OWNER = read_scope(local_owner())
DOCUMENT = str(uuid.uuid5(uuid.NAMESPACE_OID, "document"))
GONE_WITHIN_S = 120.0

Opener = Callable[[Path], ChunkStore]

# A program of its own: writes a chunk, says so, and stays until its input ends.
CLIENT = """
import sys
from tests.store.test_embedded import chunks, store_of
from pathlib import Path

store = store_of(Path(sys.argv[1]))
store.put(chunks(1, document=sys.argv[2]))
print("written", flush=True)
sys.stdin.read()
"""

# A connection is refused while the engine restarts: httpcore leaves its socket to the collector.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <socket:pytest.PytestUnraisableExceptionWarning"
)


@pytest.fixture(autouse=True)
def started_by_the_product(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a process of its own, not by `tests/warm_engines.py`."""
    monkeypatch.setattr("sovereign_rag.store.embedded.client.launch", launch)


@pytest.fixture
def open_in() -> Iterator[Opener]:
    opened: list[ChunkStore] = []

    def open_one(data_dir: Path) -> ChunkStore:
        opened.append(store_of(data_dir))
        return opened[-1]

    yield open_one
    for store in opened:
        store.close()


def store_of(data_dir: Path) -> ChunkStore:
    patient = StoreSettings(timeout_s=120)  # an engine that was killed starts on a busy machine
    settings = Settings(data_dir=data_dir, store=patient)
    opened = open_store(settings, model_id="model", dimension=4)
    opened.make()
    return opened


def chunks(count: int, *, document: str = DOCUMENT, text: str = "text") -> list[IndexedChunk]:
    return [
        IndexedChunk(
            chunk=Chunk(document, "v1", index, f"{text} {index}", (PageSpan(1, 0, 4),)),
            tenant="default",
            readers=stored_readers({"everyone"}),
            level=0,
            dense=np.eye(4, dtype=np.float32)[index % 4],
            lexical=SparseVector((index % 50,), (1.0,)),
        )
        for index in range(count)
    ]


def engine_of(data_dir: Path) -> int:
    return int((data_dir / "vectors" / "engine.lock").read_text())


def ends(process: int, *, within_s: float = GONE_WITHIN_S) -> bool:
    """Whether the process, which needn't be our child, ends in time."""
    try:
        handle = os.pidfd_open(process)
    except ProcessLookupError:
        return True
    ended, _, _ = select.select([handle], [], [], within_s)
    os.close(handle)
    return bool(ended)


def kill_engine_of(data_dir: Path) -> int:
    engine = engine_of(data_dir)
    os.kill(engine, signal.SIGKILL)
    return engine


def other_program(data_dir: Path) -> subprocess.Popen[str]:
    program = subprocess.Popen(
        [sys.executable, "-c", CLIENT, str(data_dir), str(uuid.uuid4())],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert program.stdout is not None
    assert program.stdout.readline() == "written\n"
    return program


def kill(program: subprocess.Popen[str]) -> None:
    program.kill()
    program.communicate()


def test_two_programs_use_one_data_folder_at_once(tmp_path: Path, open_in: Opener) -> None:
    store = open_in(tmp_path)
    store.put(chunks(3))
    engine = engine_of(tmp_path)

    program = other_program(tmp_path)

    assert store.count(OWNER) == 4
    assert engine_of(tmp_path) == engine
    kill(program)


def test_the_engine_outlives_the_program_that_started_it(tmp_path: Path, open_in: Opener) -> None:
    program = other_program(tmp_path)
    engine = engine_of(tmp_path)
    store = open_in(tmp_path)
    assert store.count(OWNER) == 1

    kill(program)

    assert not ends(engine, within_s=3.5)  # longer than it lingers
    assert store.count(OWNER) == 1
    assert engine_of(tmp_path) == engine


def test_the_engine_ends_by_itself_after_the_last_client_was_killed(tmp_path: Path) -> None:
    program = other_program(tmp_path)
    engine = engine_of(tmp_path)

    kill(program)

    assert ends(engine)
    assert list((tmp_path / "vectors" / "run").iterdir()) == []


def test_a_killed_engine_comes_back_with_everything_that_was_acknowledged(
    tmp_path: Path, open_in: Opener
) -> None:
    store = open_in(tmp_path)
    store.put(chunks(400))
    store.put(chunks(5, document=str(uuid.uuid4())))
    store.prune("default", DOCUMENT, keep="another")
    store.put(chunks(300))

    killed = kill_engine_of(tmp_path)

    assert ends(killed)
    assert store.count(OWNER) == 305
    assert store.versions("default", DOCUMENT) == {"v1": 300}
    assert engine_of(tmp_path) != killed


def test_an_engine_killed_between_two_writes_is_not_noticed(
    tmp_path: Path, open_in: Opener
) -> None:
    store = open_in(tmp_path)
    for start in range(2):
        store.put(chunks(10, document=str(uuid.uuid4())))
        kill_engine_of(tmp_path)

        store.put(chunks(10, document=str(uuid.uuid4())))

        assert store.count(OWNER) == 20 * (start + 1)


def test_a_later_program_finds_what_an_earlier_one_wrote(tmp_path: Path, open_in: Opener) -> None:
    first = store_of(tmp_path)
    first.put(chunks(7))
    first.flush()
    engine = engine_of(tmp_path)
    first.close()
    assert ends(engine)

    assert open_in(tmp_path).count(OWNER) == 7


def test_programs_that_start_at_the_same_moment_share_one_engine(tmp_path: Path) -> None:
    def count_in_a_store_of_my_own(_: int) -> int:
        store = store_of(tmp_path)
        seen = store.count(OWNER)
        pids.add(engine_of(tmp_path))
        store.close()
        return seen

    pids: set[int] = set()
    with ThreadPoolExecutor(6) as pool:
        counts = list(pool.map(count_in_a_store_of_my_own, range(6)))

    assert counts == [0] * 6
    assert len(pids) == 1


def test_a_data_folder_with_a_very_long_path_works(tmp_path: Path, open_in: Opener) -> None:
    store = open_in(tmp_path.joinpath(*["a-folder-with-a-long-name"] * 8))

    store.put(chunks(2))

    assert store.count(OWNER) == 2


def test_the_engine_is_closed_to_other_accounts(tmp_path: Path, open_in: Opener) -> None:
    (tmp_path / "vectors").mkdir(mode=0o755)

    open_in(tmp_path).put(chunks(1))

    def mode(*names: str) -> int:
        return stat.S_IMODE(tmp_path.joinpath("vectors", *names).stat().st_mode)

    assert mode() == mode("run") == 0o700
    assert mode("run", "engine.sock") == mode("run", "presence.sock") == 0o600


def test_the_text_of_a_deleted_document_leaves_the_disk(tmp_path: Path, open_in: Opener) -> None:
    store = store_of(tmp_path)
    store.put(chunks(20, text="dismissal of the treasurer"))
    store.put(chunks(20, document=str(uuid.uuid4()), text="canteen"))
    store.flush()
    assert files_with(tmp_path, b"dismissal") != []

    store.prune("default", DOCUMENT, keep=None)
    engine = engine_of(tmp_path)
    store.close()
    assert ends(engine)  # it erases before that

    assert files_with(tmp_path, b"dismissal") == []
    assert files_with(tmp_path, b"canteen") != []
    again = open_in(tmp_path)
    again.put(chunks(3))
    assert again.count(OWNER) == 23


def test_what_a_killed_engine_had_still_to_erase_is_erased_by_the_next(tmp_path: Path) -> None:
    store = store_of(tmp_path)
    store.put(chunks(20, text="dismissal of the treasurer"))
    store.prune("default", DOCUMENT, keep=None)
    kill_engine_of(tmp_path)
    assert store.count(OWNER) == 0  # by a new engine

    engine = engine_of(tmp_path)
    store.close()
    assert ends(engine)

    assert files_with(tmp_path, b"dismissal") == []


def test_an_engine_that_cannot_start_says_why(tmp_path: Path, open_in: Opener) -> None:
    broken = tmp_path / "vectors" / "collections" / "chunks-model"
    broken.mkdir(parents=True)
    (broken / "collection.json").write_text("{}")

    with pytest.raises(StoreError, match=r"could not be started[\s\S]*shard[\s\S]*engine\.log"):
        open_in(tmp_path).count(OWNER)


def test_a_data_folder_that_cannot_be_made_says_what_to_do(tmp_path: Path, open_in: Opener) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(StoreError, match="data_dir"):
        open_in(tmp_path / "file" / "data").count(OWNER)


def test_the_engine_refuses_a_request_without_a_filter(tmp_path: Path, open_in: Opener) -> None:
    store = open_in(tmp_path)
    store.put(chunks(3))
    client = QdrantClient(
        url="http://embedded",
        transport=EngineTransport(tmp_path),
        check_compatibility=False,
        trust_env=False,
    )
    everything: list[Callable[[], object]] = [
        lambda: client.count(store.collection),
        lambda: client.count(store.collection, models.Filter()),
        lambda: client.query_points(store.collection, [1.0, 0, 0, 0], using="dense"),
        lambda: client.delete(store.collection, models.Filter(must=[])),
        lambda: client.set_payload(store.collection, {"readers": []}, models.Filter(must=[])),
    ]

    for request in everything:
        with pytest.raises(UnexpectedResponse):
            request()

    assert store.count(OWNER) == 3
    client.close()


def files_with(folder: Path, needle: bytes) -> list[str]:
    return [
        str(path.relative_to(folder))
        for path in folder.rglob("*")
        if path.is_file() and needle in path.read_bytes()
    ]
