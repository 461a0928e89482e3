"""The files that the parser is measured by: what each is to hold, and how its reading ended."""

import json
import re
import sys
import time
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from ingest.parse.process.pool import ParserPool
from sovereign_rag.domain import ElementKind, ParsedDocument
from sovereign_rag.errors import DocumentError

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
