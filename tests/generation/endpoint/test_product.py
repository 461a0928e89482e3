"""The product with an endpoint, and a real server behind it."""

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from sovereign_rag.access import local_owner
from sovereign_rag.answering.request import AnswerRequest
from sovereign_rag.cli import run_arguments
from sovereign_rag.embedding.dense import DenseEmbedder
from sovereign_rag.evaluation.datasets import CorpusDocument
from sovereign_rag.evaluation.scratch import ScratchIndex
from sovereign_rag.generation.endpoint_stream import StreamBroken, read_chunks
from sovereign_rag.generation.protocol import CompletionRequest, Message
from sovereign_rag.models import bundled
from sovereign_rag.settings import Settings
from sovereign_rag.wiring import open_service
from tests.generation.endpoint.upstream import (
    Make,
    ask,
    event,
    talks,
)


def test_a_stream_s_lines_may_be_cut_anywhere() -> None:
    whole = event("é" * 3) + b"event: x\r\ndata:[]\n" + event(finish="stop") + b"data: [DONE]"
    whole = whole.replace(b"event: x\r\ndata:[]\n", b": note\r\n")

    for length in range(1, 20):
        blocks = [whole[i : i + length] for i in range(0, len(whole), length)]
        assert [chunk.text for chunk in read_chunks(blocks)] == ["ééé", ""]
    with pytest.raises(StreamBroken, match="ended in the middle"):
        list(read_chunks([event("é")]))


def test_health_tells_whether_a_server_has_the_model(upstream: Make, endpoint_model: Make) -> None:
    server = upstream(talks("Yes."))
    gone = upstream(talks("No."))
    gone.close()

    (well,) = endpoint_model(server).health()
    (other,) = endpoint_model(server, model="large").health()
    (dead,) = endpoint_model(gone).health()

    assert (well.ok, well.url) == (True, server.url)
    assert (other.ok, "it lists small" in other.detail) == (False, True)
    assert (dead.ok, "no connection" in dead.detail) == (False, True)


def test_doctor_tells_how_each_endpoint_is(
    upstream: Make, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    well, gone = upstream(talks("Yes.")), upstream(talks("No."))
    gone.close()
    config = tmp_path / "settings.toml"
    section = (
        f'urls = ["{well.url}", "{gone.url}"]\nallow = ["127.0.0.1"]\nmodel = "small"\n'
        'api_key = "s3cret"\n'
    )
    config.write_text(f"[generation.endpoint]\n{section}", encoding="utf-8")
    options = ["--json", "--config", str(config), "--data-dir", str(tmp_path / "data")]

    run_arguments(["doctor", *options])
    checks = json.loads(capsys.readouterr().out)["checks"]
    run_arguments(["config", *options])
    shown = capsys.readouterr().out

    told = {c["detail"].split(": ")[0]: c for c in checks if c["check"].endswith("endpoint")}
    assert {url: check["state"] for url, check in told.items()} == {
        **{well.url: "ok", gone.url: "limited"},
    }
    assert "no connection" in told[gone.url]["detail"]
    assert not any(check["check"] == "language model" for check in checks)
    assert well.url in shown
    assert "s3cret" not in shown


def test_an_answer_is_written_by_the_endpoint_and_names_its_model(
    upstream: Make,
    product_settings: Callable[..., Settings],
    embedder: DenseEmbedder,
) -> None:
    notice = CorpusDocument(
        "notice", "Notice", "The notice period for employees is three months.", "en"
    )
    server = upstream(talks("The notice period for employees ", "is three months."))
    endpoint = {"urls": [server.url], "allow": ["127.0.0.1"], "model": "small"}
    settings = product_settings(generation={"endpoint": endpoint})

    with open_service(settings, embedder=embedder) as service:
        ScratchIndex(service).add([notice])
        answer = service.answers.answer(
            AnswerRequest("What is the notice period?", local_owner(), kind="generated")
        )

    assert answer.kind.value == "generated"
    assert answer.model == "small@endpoint"
    assert answer.usage["prompt_tokens"] == 40
    assert answer.text == "The notice period for employees is three months."
    assert "three months" in server.bodies[0]["messages"][-1]["content"]


SERVER = """
import runpy
from llama_cpp import llama_cpp as native

defaults = native.llama_model_default_params

def as_they_are():  # rearranged weights end the process on CPUs with AMX
    parameters = defaults()
    parameters.use_extra_bufts = False
    return parameters

native.llama_model_default_params = as_they_are
runpy.run_module("llama_cpp.server", run_name="__main__")
"""


@pytest.fixture(scope="module")
def llama_server() -> Iterator[str]:
    """llama-cpp-python's own server with the small model, as a process."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [
            *(sys.executable, "-c", SERVER, "--host", "127.0.0.1", "--port", str(port)),
            *("--model", str(bundled.smollm2()), "--model_alias", "small", "--n_ctx", "1024"),
            *("--n_threads", "1", "--verbose", "false"),
        ],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}/v1"
    try:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and process.poll() is None:
            try:
                if httpx.get(f"{url}/models", trust_env=False).is_success:
                    break
            except httpx.TransportError:
                threading.Event().wait(0.1)
        yield url
    finally:
        process.terminate()
        process.wait(60)


@pytest.mark.model
def test_a_real_server_answers_is_cancelled_and_answers_again(
    llama_server: str, endpoint_model: Make
) -> None:
    asking = endpoint_model(llama_server)
    cancel = threading.Event()
    long = asking.stream(
        CompletionRequest(
            [Message("user", "Count to one hundred.")], tenant="t", max_tokens=400, cancel=cancel
        )
    )
    first = next(long)
    cancel.set()
    rest = list(long)

    text, last = ask(asking)

    assert asking.health()[0].ok
    assert first.text
    assert rest[-1].finish == "cancelled"
    assert len(text) > 10
    assert last.finish in {"stop", "length"}
    assert 0 < last.completion_tokens <= 50
