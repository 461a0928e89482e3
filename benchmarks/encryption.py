"""What encryption at rest costs: the same work with and without it, as a ratio.

    python benchmarks/encryption.py [--mib 32] [--rounds 5]

Each row is the CPU time of storing or reading one thing, the median of some rounds, in clear and
encrypted. The disk's own time is left out: it is the same for both.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from sovereign_rag.domain import PageText, ParsedDocument
from sovereign_rag.embedding.vector_cache import RoundedVectorCache
from sovereign_rag.settings import EncryptionSettings
from sovereign_rag.storage.content import ContentStore
from sovereign_rag.storage.encryption.master_key import write_new

PAGES, SENTENCES, DIMENSION = 40, 1_000, 384
WORDS = "The gate of the yard opens at seven and closes at nine in the evening. " * 30


def cpu_ms(work: Callable[[], object], rounds: int) -> float:
    """Median CPU time of one round, in milliseconds."""
    taken = []
    for _ in range(rounds):
        begin = time.process_time()
        work()
        taken.append(1_000 * (time.process_time() - begin))
    return statistics.median(taken)


def rows(content: ContentStore, data: bytes, rounds: int) -> dict[str, float]:
    """What each step takes in this folder."""
    pages = tuple(PageText(n, f"{n} {WORDS}") for n in range(1, PAGES + 1))
    parsed = ParsedDocument("text/plain", pages, (), paged=True)
    blocks = [data[at : at + (1 << 20)] for at in range(0, len(data), 1 << 20)]
    hash_, _ = content.add_stream(blocks, tenant="default")
    content.put_parsed(hash_, "p1", parsed)
    content.put_page_image(hash_, "110dpi", 1, data[: 1 << 18])
    vectors = np.random.default_rng(1).random((SENTENCES, DIMENSION), np.float32)
    texts = [f"sentence {n}" for n in range(SENTENCES)]
    RoundedVectorCache(content.sentences(hash_, "m"), DIMENSION).add(texts, vectors)

    def receive() -> None:
        content.drop(content.receive(blocks))

    def read_original() -> None:
        with content.original(hash_).open("rb") as file:
            while file.read(1 << 20):
                pass

    def ten_sentences() -> None:
        kept = RoundedVectorCache(content.sentences(hash_, "m"), DIMENSION)
        for text in texts[:10]:
            kept.get(text)

    return {
        f"receive {len(data) >> 20} MiB": cpu_ms(receive, rounds),
        f"read {len(data) >> 20} MiB": cpu_ms(read_original, rounds),
        f"text of {PAGES} pages stored": cpu_ms(
            lambda: content.put_parsed(hash_, "p1", parsed), 5 * rounds
        ),
        f"text of {PAGES} pages read": cpu_ms(lambda: content.parsed(hash_, "p1"), 5 * rounds),
        "page image read (256 KiB)": cpu_ms(
            lambda: content.page_image(hash_, "110dpi", 1), 5 * rounds
        ),
        f"10 of {SENTENCES:,} kept sentences": cpu_ms(ten_sentences, 5 * rounds),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mib", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    data = os.urandom(asked.mib << 20)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_new(folder / "key")
        sealed = ContentStore(folder / "b", EncryptionSettings(key_file=folder / "key"))
        clear = rows(ContentStore(folder / "a"), data, asked.rounds)
        encrypted = rows(sealed, data, asked.rounds)
    print("| step | in clear, ms | encrypted, ms | ratio |\n|---|---|---|---|")
    for step, before in clear.items():
        after = encrypted[step]
        print(f"| {step} | {before:.2f} | {after:.2f} | {after / max(before, 0.001):.2f} |")


if __name__ == "__main__":
    main()
