"""Load for the engine: callers at once, known prefixes, tenants of unequal appetite."""

import os
import statistics
import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sovereign_rag.generation.llama_cpp import LlamaCppModel
from sovereign_rag.generation.protocol import CompletionRequest, Message

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Load:
    prompts: Sequence[str]
    tokens: int  # written by each answer
    system: str  # instructions that all prompts begin with


@dataclass(frozen=True, slots=True)
class Made:
    seconds: float
    cpu_s: float
    tokens: int
    first_s: tuple[float, ...]


def run_callers(language_model: LlamaCppModel, load: Load, callers: int) -> Made:
    """All prompts, so many at once, each by a tenant of its own."""

    def one(number: int) -> tuple[int, float]:
        begin, first, last = time.monotonic(), 0.0, None
        for piece in language_model.stream(
            CompletionRequest(
                [Message("system", load.system), Message("user", load.prompts[number])],
                tenant=f"t{number}",
                max_tokens=load.tokens,
            )
        ):
            first = first or time.monotonic() - begin
            last = piece
        return (last.completion_tokens if last else 0), first

    begin, cpu = time.monotonic(), cpu_seconds(language_model.engine_pid)
    with ThreadPoolExecutor(callers) as pool:
        made = list(pool.map(one, range(len(load.prompts))))
    seconds = time.monotonic() - begin
    cpu_s = cpu_seconds(language_model.engine_pid) - cpu
    return Made(seconds, cpu_s, sum(n for n, _ in made), tuple(first for _, first in made))


def prefixes(language_model: LlamaCppModel, *, tokens: int, filler: str) -> dict[str, Any]:
    """Seconds to the first token after a prompt that is new, and one that begins like it.

    Three prompts of their own, each asked twice with another question behind it.
    """
    cold: list[float] = []
    warm: list[float] = []
    cached: list[int] = []
    for name in ("Ada", "Ben", "Cora"):
        text = f"This is the lease of {name}. "
        while language_model.count_tokens([Message("user", text)]) < tokens:
            text += filler * 8
        for times, question in ((cold, "Who pays the deposit?"), (warm, "When does it end?")):
            begin, first, last = time.monotonic(), 0.0, None
            for piece in language_model.stream(
                CompletionRequest(
                    [Message("user", text + question)], tenant="t", person=name, max_tokens=2
                )
            ):
                first = first or time.monotonic() - begin
                last = piece
            times.append(first)
        cached.append(last.cached_tokens if last else 0)
    return {
        "cold_s": round(statistics.median(cold), 3),
        "known_s": round(statistics.median(warm), 3),
        "cached_tokens": cached[0],
        "ratio": round(statistics.median(cold) / statistics.median(warm), 1),
    }


def fairness(language_model: LlamaCppModel, *, tokens: int) -> dict[str, Any]:
    """Jain's index of what four tenants got, one of which asks five times as much as the others.

    The greedy one asks first. Counted until the first of the others has all its answers: 1 means
    that all got the same, 0.25 that one got everything. Answers under way are not cut off for
    others, so the greedy one's first places count for it; with a dozen of each that is little.
    """
    asked = {"greedy": 60, "b": 12, "c": 12, "d": 12}
    got = dict.fromkeys(asked, 0)
    left = dict(asked)
    over = threading.Event()

    def read(tenant: str, answer: Any) -> None:
        for piece in answer:
            if not over.is_set() and piece.text:
                got[tenant] += 1
        left[tenant] -= 1
        if tenant != "greedy" and left[tenant] == 0:
            over.set()

    order = [tenant for tenant, count in asked.items() for _ in range(count)]
    with ThreadPoolExecutor(len(order)) as pool:
        for number, tenant in enumerate(order):
            message = Message("user", f"Count from {number} on, in words.")
            answer = language_model.stream(
                CompletionRequest([message], tenant=tenant, max_tokens=tokens)
            )
            pool.submit(read, tenant, answer)
    shares = list(got.values())
    index = sum(shares) ** 2 / (len(shares) * sum(share**2 for share in shares))
    return {"asked": asked, "tokens": got, "jain": round(index, 3)}


def waits(language_model: LlamaCppModel, *, tokens: int, requests: int = 24) -> dict[str, Any]:
    """Seconds to the first word, against what was foretold to those who had to wait for a place.

    Some requests go before, so that it is known how long one takes here.
    """

    def read(answer: Any) -> float:
        begin, first = time.monotonic(), 0.0
        for _ in answer:
            first = first or time.monotonic() - begin
        return first

    def ask(number: int) -> Any:
        message = Message("user", f"Count from {number} on, in words.")
        return language_model.stream(
            CompletionRequest([message], tenant=f"t{number}", max_tokens=tokens)
        )

    with ThreadPoolExecutor(requests) as pool:
        list(pool.map(read, [ask(number) for number in range(8)]))
        told: list[float] = []
        made: list[Future[float]] = []
        for number in range(requests):
            told.append(language_model.wait_s())
            made.append(pool.submit(read, ask(number)))
    pairs = [(a, b.result()) for a, b in zip(told, made, strict=True) if a > 0]
    return {
        "waited": len(pairs),
        "measured_to_told": round(statistics.median(b / a for a, b in pairs), 2),
        "worst": round(max(b / a for a, b in pairs), 2),
        "least": round(min(b / a for a, b in pairs), 2),
    }


def cpu_seconds(pid: int | None) -> float:
    """CPU seconds of a process so far."""
    if pid is None:
        return 0.0
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S
