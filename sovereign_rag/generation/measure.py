"""How fast a model reads and writes, in a process of its own: `tuning` is the other side.

`python -m sovereign_rag.generation.measure ORDER`: a JSON object in, one out on stdout. Weight
repacking and the threads' waiting hold for a process, so each of them is a run of this one;
threads, lanes and blocks are tried within it. Each figure is the best of a few short tries,
because a neighbour's work only ever makes one slower.
"""

import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Final

from sovereign_rag.errors import ModelError
from sovereign_rag.generation.compute_options import Computing

if TYPE_CHECKING:
    from sovereign_rag.generation.native import NativeContext, NativeModel

BLOCKS: Final = (64, 128, 256)
WIDTH: Final = 8  # answers written at once
_BEFORE: Final = 32  # tokens of each sequence before the one that is timed
_TRIES: Final = 5


def main() -> None:
    order = json.loads(sys.argv[1])
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a library prints is no part of the reply
    try:
        from sovereign_rag.generation.native import NativeModel

        cores: int = order["cores"]
        computing = Computing(threads=cores, threads_batch=cores, repack=order["repack"])
        model = NativeModel(Path(order["model"]), computing=computing)
        end = time.monotonic() + order["seconds"]
        reply: dict[str, object] = {"lanes": _side_by_side(model, order["lanes"], end)}
        reply |= _one_context(model, cores, end)
    except ModelError as error:
        reply = {"failed": str(error)}
    out.write(json.dumps(reply))
    out.flush()
    os._exit(0)


def _one_context(model: "NativeModel", cores: int, end: float) -> dict[str, object]:
    """Tokens a second: `read` by size of block, `write` and `wide` by threads."""
    from sovereign_rag.generation.native import Feed

    context = _context(model, sequences=WIDTH + 1, tokens=BLOCKS[-1] + WIDTH * (_BEFORE + 8))
    some = _tokens(model, BLOCKS[-1])

    def read(block: int) -> None:
        context.decode([Feed(WIDTH, 0, some[:block], sample=True)])
        context.forget(WIDTH)

    read(8)  # reads the weights from disk
    reads: dict[int, float] = {}
    for block in BLOCKS:
        if block == BLOCKS[0] or (end - time.monotonic()) * reads[BLOCKS[0]] > 2 * block:
            reads[block] = _best(block, lambda block=block: read(block), 0.2, end)  # type: ignore[misc]  # mypy can't infer a default's type
    _fill(context, WIDTH, some)
    writes: dict[int, float] = {}
    wide: dict[int, float] = {}
    for threads in sorted({1, max(1, cores // 2), cores}, reverse=True):
        context.set_threads(threads, threads)
        writes[threads] = _best(1, lambda: _write(context, 1, some), 0.3, end)
        wide[threads] = _best(WIDTH, lambda: _write(context, WIDTH, some), 0.3, end)
    return {"read": reads, "write": writes, "wide": wide}


def _side_by_side(model: "NativeModel", most: int, end: float) -> dict[int, float]:
    """Tokens a second of all answers together, by number of lanes of one thread each."""
    speeds: dict[int, float] = {}
    some = _tokens(model, _BEFORE)
    for lanes in (lanes for lanes in (2, 4) if lanes <= most):
        width = WIDTH // lanes
        contexts = [_context(model, sequences=width, tokens=512) for _ in range(lanes)]
        for context in contexts:
            context.set_threads(1, 1)
            _fill(context, width, some)
        with ThreadPoolExecutor(lanes) as pool:

            def write_all(
                pool: ThreadPoolExecutor = pool,
                contexts: "Sequence[NativeContext]" = contexts,
                width: int = width,
            ) -> None:
                for written in [pool.submit(_write, context, width, some) for context in contexts]:
                    written.result()

            speeds[lanes] = _best(WIDTH, write_all, 0.2, end)
        for context in contexts:
            context.close()
    return speeds


def _context(model: "NativeModel", *, sequences: int, tokens: int) -> "NativeContext":
    from sovereign_rag.generation.native import NativeContext

    most = max(BLOCKS[-1], WIDTH * _BEFORE)
    return NativeContext(
        model, context_tokens=tokens, sequences=sequences, batch_tokens=most, temperature=0
    )


def _tokens(model: "NativeModel", count: int) -> list[int]:
    return [1 + 7 * k % (model.vocabulary.size - 1) for k in range(count)]


def _fill(context: "NativeContext", width: int, some: Sequence[int]) -> None:
    from sovereign_rag.generation.native import Feed

    context.decode([Feed(k, 0, some[:_BEFORE], sample=False) for k in range(width)])


def _write(context: "NativeContext", width: int, some: Sequence[int]) -> None:
    from sovereign_rag.generation.native import Feed

    context.decode([Feed(k, _BEFORE, some[k : k + 1], sample=True) for k in range(width)])
    for k in range(width):
        context.forget(k, after=_BEFORE)


def _best(tokens: int, step: Callable[[], None], share: float, end: float) -> float:
    """The fastest of a few; `share`: of the time until `end`, to be spent here at most."""
    until = time.monotonic() + share * max(0.0, end - time.monotonic())
    speed = 0.0
    for _ in range(_TRIES):
        begin = time.monotonic()
        step()
        speed = max(speed, tokens / max(1e-9, time.monotonic() - begin))
        if time.monotonic() > until:
            break
    return speed


if __name__ == "__main__":
    main()
