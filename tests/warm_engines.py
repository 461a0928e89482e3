"""Engines of the store from a process that has imported what they need: `python -m` starts it.

Hundreds of tests open a data folder of their own, and each engine's imports cost more than the
test. Here one process imports them and forks for each folder; what an engine is and does from then
on is the product's. `tests/store/test_embedded.py` and each program that tests start go the
product's own way.
"""

import gc
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

from sovereign_rag.store.embedded.models_alone import leave_out_the_client

_READY = b"ready"
_FAR_TOO_LONG_S = 120.0


class WarmEngines:
    """Started with the first engine; ends with `close`, and its engines when they are left."""

    def __init__(self, folder: Path) -> None:
        self._address = str(folder / "engines.sock")
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None

    def launch(self, data_dir: Path, log: int) -> int:
        """In the place of the product's; see there."""
        self._start()
        with socket.socket(socket.AF_UNIX) as asked:
            asked.settimeout(_FAR_TOO_LONG_S)
            asked.connect(self._address)
            socket.send_fds(asked, [os.fsencode(data_dir)], [log])
            return 0 if asked.recv(len(_READY)) == _READY else 1

    def close(self) -> None:
        if self._process is not None:
            self._process.communicate()

    def _start(self) -> None:
        with self._lock:
            if self._process is None or self._process.poll() is not None:
                self.close()  # a test ended it
                Path(self._address).unlink(missing_ok=True)
                self._process = subprocess.Popen(
                    [sys.executable, "-m", "tests.warm_engines", self._address],
                    env={
                        "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
                        "PYTHONUTF8": "1",
                        "OPENBLAS_NUM_THREADS": "1",
                    },
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                )
                assert self._process.stdout is not None
                self._process.stdout.readline()  # it listens


def _serve(address: str) -> None:
    leave_out_the_client()
    import sovereign_rag.store.embedded.process  # noqa: F401  - what each engine needs

    gc.collect()
    gc.freeze()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the engines
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen()
        print("listening", flush=True)
        while 0 not in select.select([0, listener.fileno()], [], [])[0]:  # until the tests end
            asked, _ = listener.accept()
            if os.fork() == 0:
                listener.close()
                os._exit(_be_an_engine(asked))
            asked.close()


def _be_an_engine(asked: socket.socket) -> int:
    from sovereign_rag.store.embedded.__main__ import run_engine

    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    told, (log,), _, _ = socket.recv_fds(asked, 1 << 12, 1)
    for stream in (1, 2):
        os.dup2(log, stream)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.setsid()
    tell = os.dup(asked.fileno())
    asked.close()
    return run_engine(Path(os.fsdecode(told)), tell)


if __name__ == "__main__":
    _serve(sys.argv[1])
