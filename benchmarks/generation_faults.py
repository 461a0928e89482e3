"""Callers that cancel, hang up or run out of time, and what they leave behind.

    python benchmarks/generation_faults.py                       400 requests, half end early
    python benchmarks/generation_faults.py --requests 60

Each prompt holds a code word of its own. Exit code 0: no code word of one request stands in the
answer to another, every place is free at the end, memory of engine and caller grew by at most 5 %
over the second half, and a request after all that is answered.
"""

import argparse
import json
import random
import re
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

from sovereign_rag.errors import GenerationError
from sovereign_rag.generation.llama_cpp import LlamaCppModel
from sovereign_rag.generation.protocol import CompletionRequest, Delta, Message
from sovereign_rag.settings import load_settings

FATES: Final = ("stays", "stays", "stays", "cancels", "disconnects", "too late")
CALLERS: Final = 24
MOST_GROWTH: Final = 1.05
_MARKER: Final = re.compile(r"zq\d{4}x")


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--requests", type=int, default=400)
    parser.add_argument("--tokens", type=int, default=24, help="written by each answer (24)")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    report = measure(given.requests, given.tokens, given.seed)
    print(json.dumps(report, indent=1))
    return 0 if report["good"] else 1


def measure(requests: int, tokens: int, seed: int) -> dict[str, Any]:
    settings = load_settings(
        overrides={"generation": {"queue": 2 * CALLERS, "tune": False, "timeout_s": 3_600}}
    )
    language_model = LlamaCppModel.open(settings)
    # Half of the requests are made to end early, by chance, one way or another.
    chance = random.Random(seed)
    fates = [chance.choice(FATES) for _ in range(requests)]
    foreign: list[str] = []
    ended: Counter[str] = Counter()

    def one(number: int) -> None:
        marker, fate, cancel = f"zq{number:04d}x", fates[number], threading.Event()
        text = f"The code is {marker}. Repeat the code of this message several times."
        answer = language_model.stream(
            CompletionRequest(
                [Message("user", text)],
                tenant=f"t{number % 4}",
                person=f"p{number % 7}",
                max_tokens=tokens,
                cancel=cancel,
                timeout_s=0.3 * (1 + number % 9) if fate == "too late" else None,
            )
        )
        try:
            said, finish = read(answer, number % 9, fate, cancel)
        except GenerationError:
            said, finish = "", "deadline"
        ended[finish] += 1
        foreign.extend(set(_MARKER.findall(said)) - {marker})

    begin = time.monotonic()
    half = requests // 2
    with ThreadPoolExecutor(CALLERS) as pool:
        list(pool.map(one, range(half)))
        before = _memory(language_model)
        list(pool.map(one, range(half, requests)))
    after = _memory(language_model)
    slots = language_model.slot_use()
    survives = _answers(language_model)
    language_model.close()
    growth = {name: round(after[name] / before[name], 3) for name in before}
    return {
        "requests": requests,
        "seconds": round(time.monotonic() - begin),
        "fates": dict(Counter(fates)),
        "ended": dict(ended),
        "foreign_markers": foreign,
        "writing_at_the_end": slots.writing,
        "waiting_at_the_end": slots.waiting,
        "memory_mib": after,
        "growth": growth,
        "answers_afterwards": survives,
        "good": not foreign
        and slots.writing == slots.waiting == 0
        and max(growth.values()) <= MOST_GROWTH
        and survives,
    }


def read(
    answer: Iterator[Delta], leave_at: int, fate: str, cancel: threading.Event
) -> tuple[str, str]:
    """What a caller saw, and how it ended."""
    said = ""
    for count, piece in enumerate(answer):
        said += piece.text
        if piece.finish is not None:
            return said, piece.finish
        if fate == "cancels" and count == leave_at:
            cancel.set()
        if fate == "disconnects" and count == leave_at:
            break
    return said, "disconnected"


def _answers(language_model: LlamaCppModel) -> bool:
    try:
        pieces = list(
            language_model.stream(
                CompletionRequest([Message("user", "Say hello.")], tenant="t", max_tokens=4)
            )
        )
    except GenerationError:
        return False
    return pieces[-1].completion_tokens > 0


def _memory(language_model: LlamaCppModel) -> dict[str, float]:
    """Resident MiB of engine and caller."""
    found = {}
    for name, pid in (("engine", language_model.engine_pid), ("caller", "self")):
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
        found[name] = round(int(status.partition("VmRSS:")[2].split()[0]) / 1024, 1)
    return found


if __name__ == "__main__":
    sys.exit(main())
