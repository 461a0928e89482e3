"""What a model of Mistral's shape costs on this CPU, in CPU seconds, and what helps.

    python benchmarks/generation_shapes.py ministral-3b
    python benchmarks/generation_shapes.py mistral-7b --layers 2,4     a few layers, reckoned up

All layers of a model are alike, so with `--layers A,B` files of so many are measured and the rest
is reckoned by a straight line through both: minutes instead of an hour. The engine's CPU seconds
are told and not the clock's, because a neighbour's work slows the one and not the other; on an
otherwise idle machine divide them by the cores. The weights are random (up to 4 GB in a temporary
folder, removed at the end). By rows: to the first word of a prompt that is new, short or long, or
begins like one before; and a word of one answer alone or of several at once.
"""

import argparse
import json
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from generation_load import cpu_seconds
from synthetic_gguf import SHAPES, write

from sovereign_rag.generation.llama_cpp import LlamaCppModel
from sovereign_rag.generation.protocol import CompletionRequest, Delta, Message
from sovereign_rag.settings import load_settings
from sovereign_rag.system.cpu import physical_cores

FILLER = "The tenant gives notice in writing, and the deposit is paid back within a month. "


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("shape", choices=sorted(SHAPES))
    parser.add_argument("--layers", default="", help="two numbers: measured, and reckoned up")
    parser.add_argument("--short", type=int, default=400, help="tokens of the short prompt (400)")
    parser.add_argument("--long", type=int, default=1_500, help="of the long one (1,500)")
    parser.add_argument("--tokens", type=int, default=4, help="written by each answer (4)")
    given = parser.parse_args()
    whole = SHAPES[given.shape].layers
    layers = [int(count) for count in given.layers.split(",") if count] or [whole]
    report: dict[str, object] = {"shape": given.shape, "layers": layers, "cores": physical_cores()}
    for repack in ("off", "on"):
        made = [measure(given, count, repack) for count in layers]
        told = made[0] if len(made) == 1 else reckoned(layers, made, whole)
        report[f"repack {repack}, CPU s"] = {name: round(s, 2) for name, s in told.items()}
    print(json.dumps(report, indent=1))
    return 0


def reckoned(
    layers: Sequence[int], made: Sequence[Mapping[str, float]], whole: int
) -> dict[str, float]:
    """By a straight line through two measurements."""
    (a, b), (few, more) = layers, made
    return {name: more[name] + (whole - b) * (more[name] - few[name]) / (b - a) for name in more}


def measure(given: argparse.Namespace, layers: int, repack: str) -> dict[str, float]:
    """CPU seconds of each row."""
    with tempfile.TemporaryDirectory(prefix="synthetic-") as folder:
        path = Path(folder) / f"{given.shape}.gguf"
        write(path, given.shape, layers=layers)
        generation = {
            "model": path,
            "repack": repack,
            "tune": False,
            "timeout_s": 7_200,
            "context_tokens": 2 * given.long + 8 * 128,
        }
        language_model = LlamaCppModel.open(load_settings(overrides={"generation": generation}))
        try:
            return rows(language_model, given.short, given.long, given.tokens)
        finally:
            language_model.close()


def rows(language_model: LlamaCppModel, short: int, long: int, tokens: int) -> dict[str, float]:
    spent(language_model, ["Hello."], 1)  # loads it
    text = FILLER * (long // 16 + 1)
    counted = language_model.count_tokens([Message("user", text)])
    brief, whole = (f"{text[: len(text) * count // counted]}Who pays?" for count in (short, long))
    made = {
        f"first word after {short} tokens": spent(language_model, [brief], 1),
        f"first word after {short} tokens, known": spent(language_model, [brief + " When?"], 1),
        f"first word after {long} tokens": spent(language_model, ["Now: " + whole], 1),
    }
    for callers in (1, 2, 4, 8):
        asked = [f"Number {callers}.{number}?" for number in range(callers)]
        first = spent(language_model, [word + " So?" for word in asked], 1)
        many = spent(language_model, asked, 1 + tokens)
        made[f"a word, {callers} at once"] = max(0.0, many - first) / (tokens * callers)
    return made


def spent(language_model: LlamaCppModel, prompts: Sequence[str], tokens: int) -> float:
    """The engine's CPU seconds for all prompts at once."""
    before = cpu_seconds(language_model.engine_pid)
    answers = [
        language_model.stream(
            CompletionRequest([Message("user", prompt)], tenant="t", max_tokens=tokens)
        )
        for prompt in prompts
    ]
    lasts: list[Delta] = [list(answer)[-1] for answer in answers]
    assert statistics.fmean(last.completion_tokens for last in lasts) > 0
    return cpu_seconds(language_model.engine_pid) - before


if __name__ == "__main__":
    sys.exit(main())
