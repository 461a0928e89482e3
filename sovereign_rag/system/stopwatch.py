"""How long each stage of a question took."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from sovereign_rag.system.tracing import Stages


class Stopwatch:
    """Wall time by stage, in milliseconds; a stage that comes twice is counted together."""

    def __init__(self) -> None:
        self._begin = time.perf_counter()
        self._stages: dict[str, float] = {}
        self._spans = Stages()

    @contextmanager
    def __call__(self, stage: str) -> Iterator[None]:
        begin = time.perf_counter()
        try:
            with self._spans(f"answer.{stage}"):
                yield
        finally:
            spent = (time.perf_counter() - begin) * 1000
            self._stages[stage] = round(self._stages.get(stage, 0.0) + spent, 1)

    def timings_ms(self) -> dict[str, float]:
        total = round((time.perf_counter() - self._begin) * 1000, 1)
        return {**self._stages, "total": total}
