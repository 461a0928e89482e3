"""How fast documents are taken in, and with how much memory, against what could be and a peer.

On the same files, in one run, one after the other, each in a process of its own:

- ours: the whole way of a document, through jobs, parser, chunks, vectors, into the store;
- the floor: our parser alone, one document a core, plus the embedding model alone on the chunks
  that ours made, longest first, in the batch size that proves best on a sample. Both keep all
  cores busy, so no order of the two could take less than their sum;
- the peer: `unstructured.partition.auto.partition` (PDFs by its strategy "fast", the one that
  needs no model from a hub) and LlamaIndex's `IngestionPipeline` with its `SentenceSplitter`, the
  same embedding model in LlamaIndex's batch size, and its `SimpleVectorStore`. Its chunks are as
  long as ours, counted in the model's tokens: with the splitter's default of 1,024 the model would
  cut off the second half of each.

Loading programs and models isn't counted: each part warms up on a small document first. CPU time
is that of all processes of a part, memory their peak together with shared pages counted once,
looked at every second. On a machine that others use, too, compare the CPU times.
"""

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # the package has no types

import sovereign_rag  # sets the switches that keep libraries offline
from sovereign_rag.settings import Settings, load_settings

_WARM_UP = "# Rules\n\nThe door is closed at nine in the evening.\n"
_OVERLAP = 20  # LlamaIndex's own, in tokens
_PEER_BATCH = 10  # likewise, texts
_BATCHES = (4, 8, 16, 32)
_SAMPLE = 48  # texts that choose the batch
_LOOK_EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class Measured:
    """What a part did, in how much time; memory is added by whoever watched."""

    pages: int
    chunks: int
    seconds: float
    cpu_s: float
    failed: int = 0
    note: str = ""
    peak_mib: int = 0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns 1 where a target given by `--check` is missed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="documents; all files below it with --suffix")
    parser.add_argument("--suffix", default="pdf", help="of the files (default: pdf)")
    parser.add_argument(
        "--files", type=int, metavar="N", help="a random N of them, always the same"
    )
    parser.add_argument("--without-peer", action="store_true", help="ours and the floor alone")
    parser.add_argument(
        "--peer-path",
        type=Path,
        metavar="DIR",
        help="packages for the peer alone: what unstructured[pdf] needs and this product does not",
    )
    parser.add_argument("--json", action="store_true", help="print figures, not a table")
    parser.add_argument("--check", action="store_true", help="fail below 0.85 of floor, 3 of peer")
    parser.add_argument("--part", choices=sorted(_PARTS), help=argparse.SUPPRESS)
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args(arguments)
    if chosen.part:
        files = [Path(line) for line in (chosen.work / "files").read_text().splitlines()]
        print(json.dumps(asdict(_PARTS[chosen.part](files, chosen.work))))
        return 0
    files = sorted(chosen.folder.rglob(f"*.{chosen.suffix}"))
    if chosen.files and chosen.files < len(files):
        files = sorted(random.Random(0).sample(files, chosen.files))
    if not files:
        parser.error(f"no *.{chosen.suffix} below {chosen.folder}")
    parts = ["ours", "texts", "parser", "model"] + ([] if chosen.without_peer else ["peer"])
    with tempfile.TemporaryDirectory(prefix="benchmark-") as work:
        (Path(work) / "files").write_text("\n".join(str(path.resolve()) for path in files))
        measured = {part: _run(part, Path(work), chosen.peer_path) for part in parts}
    del measured["texts"]
    figures = _figures(measured, len(files))
    print(json.dumps(figures, indent=2) if chosen.json else _table(measured, figures))
    ratios = figures["ratios"]
    assert isinstance(ratios, dict)
    missed = ratios["of_floor_cpu"] < 0.85 or ratios.get("of_peer_pages_per_s", 3) < 3
    return 1 if chosen.check and missed else 0


def _run(part: str, work: Path, peer_path: Path | None) -> Measured:
    """Run a part in a process of its own and watch its memory."""
    # -P: this file is not to be taken for the package of the same name
    script = str(Path(__file__).resolve())
    command = [sys.executable, "-P", script, str(work), "--part", part]
    paths = [str(Path(sovereign_rag.__file__).parent.parent)]
    if part == "peer" and peer_path is not None:
        paths.append(str(peer_path.resolve()))
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    environment = {
        **kept,
        **sovereign_rag.system.offline.for_child(),
        "PYTHONPATH": os.pathsep.join(paths),
    }
    print(f"{part} ...", file=sys.stderr, flush=True)
    with subprocess.Popen(
        [*command, "--work", str(work)], stdout=subprocess.PIPE, env=environment
    ) as process:
        peak = 0
        try:
            while process.poll() is None:
                peak = max(peak, _memory(process.pid))
                time.sleep(_LOOK_EVERY_S)
        finally:
            process.kill()  # where this command was interrupted
        assert process.stdout is not None
        said = process.stdout.read()
    if process.returncode:
        raise SystemExit(f"The part {part!r} failed; what it said stands above.")
    return Measured(**{**json.loads(said.splitlines()[-1]), "peak_mib": peak >> 20})


