"""Time to first token and tokens a second, alone and with several callers.

    python benchmarks/generation.py                              the small model, 1, 2, 4, 8 callers
    python benchmarks/generation.py --shape mistral-7b --tokens 8 --prompt 256
    python benchmarks/generation.py --model FILE.gguf --callers 1,8 --effects
    python benchmarks/generation.py --tuned                      after measuring this machine
    python benchmarks/generation.py --server http://127.0.0.1:8080   llama.cpp's own, beside it

Compares the engine with plain calls of llama-cpp-python's `Llama.create_chat_completion`, one after
the other: with that class's default threads, and with all cores. Both get the same messages: the
product's instructions, which both have read before, and a question each. All take turns in one
run, `--rounds` times, and the median of the rounds' ratios is told; CPU seconds stand beside wall
seconds, because a busy machine slows the one and not the other. A shape of Mistral's is made of
random weights (2 to 4 GB in a temporary folder, removed at the end). Exit code 0: eight callers
get at least 2.5 times the tokens a second of plain calls, none of them waits longer than 3 times
the median for its first word, and a known prefix starts at least 3 times sooner.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx
from generation_load import Load, fairness, prefixes, run_callers, waits

from sovereign_rag.answering.prompt import ANSWER, wording
from sovereign_rag.generation.compute_options import pinned
from sovereign_rag.generation.llama_cpp import LlamaCppModel
from sovereign_rag.generation.protocol import Message
from sovereign_rag.generation.tuning import Tuning
from sovereign_rag.models.inventory import verified_language_model
from sovereign_rag.settings import Settings, load_settings
from sovereign_rag.system.cpu import physical_cores

WORDS = "fox crow cheese river candle window tiger bread"
FILLER = "The tenant gives notice in writing, and the deposit is paid back within a month. "


@dataclass(frozen=True, slots=True)
class Row:
    name: str
    seconds: float
    cpu_s: float
    tokens: int
    first_s: tuple[float, ...]  # by caller

    @property
    def per_s(self) -> float:
        return self.tokens / self.seconds


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, help="a GGUF file; else the model of the settings")
    parser.add_argument("--shape", choices=["smollm2", "mistral-7b", "ministral-3b"])
    parser.add_argument("--callers", default="1,2,4,8", help="at once (1,2,4,8)")
    parser.add_argument("--tokens", type=int, default=64, help="written by each answer (64)")
    parser.add_argument("--prompt", type=int, default=32, help="tokens of each prompt, about (32)")
    parser.add_argument("--requests", type=int, default=8, help="in all, at most 8 (8)")
    parser.add_argument("--fairness", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--rounds", type=int, default=3, help="turns of each (3)")
    parser.add_argument("--prefix", type=int, default=1_500, help="known tokens; 0: not measured")
    parser.add_argument(
        "--tuned", action="store_true", help="measure the machine first, as an idle service does"
    )
    parser.add_argument("--effects", action="store_true", help="of repacking, waiting, threads")
    parser.add_argument("--server", help="address of a llama-server with the same model")
    parser.add_argument("--plain", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.plain:
        plain_calls(json.loads(given.plain))
        return 0
    with ExitStack() as stack:
        path = given.model
        if given.shape in ("mistral-7b", "ministral-3b"):
            path = stack.enter_context(synthetic(given.shape))
        settings = settings_for(path, given)
        if given.tuned:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            settings = settings.model_copy(update={"models_dir": folder})
            tune(settings)
        report = compare(settings, given)
    print(json.dumps(report, indent=1))
    good = (
        report["ratio_to_plain"] >= 2.5
        and report["first_token_slowest_to_median"] <= 3
        and report.get("prefix", {}).get("ratio", 3) >= 3
    )
    return 0 if good else 1


@contextmanager
def synthetic(shape: str) -> Iterator[Path]:
    from synthetic_gguf import write

    with tempfile.TemporaryDirectory(prefix="synthetic-") as folder:
        path = Path(folder) / f"{shape}.gguf"
        write(path, shape)
        yield path


def settings_for(path: Path | None, given: argparse.Namespace) -> Settings:
    generation = {
        "tune": False,
        "timeout_s": 3_600,
        "queue": 256,  # the greedy tenant of the fairness test asks for more than is usual
        "context_tokens": max(4_096, 2 * given.requests * (given.prompt + given.tokens)),
        **({"model": path} if path else {}),
    }
    return load_settings(overrides={"generation": generation})


def tune(settings: Settings) -> None:
    """Have the speed measured; what is kept in `models_dir` holds for the next engine."""
    header, sha256 = verified_language_model(settings)
    language_model = LlamaCppModel.open(settings)
    language_model.count_tokens(
        [Message("user", "It starts, and makes the copy that is measured.")]
    )
    language_model.close()
    Tuning.of(settings, header, sha256).measure()


def compare(settings: Settings, given: argparse.Namespace) -> dict[str, Any]:
    header, sha256 = verified_language_model(settings)
    prompts = [
        f"Tell a very long story about a {word}. " + FILLER * max(0, (given.prompt - 24) // 16)
        for word in WORDS.split()[: given.requests]
    ]
    system = wording("en", ANSWER).system
    load = Load(prompts, given.tokens, system)
    kept = Tuning.of(settings, header, sha256).kept()
    rows: dict[str, list[Row]] = {}
    language_model = LlamaCppModel.open(settings, public_prompts=[system])
    run_callers(language_model, Load(prompts, 2, system), len(prompts))
    for _ in range(given.rounds):
        for threads in (0, physical_cores()):
            name = f"plain calls, {threads or 'default'} threads"
            rows.setdefault(name, []).append(plain(name, header.path, load, threads))
        if given.server:
            rows.setdefault("llama-server", []).append(served(given.server, load))
        for callers in map(int, given.callers.split(",")):
            name = f"engine, {callers} callers"
            made = run_callers(language_model, load, callers)
            row = Row(name, made.seconds, made.cpu_s, made.tokens, made.first_s)
            rows.setdefault(name, []).append(row)
    report: dict[str, Any] = {
        "model": header.path.name,
        "sha256": sha256[:12],
        "cores": physical_cores(),
        "computing": asdict(pinned(settings.generation, header, kept)),
        "rows": [_told(name, made) for name, made in rows.items()],
    }
    engine = rows[f"engine, {given.callers.split(',')[-1]} callers"]
    alone = rows["plain calls, default threads"]
    report["ratio_to_plain"] = _ratio(engine, alone)
    report["ratios_to_plain"] = [
        round(a.per_s / b.per_s, 2) for a, b in zip(engine, alone, strict=True)
    ]
    report["ratio_to_plain_all_cores"] = _ratio(
        engine, rows[f"plain calls, {physical_cores()} threads"]
    )
    report["cpu_ratio_to_plain"] = round(_cpu(alone) / _cpu(engine), 2)
    report["first_token_slowest_to_median"] = round(
        max(max(row.first_s) / statistics.median(row.first_s) for row in engine), 2
    )
    if given.prefix:
        report["prefix"] = prefixes(language_model, tokens=given.prefix, filler=FILLER)
    if given.fairness:
        report["fairness"] = fairness(language_model, tokens=given.tokens // 4 or 1)
        report["waits"] = waits(language_model, tokens=given.tokens // 4 or 1)
    language_model.close()
    if given.effects:
        with tempfile.TemporaryDirectory() as folder:
            tried = Tuning(header, sha256, folder=Path(folder)).measure() or ()
        report["effects"] = [
            {
                "repack": speeds.choice.computing.repack,
                "waiting": speeds.choice.waiting,
                "threads": speeds.choice.computing.threads,
                "reads": round(speeds.read, 1),
                "writes": round(speeds.write, 1),
                "writes_8": round(speeds.wide, 1),
                # What a guess at the next seven words would have to get right to pay.
                "step_of_8_costs_steps": round(8 * speeds.write / speeds.wide, 1),
            }
            for speeds in tried
        ]
    return report


def plain(name: str, path: Path, load: Load, threads: int) -> Row:
    """One call after the other, in a process of its own, as a program without the engine would."""
    order = {
        "model": str(path),
        "prompts": list(load.prompts),
        "tokens": load.tokens,
        "system": load.system,
        "threads": threads,
    }
    made = subprocess.run(
        [sys.executable, __file__, "--plain", json.dumps(order)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        check=True,
    )
    return Row(name, **json.loads(made.stdout))


def plain_calls(order: Mapping[str, Any]) -> None:
    from llama_cpp import Llama

    threads = {"n_threads": order["threads"], "n_threads_batch": order["threads"]}
    model = Llama(
        order["model"], n_ctx=4_096, verbose=False, **(threads if order["threads"] else {})
    )
    system = {"role": "system", "content": order["system"]}
    known = [system, {"role": "user", "content": "Hello."}]
    model.create_chat_completion(known, max_tokens=2, temperature=0)
    begin, cpu, tokens, first = time.monotonic(), time.process_time(), 0, []
    for prompt in order["prompts"]:
        pieces = model.create_chat_completion(
            [system, {"role": "user", "content": prompt}],
            max_tokens=order["tokens"],
            temperature=0,
            stream=True,
        )
        written = 0
        for piece in pieces:
            if "content" in piece["choices"][0]["delta"]:  # the first names the role, the last why
                written += 1
                if written == 1:
                    first.append(time.monotonic() - begin)  # all had asked at the beginning
        tokens += written
    print(
        json.dumps(
            {
                "seconds": time.monotonic() - begin,
                "cpu_s": time.process_time() - cpu,
                "tokens": tokens,
                "first_s": first,
            }
        )
    )


def served(url: str, load: Load) -> Row:
    """All prompts at once to a llama-server; its CPU time is its own affair."""

    def one(prompt: str) -> tuple[int, float]:
        messages = [
            {"role": "system", "content": load.system},
            {"role": "user", "content": prompt},
        ]
        body = {"messages": messages, "max_tokens": load.tokens, "temperature": 0, "stream": True}
        first, count = 0.0, 0
        with httpx.stream("POST", f"{url}/v1/chat/completions", json=body, timeout=3_600) as reply:
            for line in reply.iter_lines():
                if line.startswith("data: {"):
                    delta = json.loads(line[6:])["choices"][0]["delta"]
                    if delta.get("content"):
                        first, count = first or time.monotonic() - begin, count + 1
        return count, first

    begin = time.monotonic()
    with ThreadPoolExecutor(len(load.prompts)) as pool:
        made = list(pool.map(one, load.prompts))
    seconds = time.monotonic() - begin
    first = tuple(first for _, first in made)
    return Row("llama-server", seconds, 0.0, sum(count for count, _ in made), first)


def _ratio(ours: Sequence[Row], theirs: Sequence[Row]) -> float:
    """Median over the rounds: what else the machine does is much the same within one."""
    pairs = zip(ours, theirs, strict=True)
    return round(statistics.median(a.per_s / b.per_s for a, b in pairs), 2)


def _cpu(rows: Sequence[Row]) -> float:
    """CPU seconds a token."""
    return statistics.median(row.cpu_s / row.tokens for row in rows)


def _told(name: str, rows: Sequence[Row]) -> dict[str, Any]:
    return {
        "name": name,
        "tokens_per_s": round(statistics.median(row.per_s for row in rows), 1),
        "cpu_ms_per_token": round(1_000 * _cpu(rows), 1),
        "cores_busy": round(statistics.median(row.cpu_s / row.seconds for row in rows), 2),
        "first_token_s_median": round(
            statistics.median(first for row in rows for first in row.first_s), 2
        ),
        "first_token_s_slowest": round(max(first for row in rows for first in row.first_s), 2),
    }


if __name__ == "__main__":
    sys.exit(main())
