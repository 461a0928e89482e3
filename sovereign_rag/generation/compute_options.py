"""How a model is computed on this machine: the defaults, what was measured, what is pinned."""

from dataclasses import dataclass, field, replace
from typing import Final, Literal

from sovereign_rag.models.gguf_header import GgufHeader
from sovereign_rag.settings import GenerationSettings
from sovereign_rag.system.cpu import has_amx, physical_cores

SMALL_BYTES: Final = 512 << 20  # of a model's file
_MOST_LANES: Final = 4
_REPACKED_WELL: Final = {2, 7, 25}  # llama.cpp's file types Q4_0, Q8_0, IQ4_NL

WaitPolicy = Literal["passive", "active"]


@dataclass(frozen=True, slots=True)
class Computing:
    """What the engine's native side is told; none of it changes what the model is.

    The last bits of a sum may differ from one to another, and a greedy text with them.
    """

    threads: int = 1  # of a lane, in a step of one token, which waits for memory
    threads_batch: int = 1  # of a lane, in any other, which waits for arithmetic
    repack: bool = False
    """Rearrange the weights for this CPU: helps the simple quantizations (Q4_0, Q8_0), may halve
    the prompt speed of the K-quants, and doubles memory."""
    block_tokens: int = 64  # of prompts, read in one step
    flash_attention: Literal["auto", "on", "off"] = "auto"
    kv_cache: Literal["f16", "q8_0"] = "f16"
    lanes: int = 1
    """Answers are shared among so many, each with threads and a context of its own: for a model
    so small that threads would meet more than they compute."""


@dataclass(frozen=True, slots=True)
class Choice:
    """All of it, with how OpenMP's threads wait for each other, which a process says at its start.

    "active" ones spin: faster on idle cores, and up to thirty times slower on shared ones.
    """

    waiting: WaitPolicy = "passive"
    computing: Computing = field(default_factory=Computing)


def environment(waiting: WaitPolicy) -> dict[str, str]:
    """What a process that computes is started with."""
    # Spinning for some milliseconds bridges the time between two operations; GNU's "active" would
    # go on for a minute after an answer, and keep a core busy for nothing.
    spin = {"OMP_WAIT_POLICY": "passive"} if waiting == "passive" else {"GOMP_SPINCOUNT": "100000"}
    return {
        **spin,
        "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",  # large pages, see `native`
        "GGML_NO_BACKTRACE": "1",  # it would start a debugger after a failed assertion
    }


def defaults(header: GgufHeader) -> Choice:
    """What is chosen where nothing was measured."""
    lanes = most_lanes(header)
    threads = 1 if lanes > 1 else physical_cores()
    return Choice(
        computing=Computing(
            threads=threads,
            threads_batch=threads,
            repack=header.quantization in _REPACKED_WELL and may_repack(),
            lanes=lanes,
        )
    )


def may_repack() -> bool:
    """Whether weights can be rearranged here.

    For CPUs with AMX llama.cpp rearranges them in another way, whose arithmetic ends the process
    (0.3.36 of its Python package, Q4_1 and Q8_0, on a virtual machine).
    """
    return not has_amx()


def most_lanes(header: GgufHeader) -> int:
    """More would take more memory than a small model is worth: each has a context."""
    return min(physical_cores(), _MOST_LANES) if header.size <= SMALL_BYTES else 1


def pinned(settings: GenerationSettings, header: GgufHeader, measured: Choice | None) -> Choice:
    """What was measured, else the defaults, with what the settings pin."""
    choice = measured or defaults(header)
    computing = replace(
        choice.computing,
        flash_attention=settings.flash_attention,
        kv_cache=settings.kv_cache,
    )
    if settings.threads:
        lanes = min(computing.lanes, settings.threads)
        threads = settings.threads // lanes
        computing = replace(computing, threads=threads, threads_batch=threads, lanes=lanes)
    if settings.repack != "auto":
        computing = replace(computing, repack=settings.repack == "on" and may_repack())
    if settings.block_tokens:
        computing = replace(computing, block_tokens=settings.block_tokens)
    waiting = choice.waiting if settings.waiting == "auto" else settings.waiting
    return Choice(waiting, computing)
