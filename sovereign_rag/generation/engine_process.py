"""The engine's process as its parent sees it: started, asked, watched, ended."""

import json
import os
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

from sovereign_rag.errors import GenerationError, ModelError
from sovereign_rag.generation.compute_options import environment
from sovereign_rag.system import offline

Reply = Mapping[str, Any]

_LAST_WORDS = {"count", "finish", "too_long", "refused", "gone", "slot_use"}
_CLOSING_S = 5.0
_PACKAGE_ROOT = Path(__file__).parents[2]


class EngineProcess:
    """One life of the engine; a new one is made after its death. Safe for many threads."""

    def __init__(self, configuration: Mapping[str, Any], *, timeout_s: float) -> None:
        """Start it and wait until the model is loaded.

        Raises:
            ModelError: llama.cpp can't load the model.
            GenerationError: It died while loading, or took longer than `timeout_s`.
        """
        self._configuration = configuration
        self._lock = threading.Lock()  # of what follows
        self._replies: dict[int, SimpleQueue[Reply]] = {}
        self._writing: set[int] = set()
        self._next_id = 0
        # Written to the pipe by a thread of its own: a full pipe holds up no caller, and an answer
        # may be let go of by the garbage collector, in the middle of anything.
        self._orders: SimpleQueue[Mapping[str, Any] | None] = SimpleQueue()
        self._process: subprocess.Popen[str] | None = None
        self._gone: str | None = None
        self._closed = False
        self._stderr: deque[str] = deque(maxlen=20)
        self._started: SimpleQueue[Reply] = SimpleQueue()
        # The kernel kills the engine when the thread that started it ends, so that thread has to
        # be one that stays: it reads the engine's replies as long as there are any.
        self._watcher = threading.Thread(target=self._watch, name="engine-watcher", daemon=True)
        self._watcher.start()
        try:
            first = self._started.get(timeout=timeout_s)
        except Empty:
            self.close()
            raise GenerationError(
                f"The language model was not loaded within {timeout_s:.0f} s. Copy "
                "it to a faster disk, or choose a smaller model."
            ) from None
        if "failed" in first:
            raise ModelError(first["failed"])
        if "gone" in first:
            raise GenerationError(first["gone"])
        self.copied_into: str = first["copied_into"]

    @property
    def alive(self) -> bool:
        return self._gone is None

    @property
    def has_failed(self) -> bool:
        """It ended, and not because it was closed."""
        return self._gone is not None and not self._closed

    @property
    def pid(self) -> int | None:
        return None if self._process is None else self._process.pid

    @property
    def writing(self) -> int:
        """Requests for text that have not ended, waiting ones included."""
        return len(self._writing)

    def ask(self, order: Mapping[str, Any]) -> tuple[int, "SimpleQueue[Reply]"]:
        """Send an order under a new id; its replies come through the queue."""
        replies: SimpleQueue[Reply] = SimpleQueue()
        with self._lock:
            if self._gone is not None:
                replies.put({"gone": self._gone})
                return -1, replies
            self._next_id += 1
            request = self._next_id
            self._replies[request] = replies
            if order["op"] == "start":
                self._writing.add(request)
        self._orders.put({**order, "id": request})
        return request, replies

    def cancel(self, request: int) -> None:
        """Have a request ended; its last reply says "cancelled" unless it ended before."""
        if request in self._writing:
            # Orders are taken in turn, so whoever asks next finds the place free. No lock: the
            # garbage collector may call this while it is held.
            self._writing.discard(request)
            self._orders.put({"op": "cancel", "id": request})

    def close(self) -> None:
        """End the process, whatever it is doing."""
        self._closed = True
        self._orders.put(None)
        self._watcher.join(_CLOSING_S)
        if self._watcher.is_alive() and self._process is not None:
            self._process.kill()
            self._watcher.join(_CLOSING_S)

    def _watch(self) -> None:
        try:
            configuration = self._configuration
            self._process = subprocess.Popen(
                [sys.executable, "-m", "sovereign_rag.generation.engine"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                encoding="utf-8",
                errors="replace",
                env={
                    **offline.for_child(),
                    "PYTHONPATH": str(_PACKAGE_ROOT),
                    "PATH": os.pathsep.join(os.get_exec_path()),
                    "LANG": "C.UTF-8",
                    **environment(configuration["waiting"]),
                },
            )
        except OSError as error:
            self._end(f"The engine's process can't be started: {error}. Free some memory.")
            return
        process = self._process
        writer = threading.Thread(target=self._write, args=(process,), daemon=True)
        listener = threading.Thread(target=self._listen, args=(process,), daemon=True)
        writer.start()
        listener.start()
        self._orders.put({**self._configuration, "parent": os.getpid()})
        with suppress(BrokenPipeError), process:  # the pipes' end: it may be gone already
            self._read(process)
            listener.join(_CLOSING_S)  # its last words say why
        code = process.returncode
        why = f"signal {-code}" if code < 0 else f"code {code}"
        said = " | ".join(list(self._stderr)[-3:])
        self._end(
            f"The language model's process ended ({why}{': ' + said if said else ''}). Ask again, "
            "a new one is started; if it recurs, lower generation.context_tokens or choose a "
            "smaller model."
        )

    def _read(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            try:
                reply: Reply = json.loads(line)
            except ValueError:  # it died within a line
                process.kill()
                return
            if "events" in reply:
                for event in reply["events"]:
                    self._route(event)
            elif "id" in reply:
                self._route(reply)
            else:
                self._started.put(reply)

    def _write(self, process: subprocess.Popen[str]) -> None:
        assert process.stdin is not None
        # A broken pipe needs no handling: the reader sees the end and answers every request.
        with suppress(OSError, ValueError):  # broken, or closed by the other thread
            while (order := self._orders.get()) is not None:
                process.stdin.write(json.dumps(order) + "\n")
                process.stdin.flush()
            process.stdin.close()  # the engine ends with its orders

    def _listen(self, process: subprocess.Popen[str]) -> None:
        assert process.stderr is not None
        with suppress(ValueError):  # closed while being read
            for line in process.stderr:
                self._stderr.append(line.strip())

    def _route(self, reply: Reply) -> None:
        request = reply["id"]
        last = not _LAST_WORDS.isdisjoint(reply)
        with self._lock:
            replies = self._replies.pop(request, None) if last else self._replies.get(request)
            if last:
                self._writing.discard(request)
        if replies is not None:
            replies.put(reply)

    def _end(self, reason: str) -> None:
        with self._lock:
            self._gone = reason
            self._orders.put(None)
            orphans = list(self._replies.values())
            self._replies.clear()
            self._writing.clear()
        self._started.put({"gone": reason})
        for replies in orphans:
            replies.put({"gone": reason})
