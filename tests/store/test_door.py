"""Who has the engine's secret is served; who has not gets no answer, not even a refusal."""

import asyncio
import os
import secrets
import socket
import stat
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from sovereign_rag.access import local_owner, read_scope
from sovereign_rag.errors import StoreError
from sovereign_rag.settings import Settings
from sovereign_rag.store.connect import open_store
from sovereign_rag.store.embedded import door
from sovereign_rag.store.embedded.folder import EngineFolder
from sovereign_rag.store.embedded.unix_transport import UnixTransport
from sovereign_rag.system.peer import is_of
from tests.store.test_embedded import chunks, ends, engine_of
from tests.store.test_embedded import started_by_the_product as started_by_the_product  # a fixture

OWNER = read_scope(local_owner())
QUESTION = (
    b"POST /collections/chunks_1/points/count HTTP/1.1\r\nhost: engine\r\n"
    b"content-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[EngineFolder]:
    """Of a running engine that holds three chunks."""
    store = open_store(Settings(data_dir=tmp_path), model_id="model", dimension=4)
    store.make()
    store.put(chunks(3))
    folder = EngineFolder(tmp_path)
    yield folder
    folder.close()
    assert store.count(OWNER) == 3
    store.close()


def said_by(address: str, *sent: bytes) -> bytes:
    """All that comes back until the connection ends or nothing comes for a second."""
    said = b""
    with socket.socket(socket.AF_UNIX) as connected:
        connected.settimeout(1)
        connected.connect(address)
        try:
            for block in sent:
                connected.sendall(block)
            while more := connected.recv(4096):
                said += more
        except (TimeoutError, ConnectionError):
            pass
    return said


@pytest.mark.parametrize(
    "shown",
    [b"", secrets.token_bytes(door.SECRET_BYTES), bytes(door.SECRET_BYTES), QUESTION],
    ids=["nothing", "another secret", "zeros", "the question at once"],
)
def test_without_the_secret_neither_socket_says_a_word(folder: EngineFolder, shown: bytes) -> None:
    assert said_by(folder.http_socket, shown, QUESTION) == b""
    assert said_by(folder.presence_socket, shown) == b""


def test_with_the_secret_both_answer_also_when_it_comes_in_pieces(folder: EngineFolder) -> None:
    secret = folder.secret.read_bytes()

    whole = said_by(folder.http_socket, secret + QUESTION)
    pieces = said_by(folder.http_socket, secret[:5], secret[5:], QUESTION)

    assert whole.startswith(b"HTTP/1.1 404 ")  # there is no such collection
    assert pieces.split(b"\r\n")[0] == whole.split(b"\r\n")[0]
    assert said_by(folder.presence_socket, secret).startswith(b"sovereign-rag engine ")


def test_every_start_has_a_secret_of_its_own_that_only_its_file_holds(tmp_path: Path) -> None:
    seen = []
    for _ in range(2):
        store = open_store(Settings(data_dir=tmp_path), model_id="model", dimension=4)
        store.make()
        engine, path = engine_of(tmp_path), tmp_path / "vectors" / "run" / "secret"
        seen.append(path.read_bytes())
        told = b"".join(
            Path(f"/proc/{engine}/{part}").read_bytes() for part in ("environ", "cmdline")
        )

        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert seen[-1] not in told
        assert seen[-1].hex().encode() not in told
        store.close()
        assert ends(engine)

    assert len(set(seen)) == 2
    assert {len(secret) for secret in seen} == {door.SECRET_BYTES}


def test_a_client_that_lost_its_engine_shows_the_next_one_the_new_secret(tmp_path: Path) -> None:
    store = open_store(Settings(data_dir=tmp_path), model_id="model", dimension=4)
    store.make()
    store.put(chunks(3))
    os.kill(engine_of(tmp_path), 9)

    assert store.count(OWNER) == 3
    store.close()


def test_only_processes_of_this_account_are_met() -> None:
    left, right = socket.socketpair()

    assert is_of(left, os.geteuid())
    assert not is_of(right, os.geteuid() + 1)
    left.close()
    right.close()


def test_who_shows_nothing_does_not_keep_the_engine_waiting() -> None:
    async def visit() -> bool:
        left, right = socket.socketpair()
        reader, writer = await asyncio.open_unix_connection(sock=left)
        try:
            return await door.admits(reader, left, bytes(door.SECRET_BYTES), within_s=0.1)
        finally:
            writer.close()
            right.close()

    assert asyncio.run(visit()) is False


def test_a_secret_that_is_gone_is_a_network_error(tmp_path: Path, folder: EngineFolder) -> None:
    nobody = httpx.Client(transport=UnixTransport(folder.http_socket, secret=tmp_path / "none"))

    with pytest.raises(httpx.NetworkError):
        nobody.get("http://engine/collections/chunks")


def test_the_account_s_own_engine_is_entered_and_a_stranger_s_is_not(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    made = door.make_secret(secret)
    left, right = socket.socketpair()

    door.enter(left, secret)
    shown = right.recv(100)
    with pytest.raises(StoreError, match="another account"):
        door.enter(left, secret, account=os.geteuid() + 1)

    assert shown == made
    left.close()
    right.close()