def _memory(pid: int) -> int:
    """Bytes of a process and its descendants, a shared page counted once."""
    total = 0
    with suppress(psutil.Error):  # it has ended
        root = psutil.Process(pid)
        for process in (root, *root.children(recursive=True)):
            with suppress(psutil.Error):  # likewise
                total += process.memory_full_info().pss
    return total


def _cpu_s() -> float:
    """CPU seconds of this process and its descendants, also of those that have ended."""
    root, total = psutil.Process(), 0.0
    for process in (root, *root.children(recursive=True)):
        with suppress(psutil.Error):  # it has ended: its parent's times hold its own
            total += sum(process.cpu_times()[:4])  # own and of children that were waited for
    return total


def _timed(work: Callable[[], tuple[int, int, int, str]]) -> Measured:
    begin, cpu = time.monotonic(), _cpu_s()
    pages, chunks, failed, note = work()
    seconds, cpu_s = time.monotonic() - begin, _cpu_s() - cpu
    return Measured(pages, chunks, round(seconds, 2), round(cpu_s, 2), failed, note)


def _settings(folder: Path) -> Settings:
    own = load_settings()
    return load_settings(overrides={"data_dir": folder, "models_dir": own.models_dir})


def _small_document(folder: Path) -> Path:
    path = folder / "warm-up.md"
    path.write_text(_WARM_UP, encoding="utf-8")
    return path


def _ours(files: Sequence[Path], work: Path) -> Measured:
    from sovereign_rag.access import local_owner
    from sovereign_rag.wiring import open_service

    owner = local_owner()
    with open_service(_settings(work / "data")) as application:
        application.ingestion.ingest([_small_document(work)], owner)

        def everything() -> tuple[int, int, int, str]:
            tasks = application.ingestion.ingest(files, owner).tasks
            bad = [task.name for task in tasks if task.document_id is None]
            return sum(t.pages for t in tasks), sum(t.chunks for t in tasks), len(bad), ""

        return _timed(everything)


def _texts(files: Sequence[Path], work: Path) -> Measured:
    """What was embedded, cut anew from the stored texts; nobody's time or memory counts it."""
    import orjson
    import zstandard

    from ingest.chunk import chunk
    from sovereign_rag.embedding.dense import DenseEmbedder
    from sovereign_rag.storage.parsed_texts import decode_parsed

    settings, texts = _settings(work / "data"), list[str]()
    count = DenseEmbedder.open(settings).count_tokens
    for path in sorted((work / "data" / "content").rglob("*.json.zst")):
        stored = zstandard.ZstdDecompressor().decompress(path.read_bytes())
        parsed = decode_parsed(orjson.loads(stored))
        parts = chunk("", "", parsed, count_tokens=count, settings=settings.chunk)
        texts += [part.embedded_text for part in parts]
    (work / "texts.json").write_text(json.dumps(texts))
    return Measured(0, len(texts), 0, 0)


def _parser(files: Sequence[Path], work: Path) -> Measured:
    from ingest.parse.process.pool import ParserPool
    from sovereign_rag.errors import DocumentError

    with ParserPool(_settings(work / "data").parse) as pool:
        pool.parse(_small_document(work), name="warm-up.md")

        def pages(path: Path) -> int:
            try:
                return len(pool.parse(path, name=path.name).pages)
            except DocumentError:
                return -1

        def everything() -> tuple[int, int, int, str]:
            with ThreadPoolExecutor(os.cpu_count()) as threads:
                counts = list(threads.map(pages, files))
            return sum(c for c in counts if c > 0), 0, counts.count(-1), ""

        return _timed(everything)


