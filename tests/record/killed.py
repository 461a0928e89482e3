"""Runs acts in processes that end themselves by SIGKILL at a step: `python -m tests.record.killed`.

Reads a line of JSON for each, {"data", "act", "path", "kill_at"}, and answers with one: how many
steps there were, or that it was killed. It forks for each, since imports take longer than acts.
"""

import json
import os
import signal
import sys
import threading
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

from sovereign_rag.catalog.database import Database
from sovereign_rag.indexes.all_indexes import EveryIndexStore
from sovereign_rag.settings import load_settings
from sovereign_rag.storage.audit import AuditLog
from sovereign_rag.storage.content import ContentStore
from sovereign_rag.store.qdrant import QdrantStore
from sovereign_rag.wiring import open_service
from tests.hashed import HashEmbedder
from tests.record.acts import ACTS

STEPS: dict[CodeType, str] = {
    function.__code__: function.__qualname__
    for function in (
        AuditLog._write,
        AuditLog._note,
        Database.writing.__wrapped__,  # type: ignore[attr-defined]  # the transaction itself
        EveryIndexStore.prune,
        EveryIndexStore.set_access,
        QdrantStore.put,
        QdrantStore.flush,
        ContentStore.keep,
        ContentStore.delete,
    )
}
"""Before and after each of these, and between the two of a transaction, an act may be killed."""


class Steps:
    """Counts steps, whichever thread takes them, and ends the process at one."""

    def __init__(self, kill_at: int) -> None:
        self.taken, self._kill_at = 0, kill_at

    def watch(self, frame: FrameType, event: str, _: Any) -> None:
        if event in {"call", "return"} and frame.f_code in STEPS:
            self.taken += 1
            if self.taken == self._kill_at:
                os.kill(os.getpid(), signal.SIGKILL)


def act(data: Path, name: str, path: Path, kill_at: int) -> int:
    """Do it; returns how many steps it took."""
    settings = load_settings(overrides={"data_dir": data})
    with open_service(settings, embedder=HashEmbedder()) as application:
        steps = Steps(kill_at)
        threading.setprofile(steps.watch)
        sys.setprofile(steps.watch)
        ACTS[name](application, path)
        sys.setprofile(None)
    return steps.taken


def run(data: Path, name: str, path: Path, kill_at: int) -> dict[str, object]:
    """Do it in a process of its own."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        try:
            os.write(writing, json.dumps({"steps": act(data, name, path, kill_at)}).encode())
        except BaseException as error:  # told, whatever it is: the process ends here
            os.write(writing, json.dumps({"error": repr(error)}).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as told:
        answer = told.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return {"killed": os.WTERMSIG(status)}
    return dict(json.loads(answer))


def main() -> None:
    for line in sys.stdin:
        asked = json.loads(line)
        answer = run(Path(asked["data"]), asked["act"], Path(asked["path"]), asked["kill_at"])
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
