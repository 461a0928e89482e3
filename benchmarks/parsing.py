"""How much of a folder of documents is read: facts found, files without text, seconds per file.

The folder holds a `MANIFEST.jsonl`, one object a line, with `path` (from the folder or the folder
above it) and `format`; and, each where known,

- `facts`: `must_contain` and `must_not_contain` (strings), or `must_contain_words` with
  `min_share`, the share of them that must be there;
- `groundtruth_text`: a file with all words of the document, for the share of words read;
- `kind`, `expect`, `password`: of a file that is broken or hostile on purpose, how its reading is
  to end. Such a folder gets another report: status, reason, seconds and memory of each file, and
  a listener on this machine that counts connections.

Texts are compared after Unicode's NFKC, with one kind of quote, dash and space and without control
characters. A file's title, its properties and the names of its pages count as its text.
"""

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path

import parsing_hostile
from parsing_cases import Result, manifest, read, run

import sovereign_rag  # noqa: F401  - sets the switches that keep libraries offline
from ingest.parse.process.pool import ParserPool
from sovereign_rag.settings import ParseSettings


def report(results: Sequence[Result]) -> dict[str, float]:
    """Print what was found by format and every miss; returns the figures that have floors."""
    by_format: dict[str, list[Result]] = defaultdict(list)
    for result in results:
        by_format[result.format].append(result)
    print(f"{'format':15}{'files':>6}{'facts found':>16}{'all facts':>14}{'text':>10}{'s/file':>8}")
    for name, group in sorted(by_format.items()):
        _row(name, group)
    _row("all", results)
    for result in sorted(results, key=lambda r: r.path):
        if not result.complete:
            print(f"miss {result.path}: {len(result.missing)} of {result.facts} facts")
            for fact in result.missing[:4]:
                print(f"     {fact[:150]!r}")
        if not result.has_text:
            print(f"no text {result.path}: {result.reason} {result.message[:150]}")
    partial = [r for r in results if r.status == "partial"]
    for result in partial:
        print(f"partial {result.path}: {result.message[:150]}")
    scored = [r for r in results if r.word_share is not None]
    for result in scored:
        if (result.word_share or 0.0) < 0.97:
            print(f"words {result.path}: {result.word_share:.1%} of the true words")
    known = [r for r in results if r.facts]
    return {
        "files_with_all_facts": _share(r.complete for r in known),
        "files_with_text": _share(r.has_text for r in results),
        "true_words": min(1.0, _mean(r.word_share or 0.0 for r in scored)),
    }


def _row(name: str, group: Sequence[Result]) -> None:
    known = [r for r in group if r.facts]
    found, facts = sum(r.found for r in known), sum(r.facts for r in known)
    share = f"{found / facts:7.1%}" if facts else "      -"
    complete = f"{sum(r.complete for r in known)}/{len(known)}"
    text = f"{sum(r.has_text for r in group)}/{len(group)}"
    seconds = _mean(r.seconds for r in group)
    print(f"{name:15}{len(group):6}{found:>8}{share:>8}{complete:>14}{text:>10}{seconds:8.2f}")


def _share(values: Iterable[bool]) -> float:
    return _mean(float(value) for value in values)


def _mean(values: Iterable[float]) -> float:
    listed = list(values)
    return sum(listed) / len(listed) if listed else 1.0


def main() -> int:
    arguments = _arguments()
    cases = list(manifest(arguments.folder))
    if arguments.only:
        cases = [c for c in cases if set(arguments.only) & {c.format, c.kind, Path(c.name).name}]
    settings = ParseSettings(
        workers=arguments.jobs, timeout_s=arguments.timeout, ocr=not arguments.no_ocr
    )
    with ParserPool(settings) as pool:
        if any(case.kind for case in cases):
            figures, results = parsing_hostile.measure(pool, cases, arguments.jobs)
        else:
            results = run(cases, arguments.jobs, lambda case: read(pool, case))
            figures = report(results)
    for name, value in figures.items():
        print(f"{name}: {value:.4g}")
    if arguments.json:
        rows = [asdict(result) for result in results]
        arguments.json.write_text(
            json.dumps({"figures": figures, "files": rows}, ensure_ascii=False, indent=1), "utf-8"
        )
    missed = [
        f"{name} is {figures.get(name, 0.0):.4g}, the floor is {floor:g}"
        for name, floor in (arguments.floor or ())
        if figures.get(name, 0.0) < floor
    ]
    print("\n".join(missed), file=sys.stderr)
    return 1 if missed else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="folder with MANIFEST.jsonl")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every result here")
    parser.add_argument("--jobs", type=int, default=2, help="files at the same time (2)")
    parser.add_argument("--timeout", type=float, default=300.0, help="seconds for a file (300)")
    parser.add_argument("--no-ocr", action="store_true", help="without recognition of scans")
    parser.add_argument(
        "--only", action="append", metavar="WHAT", help="a format, kind or file name; repeatable"
    )
    parser.add_argument(
        "--floor",
        action="append",
        type=_floor,
        metavar="FIGURE=VALUE",
        help="end with exit code 1 when a figure is lower, e.g. files_with_all_facts=0.97",
    )
    return parser.parse_args()


def _floor(text: str) -> tuple[str, float]:
    name, _, value = text.partition("=")
    return name, float(value)


if __name__ == "__main__":
    sys.modules["parsing"] = sys.modules["__main__"]  # so that the other report shares its types
    sys.exit(main())
