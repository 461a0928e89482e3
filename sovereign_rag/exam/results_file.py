"""The results of exams on disk, by what they are results of."""

import hashlib
import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from filelock import FileLock, Timeout

from sovereign_rag.answering.prompt import answer_prompts
from sovereign_rag.answering.quotes import EXTRACT_MARGIN
from sovereign_rag.exam.question_set import Paper
from sovereign_rag.exam.result import ExamResult
from sovereign_rag.settings import GenerationSettings

MOST_TOKENS: Final = 128  # of an answer in the exam: three short sentences have room
_JUDGED: Final = "2"  # how answers are judged; another way has every model examined anew
_FILE: Final = "exams.json"
_LOCK_WAIT_S: Final = 10.0


def exam_key(
    name: str,
    sha256: str,
    settings: GenerationSettings,
    paper: Paper,
    *,
    prompts: Sequence[str] | None = None,
) -> str:
    """Names what a result holds for: the model, the prompts, what its words depend on, the paper,
    and what it is compared with.

    Args:
        name: Of the model, where it is a server's.
        sha256: Of its file; "": it is a server's.
        prompts: The versions of the prompts that it is asked with; None: today's.

    A server's model has no hash that could be known here: its name and the servers stand for it,
    and what changes behind them is the admin's to say (`models exam --again`).
    """
    if sha256:
        model = [sha256, settings.weights, settings.kv_cache]
    else:
        model = ["endpoint", name, *sorted(settings.endpoint.urls)]
    facts = [
        *model,
        *(prompts or answer_prompts()),
        f"{settings.temperature:g}",
        str(min(settings.max_tokens, MOST_TOKENS)),
        paper.version,
        f"{EXTRACT_MARGIN:g}",
        _JUDGED,
    ]
    return hashlib.sha256("\0".join(facts).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Exams:
    """Keeps results in one file of `folder`, whole ones alone."""

    folder: Path

    def kept(self, key: str) -> ExamResult | None:
        """The result; None: there is none, or it can't be read."""
        entry = self._read().get(key)
        try:
            return None if entry is None else ExamResult.of_json(entry)
        except (KeyError, TypeError, ValueError):
            return None

    def keep(self, key: str, result: ExamResult) -> bool:
        """Keep a result in place of an earlier one; False: the folder can't be written.

        Then the exam is sat again another time, which costs that time and nothing else.
        """
        try:
            with FileLock(self.folder / f".{_FILE}.lock", timeout=_LOCK_WAIT_S):
                content = self._read() | {key: result.to_json()}
                handle, scratch = tempfile.mkstemp(dir=self.folder, prefix=f".{_FILE}-")
                try:
                    with os.fdopen(handle, "w", encoding="utf-8") as file:
                        json.dump(content, file, indent=1)
                    Path(scratch).replace(self.folder / _FILE)
                finally:
                    Path(scratch).unlink(missing_ok=True)
        except (OSError, Timeout):
            return False
        return True

    @contextmanager
    def alone(self, key: str, *, wait: bool) -> Iterator[bool]:
        """Hold the only exam under `key`, of all processes; the lock goes with its process.

        Args:
            wait: Until another one's is over; else that one's presence gives False.

        A folder that can't be written gives True: two exams of one model cost time alone.
        """
        lock = FileLock(self.folder / f".exam-{key[:16]}.lock", timeout=-1 if wait else 0)
        alone = True
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            lock.acquire()
        except Timeout:  # an OSError too, so it stands first
            alone = False
        except OSError:  # nothing can be kept there either; `keep` tells
            alone = True
        try:
            yield alone
        finally:
            lock.release()

    def _read(self) -> dict[str, Any]:
        try:
            content = json.loads((self.folder / _FILE).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return content if isinstance(content, dict) else {}
