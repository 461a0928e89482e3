"""How fast a model reads and writes, in a process of its own: `tuning` is the other side.

`python -m sovereign_rag.generation.measure ORDER`: a JSON object in, one out on stdout. Weight
repacking and the threads' waiting hold for a process, so each of them is a run of this one;
threads and blocks are tried within it. Each figure is the best of a few short tries, because a
neighbour's work only ever makes one slower.
"""

import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from sovereign_rag.errors import ModelError
from sovereign_rag.generation.computing import Computing

BLOCKS: Final = (64, 128, 256)
WIDTH: Final = 8  # answers written at once
_BEFORE: Final = 32  # tokens of each sequence before the one that is timed
_TRIES: Final = 5


def main() -> None:
    order = json.loads(sys.argv[1])
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a library prints is no part of the reply
    try:
        reply = _measure(Path(order["model"]), order["cores"], order["repack"], order["seconds"])
    except ModelError as error:
        reply = {"failed": str(error)}
    out.write(json.dumps(reply))
    out.flush()
    os._exit(0)


def _measure(path: Path, cores: int, repack: bool, seconds: float) -> dict[str, object]:
    """Tokens a second: `read` by size of block, `write` and `wide` by threads."""
    from sovereign_rag.generation.native import Feed, NativeModel

    end = time.monotonic() + seconds
    model = NativeModel(
        path,
        context_tokens=BLOCKS[-1] + WIDTH * (_BEFORE + 8),
        sequences=WIDTH + 1,
        batch_tokens=max(BLOCKS[-1], WIDTH * _BEFORE),
        temperature=0,
        computing=Computing(threads=cores, threads_batch=cores, repack=repack),
    )
    some = [1 + 7 * k % (model.vocabulary.size - 1) for k in range(BLOCKS[-1])]

    def best(tokens: int, step: Callable[[], None], share: float) -> float:
        """`share`: of the time that is left, to be spent here at most."""
        until = time.monotonic() + share * max(0.0, end - time.monotonic())
        speed = 0.0
        for _ in range(_TRIES):
            begin = time.monotonic()
            step()
            speed = max(speed, tokens / max(1e-9, time.monotonic() - begin))
            if time.monotonic() > until:
                break
        return speed

    def read(block: int) -> None:
        model.decode([Feed(WIDTH, 0, some[:block], sample=True)])
        model.forget(WIDTH)

    def write(width: int) -> None:
        model.decode([Feed(k, _BEFORE, some[k : k + 1], sample=True) for k in range(width)])
        for k in range(width):
            model.forget(k, after=_BEFORE)

    read(8)  # reads the weights from disk
    reads: dict[int, float] = {}
    for block in BLOCKS:
        if block == BLOCKS[0] or (end - time.monotonic()) * reads[BLOCKS[0]] > 2 * block:
            reads[block] = best(block, lambda block=block: read(block), 0.2)  # type: ignore[misc]  # mypy can't infer a default's type
    model.decode([Feed(k, 0, some[:_BEFORE], sample=False) for k in range(WIDTH)])
    writes: dict[int, float] = {}
    wide: dict[int, float] = {}
    for threads in sorted({1, max(1, cores // 2), cores}, reverse=True):
        model.set_threads(threads, threads)
        writes[threads] = best(1, lambda: write(1), 0.3)
        wide[threads] = best(WIDTH, lambda: write(WIDTH), 0.3)
    return {"read": reads, "write": writes, "wide": wide}


if __name__ == "__main__":
    main()