def _model(files: Sequence[Path], work: Path) -> Measured:
    from sentence_transformers import SentenceTransformer

    from sovereign_rag.embedding.dense import DenseEmbedder
    from sovereign_rag.embedding.folder import read_folder
    from sovereign_rag.models import bundled

    settings = _settings(work / "data")
    folder = settings.embedding.model or bundled.multilingual_e5_small(settings.models_dir)
    prefix = read_folder(folder).passage_prefix
    count = DenseEmbedder.open(settings).count_tokens
    model = SentenceTransformer(str(folder), device="cpu", local_files_only=True)
    texts = [prefix + text for text in json.loads((work / "texts.json").read_text())]
    lengths = dict(zip(texts, count(texts), strict=True))
    texts.sort(key=lambda text: -lengths[text])

    def embedding(batch: int, some: list[str]) -> Measured:
        def everything() -> tuple[int, int, int, str]:
            model.encode(some, batch_size=batch, show_progress_bar=False)
            return 0, len(some), 0, f"batch of {batch}"

        return _timed(everything)

    sample = texts[:: max(1, len(texts) // _SAMPLE)]
    embedding(8, sample[-4:])
    best = min(_BATCHES, key=lambda batch: embedding(batch, sample).cpu_s)
    return embedding(best, texts)


def _peer(files: Sequence[Path], work: Path) -> Measured:
    from ingest.parse.document import nlp

    nlp.install()  # instead of a language model that unstructured would download
    from llama_index.core import Document
    from llama_index.core.base.embeddings.base import BaseEmbedding
    from llama_index.core.ingestion import IngestionPipeline
    from llama_index.core.node_parser import SentenceSplitter
    from llama_index.core.vector_stores import SimpleVectorStore
    from sentence_transformers import SentenceTransformer
    from unstructured.partition.auto import partition

    from sovereign_rag.embedding.folder import read_folder
    from sovereign_rag.models import bundled

    settings = _settings(work / "data")
    folder = settings.embedding.model or bundled.multilingual_e5_small(settings.models_dir)
    described = read_folder(folder)
    model = SentenceTransformer(str(folder), device="cpu", local_files_only=True)

    class Embedding(BaseEmbedding):  # type: ignore[misc]  # untyped here
        def _get_text_embeddings(self, texts: list[str]) -> list[list[float]]:
            prefixed = [described.passage_prefix + text for text in texts]
            numbers: list[list[float]] = model.encode(prefixed, show_progress_bar=False).tolist()
            return numbers

        def _get_text_embedding(self, text: str) -> list[float]:
            return self._get_text_embeddings([text])[0]

        def _get_query_embedding(self, query: str) -> list[float]:
            return self._get_text_embedding(query)

        async def _aget_query_embedding(self, query: str) -> list[float]:
            return self._get_text_embedding(query)

    pipeline = IngestionPipeline(
        transformations=[
            SentenceSplitter(
                chunk_size=settings.chunk.max_tokens,
                chunk_overlap=_OVERLAP,
                tokenizer=lambda text: (
                    described.tokenizer.encode(text, add_special_tokens=False).ids
                ),
            ),
            Embedding(embed_batch_size=_PEER_BATCH),
        ],
        vector_store=SimpleVectorStore(),
    )

    def take_in(path: Path) -> tuple[int, int, bool]:
        fast = {"strategy": "fast"} if path.suffix == ".pdf" else {}
        try:
            elements = partition(filename=str(path), languages=["eng"], **fast)
        except Exception as error:  # the peer's failures are counted, whatever they are
            print(f"peer: {path.name}: {error!r}", file=sys.stderr)
            return 0, 0, True
        text = "\n\n".join(str(element) for element in elements)
        numbers = {element.metadata.page_number for element in elements} - {None}
        nodes = pipeline.run(documents=[Document(text=text)]) if text else []
        return len(numbers), len(nodes), not text

    take_in(_small_document(work))
    take_in(files[0])  # its modules for the format

    def everything() -> tuple[int, int, int, str]:
        done = [take_in(path) for path in files]
        return sum(d[0] for d in done), sum(d[1] for d in done), sum(d[2] for d in done), ""

    return _timed(everything)


def _figures(measured: dict[str, Measured], files: int) -> dict[str, object]:
    ours, parser, model = measured["ours"], measured["parser"], measured["model"]
    floor_memory = max(parser.peak_mib + model.peak_mib, 1)
    ratios = {
        "of_floor_wall": (parser.seconds + model.seconds) / ours.seconds,
        "of_floor_cpu": (parser.cpu_s + model.cpu_s) / ours.cpu_s,
        "memory_to_floor": ours.peak_mib / floor_memory,
    }
    if peer := measured.get("peer"):
        # Each by the pages that it gave text of: what the peer fails at costs it no time.
        more = ours.pages / max(1, peer.pages)
        ratios["of_peer_pages_per_s"] = more * peer.seconds / ours.seconds
        ratios["of_peer_pages_per_cpu_s"] = more * peer.cpu_s / ours.cpu_s
        ratios["memory_to_peer"] = ours.peak_mib / max(peer.peak_mib, 1)
    return {
        "files": files,
        "cores": os.cpu_count(),
        "load_average": os.getloadavg()[1],
        "parts": {part: asdict(one) for part, one in measured.items()},
        "ratios": {name: round(ratio, 3) for name, ratio in ratios.items()},
    }


def _table(measured: dict[str, Measured], figures: dict[str, object]) -> str:
    pages = measured["ours"].pages
    lines = [f"{figures['files']} files, {pages} pages, {figures['cores']} cores"]
    lines.append("part    seconds  CPU s   pages  pages/s  chunks/s  chunks  failed  peak MiB")
    for part, one in measured.items():
        lines.append(
            f"{part:7} {one.seconds:7.1f} {one.cpu_s:6.1f} {one.pages or pages:7} "
            f"{(one.pages or pages) / one.seconds:8.2f} "
            f"{one.chunks / one.seconds:9.2f} {one.chunks:7} {one.failed:7} {one.peak_mib:9} "
            f"{one.note}"
        )
    ratios = figures["ratios"]
    assert isinstance(ratios, dict)
    return "\n".join([*lines, *(f"{name:24} {ratio:.2f}" for name, ratio in ratios.items())])


_PARTS: dict[str, Callable[[Sequence[Path], Path], Measured]] = {
    "ours": _ours,
    "texts": _texts,
    "parser": _parser,
    "model": _model,
    "peer": _peer,
}

if __name__ == "__main__":
    sys.exit(main())
