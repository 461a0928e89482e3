"""A program: the product's whole path by its real command line, for `test_zero_egress.py`.

    python tests/whole_path.py SOURCE_DIR DATA_DIR [--no-network]

Documents in, an answer of extracts and a written one, a search; then `serve` with a question, an
upload and a page image over its API; at last a document out. With --no-network it demands a
network namespace without any interface that is up, and raises the loopback one for `serve` alone.
Prints what happened as JSON.
"""

import argparse
import fcntl
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx

COMMAND = [sys.executable, "-m", "sovereign_rag.cli"]
QUESTION = "Quelle est la température maximale de chauffage d'un logement ?"
WAIT_S = 600.0
SOME_DOCUMENTS_FAILED = 6

_GET_FLAGS, _SET_FLAGS, _UP = 0x8913, 0x8914, 1  # SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("source", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--no-network", action="store_true")
    options = parser.parse_args()
    if options.no_network:
        assert interfaces_up() == [], "this is no empty network namespace"
    product = Product(options.data)

    report: dict[str, Any] = {}
    report["ingested"] = product("ingest", str(options.source), "--readers", "everyone")
    report["extracts"] = product("ask", QUESTION, "--kind", "extracts")
    report["generated"] = product("ask", QUESTION, "--kind", "generated")
    report["search"] = product("search", QUESTION, "--limit", "3")
    if options.no_network:
        raise_loopback()
    report["served"] = product.serve()
    deleted = report["extracts"]["citations"][0]["document_id"]
    product("documents", "delete", deleted, "--yes")
    left = product("documents", "list")["documents"]
    report["left"] = [document["name"] for document in left]
    print(json.dumps(report))


class Product:
    """The command line over one data folder."""

    def __init__(self, data_dir: Path) -> None:
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("SOVEREIGN_RAG_")},
            "SOVEREIGN_RAG_DATA_DIR": str(data_dir),
            "SOVEREIGN_RAG_GENERATION__MAX_TOKENS": "24",
        }

    def __call__(self, *arguments: str) -> Any:
        done = subprocess.run(
            [*COMMAND, *arguments, "--json"],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=WAIT_S,
            check=False,
        )
        if done.returncode not in {0, SOME_DOCUMENTS_FAILED}:
            raise SystemExit(f"{arguments[0]} ended with {done.returncode}: {done.stderr}")
        return json.loads(done.stdout)

    def serve(self) -> dict[str, Any]:
        """Start the service, use it as a program does, end it."""
        key = self("keys", "create", "--user", "ana", "--admin")["secret"]
        server = subprocess.Popen(
            [*COMMAND, "serve", "--port", "0"],
            env=self.environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        try:
            assert server.stdout is not None
            url = server.stdout.readline().strip()
            header = {"Authorization": f"Bearer {key}"}
            with httpx.Client(
                base_url=url, headers=header, timeout=WAIT_S, trust_env=False
            ) as client:
                return use(client)
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait(WAIT_S)


def use(client: httpx.Client) -> dict[str, Any]:
    """One question, the page that it cites, the pages for people, one upload."""
    answer = client.post("/v1/answers", json={"question": QUESTION}).raise_for_status().json()
    (first, *_) = answer["citations"]
    place = f"/v1/documents/{first['document_id']}/pages/{first['page']}/image"
    span = {"start": first["start"], "end": first["end"]}
    image = client.get(place, params=span).raise_for_status()
    for page in ("/", "/documents", "/docs", "/readyz"):
        client.get(page, headers={"Accept": "text/html"}).raise_for_status()
    files = {"file": ("note.txt", b"The lantern in the cellar was lit again in spring.")}
    job = client.post("/v1/documents", files=files).raise_for_status().json()
    deadline = time.monotonic() + WAIT_S
    while job["finished"] is None and time.monotonic() < deadline:
        time.sleep(0.2)  # a job's end can only be looked up
        job = client.get(f"/v1/jobs/{job['job_id']}").raise_for_status().json()
    return {"answer": answer, "image": image.headers["content-type"], "upload": job["counts"]}


def interfaces_up() -> list[str]:
    return [name for _, name in socket.if_nameindex() if _flags(name) & _UP]


def raise_loopback() -> None:
    """`ip link set lo up`, without needing iproute2."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack("16sH14x", b"lo", _flags("lo") | _UP)
        fcntl.ioctl(control, _SET_FLAGS, request)


def _flags(name: str) -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        found = fcntl.ioctl(control, _GET_FLAGS, struct.pack("16sH14x", name.encode(), 0))
    flags: int = struct.unpack("16sH14x", found)[1]
    return flags


if __name__ == "__main__":
    main()
