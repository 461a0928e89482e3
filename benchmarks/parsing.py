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
import re
import sys
import time
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path

import sovereign_rag  # noqa: F401  - sets the switches that keep libraries offline
from ingest.parse.process.pool import ParserPool
from sovereign_rag.domain import ElementKind, ParsedDocument
from sovereign_rag.errors import DocumentError
from sovereign_rag.settings import ParseSettings

_QUOTES = str.maketrans(
    {
        **dict.fromkeys("‘’‚‛′´`", "'"),
        **dict.fromkeys("“”„‟″«»", '"'),
        **dict.fromkeys("‐‑‒–—−", "-"),
    }
)
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]")
_WORD = re.compile(r"\w+")


@dataclass(frozen=True, slots=True)
class Case:
    """A line of the manifest."""

    path: Path
    name: str  # as the manifest says it
    format: str
    must_contain: tuple[str, ...] = ()
    must_not_contain: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    min_share: float = 1.0
    true_text: Path | None = None
    kind: str | None = None
    expect: str = ""
    password: str | None = None

    @property
    def has_facts(self) -> bool:
        return bool(self.must_contain or self.must_not_contain or self.words or self.true_text)


@dataclass(slots=True)
class Result:
    """How the reading of a file ended."""

    path: str
    format: str
    status: str = "done"  # done, partial, failed
    reason: str = ""  # of DocumentError
    message: str = ""
    seconds: float = 0.0
    characters: int = 0
    hidden: int = 0  # characters in elements that a reader does not see
    facts: int = 0
    found: int = 0
    missing: list[str] = field(default_factory=list)
    word_share: float | None = None  # against the true text

    @property
    def complete(self) -> bool:
        return self.found == self.facts

    @property
    def has_text(self) -> bool:
        return self.characters > 0


def plain(text: str) -> str:
    """Text as it is compared."""
    text = text.replace("\0", "")
    text = _INVISIBLE.sub("", unicodedata.normalize("NFKC", text)).translate(_QUOTES)
    return " ".join(text.split())


def manifest(folder: Path) -> Iterator[Case]:
    """The cases of a folder. Raises SystemExit where it has no manifest."""
    file = folder / "MANIFEST.jsonl"
    if not file.is_file():
        raise SystemExit(f"{file} is not there; see --help for what it holds.")
    for line in file.read_text("utf-8").splitlines():
        row = json.loads(line)
        facts = row.get("facts") or {}
        truth = row.get("groundtruth_text")
        yield Case(
            path=_located(folder, row["path"]),
            name=row["path"],
            format=row.get("format") or Path(row["path"]).suffix.lstrip("."),
            must_contain=tuple(facts.get("must_contain") or row.get("must_contain") or ()),
            must_not_contain=tuple(facts.get("must_not_contain") or ()),
            words=tuple(facts.get("must_contain_words") or ()),
            min_share=float(facts.get("min_share", 1.0)),
            true_text=_located(folder, truth) if truth else None,
            kind=row.get("kind"),
            expect=row.get("expect") or "",
            password=row.get("password"),
        )


def _located(folder: Path, path: str) -> Path:
    """A path of the manifest, which counts from the folder or from the one above."""
    return next((p for p in (folder / path, folder.parent / path) if p.exists()), folder / path)


def read(pool: ParserPool, case: Case, *, password: str | None = None) -> Result:
    """Read a file and look for its facts."""
    result = Result(case.name, case.format)
    started = time.perf_counter()
    document: ParsedDocument | None = None
    try:
        document = pool.parse(case.path, name=case.path.name, password=password)
    except DocumentError as error:
        result.status, result.reason, result.message = "failed", error.reason, str(error)
    result.seconds = time.perf_counter() - started
    text = ""
    if document is not None:
        shown = [document.title or "", *document.properties.values()]
        shown += (f"{page.name or ''}\n{page.text}" for page in document.pages)
        text = plain("\n".join(shown))
        result.characters = sum(len(page.text) for page in document.pages)
        hidden = (e for e in document.elements if e.kind is ElementKind.HIDDEN)
        result.hidden = sum(e.end - e.start for e in hidden)
        if document.warnings:
            result.status, result.message = "partial", "; ".join(document.warnings)
    _compare(case, text, result)
    return result


def _compare(case: Case, text: str, result: Result) -> None:
    def count(found: bool, missing: str) -> None:
        result.facts += 1
        result.found += found
        if not found:
            result.missing.append(missing)

    # Cells stand apart by " | " in the stored text and by a tab in some facts: both are space.
    unruled = " ".join(text.replace(" | ", " ").split())
    for fact in case.must_contain:
        count(plain(fact) in text or plain(fact) in unruled, fact)
    for fact in case.must_not_contain:
        count(plain(fact) not in text, f"must not be there: {fact}")
    if case.words:
        gone = [word for word in case.words if plain(word) not in text]
        share = 1 - len(gone) / len(case.words)
        count(share >= case.min_share, f"{share:.1%} of words, without {', '.join(gone[:12])}")
    if case.true_text is not None:
        truth = _words(plain(case.true_text.read_text("utf-8", "replace")))
        read_words = _words(text)
        right = sum((truth & read_words).values())
        result.word_share = right / max(1, truth.total())


def _words(text: str) -> Counter[str]:
    return Counter(_WORD.findall(text.lower()))


def run(cases: Sequence[Case], jobs: int, work: Callable[[Case], Result]) -> list[Result]:
    """All cases, `jobs` at a time, with progress on the standard error."""
    counter = iter(range(1, len(cases) + 1))

    def one(case: Case) -> Result:
        result = work(case)
        if sys.stderr.isatty():
            print(f"\r{next(counter)}/{len(cases)} {case.name[:70]:70}", end="", file=sys.stderr)
        else:
            number = next(counter)
            if number % 50 == 0 or number == len(cases):
                print(f"{number}/{len(cases)} files", file=sys.stderr)
        return result

    with ThreadPoolExecutor(jobs) as threads:
        results = list(threads.map(one, cases))
    if sys.stderr.isatty():
        print(file=sys.stderr)
    return results


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
            import parsing_hostile

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
