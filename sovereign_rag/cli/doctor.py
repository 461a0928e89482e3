"""`doctor`: what is there, what is missing, and how to get it."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer
from rich.text import Text

import sovereign_rag
from sovereign_rag.cli.app import CommandRun, command
from sovereign_rag.cli.doctor_endpoints import endpoints_found
from sovereign_rag.cli.finding import Finding, State, directory_found
from sovereign_rag.cli.output import print_json, table
from sovereign_rag.cli.packages import NEEDED, NamedPackage, is_installed, stranger_named_ingest
from sovereign_rag.errors import EnvironmentFault, ParserUnavailable, SettingsError, SovereignError
from sovereign_rag.generation.protocol import CompletionRequest
from sovereign_rag.system.tesseract import installed_recogniser

if TYPE_CHECKING:
    from sovereign_rag.models.manifest import ModelEntry
    from sovereign_rag.settings import Settings
    from sovereign_rag.wiring import Application

app = typer.Typer()

_LEAST_FREE_MIB: Final = 512
_STYLES: Final = {"ok": "green", "missing": "red", "limited": "yellow"}


@command(app, "doctor", examples=("sovereign-rag doctor", "sovereign-rag doctor --json"))
def doctor(run: CommandRun) -> None:
    """Look at everything that is needed, and say how to get what is missing.

    Exit code 3: something needed is missing.
    """
    findings = list(_examine(run))
    if run.json:
        print_json({"checks": [_to_dict(finding) for finding in findings]})
    else:
        rows = ((Text(f.state, _STYLES[f.state]), f.name, f.detail, f.way_out) for f in findings)
        run.out.print(table(("state", "what", "found", "how to get it"), rows))
    missing = [finding.name for finding in findings if finding.state == "missing"]
    if missing:
        raise EnvironmentFault(
            f"Missing: {', '.join(missing)}. `sovereign-rag doctor` says how to get it."
        )


def _to_dict(finding: Finding) -> dict[str, str]:
    return {
        "check": finding.name,
        "state": finding.state,
        "detail": finding.detail,
        "how": finding.way_out,
    }


def _examine(run: CommandRun) -> Iterator[Finding]:
    settings = run.settings
    yield _python()
    yield from (_package(package) for package in NEEDED)
    yield _ingest_package()
    yield from _models(settings)
    yield from endpoints_found(settings)
    yield _tesseract(settings)
    yield _libmagic()
    yield _libreoffice()
    yield _data_folder(settings)
    yield _encryption(settings)
    yield from _opened(run)
    yield _store(settings)


def _python() -> Finding:
    version = ".".join(str(part) for part in sys.version_info[:3])
    if (3, 11) <= sys.version_info[:2] <= (3, 13):
        return Finding("Python", "ok", version)
    return Finding("Python", "missing", version, "install Python 3.11, 3.12 or 3.13")


def _package(package: NamedPackage) -> Finding:
    if is_installed(package.module):
        return Finding(f"package {package.module}", "ok", package.use)
    return Finding(
        f"package {package.module}",
        "missing",
        f"needed for {package.use}",
        "install the product again: pip install -c constraints.txt .",
    )


def _ingest_package() -> Finding:
    """`ingest` is a common word: something else of that name may be found first."""
    stranger = stranger_named_ingest(Path(sovereign_rag.__file__).parent.parent)
    if stranger is None:
        return Finding("package ingest", "ok", "reading documents")
    return Finding(
        "package ingest",
        "missing",
        f"{stranger} is found first",
        "move it away, or install the product in an environment of its own",
    )


def _models(settings: "Settings") -> Iterator[Finding]:
    from sovereign_rag.models.inventory import embedding_entry, generation_entry

    yield _model("embedding model", lambda: embedding_entry(settings), needed=True)
    if settings.generation.endpoint.urls:
        yield from _endpoints(settings)
        yield _exam(settings, "")
        return
    # Without one, answers are composed of extracts; a named one must be there.
    needed = settings.generation.model is not None
    found = _model("language model", lambda: generation_entry(settings), needed=needed)
    yield found
    if found.state == "ok":
        yield _engine(settings, needed=needed)
        yield _exam(settings, generation_entry(settings).sha256)


def _engine(settings: "Settings", *, needed: bool) -> Finding:
    """The language model is loaded as the service would, and asked for two words."""
    from sovereign_rag.generation.llama_cpp import LlamaCppModel
    from sovereign_rag.generation.protocol import Message

    name = "language model's engine"
    begin = time.monotonic()
    try:
        language_model = LlamaCppModel.open(settings)
        try:
            hello = [Message("user", "Say hello.")]
            written = list(
                language_model.stream(CompletionRequest(hello, tenant="doctor", max_tokens=2))
            )[-1]
        finally:
            language_model.close()
    except SovereignError as error:
        return Finding(name, "missing" if needed else "limited", "does not write", str(error))
    took_s = time.monotonic() - begin
    model = language_model.info.id
    return Finding(
        name,
        "ok",
        f"{model} wrote {written.completion_tokens} tokens {took_s:.1f} s after its start",
    )


def _exam(settings: "Settings", sha256: str) -> Finding:
    """Whose words answers are made of; "" for the hash of a server's model."""
    from sovereign_rag.cli.exam import in_words
    from sovereign_rag.exam.question_set import the_paper
    from sovereign_rag.exam.results_file import Exams, exam_key

    name = "answers"
    if settings.answer.kind != "auto":
        return Finding(name, "ok", f"{settings.answer.kind}: the setting answer.kind says so")
    key = exam_key(settings.generation.endpoint.model, sha256, settings.generation, the_paper())
    result = Exams(settings.models_dir).kept(key)
    if result is None:
        detail = "the model was not examined: its size or generation.endpoint.trusted decides"
        return Finding(name, "ok", detail, "sovereign-rag models exam")
    whose = "the model's words" if result.trust().trusted else "extracts"
    return Finding(name, "ok", f"{whose}: in its exam {in_words(result)}")


def _endpoints(settings: "Settings") -> Iterator[Finding]:
    """Each server of `generation.endpoint`; the product answers while one of them does."""
    from sovereign_rag.generation.endpoint import EndpointModel

    name = "language model endpoint"
    try:
        language_model = EndpointModel.open(settings.generation)
    except SovereignError as error:
        yield Finding(name, "missing", "not usable", str(error))
        return
    health = language_model.health()
    language_model.close()
    state: State = "limited" if any(one.ok for one in health) else "missing"
    way_out = "start it, or correct the section generation.endpoint"
    for one in health:
        found = f"{one.url}: {one.detail}"
        yield Finding(name, "ok", found) if one.ok else Finding(name, state, found, way_out)


def _model(name: str, find: "Callable[[], ModelEntry]", *, needed: bool) -> Finding:
    try:
        entry = find()
    except SovereignError as error:
        return Finding(name, "missing" if needed else "limited", "not usable", str(error))
    described = f"{entry.name}, {entry.size >> 20} MiB, {entry.source}"
    if entry.state == "mismatch":
        way_out = "bring the right file back; `sovereign-rag models verify` compares"
        return Finding(name, "missing", f"{described}: not the expected hash", way_out)
    return Finding(name, "ok", described)


def _tesseract(settings: "Settings") -> Finding:
    name = "text recognition"
    if not settings.parse.ocr:
        return Finding(name, "limited", "switched off", "set parse.ocr = true")
    wanted = settings.parse.ocr_languages.split("+")
    packages = " ".join(f"tesseract-ocr-{language}" for language in wanted)
    if shutil.which("tesseract") is None:
        detail = "Tesseract is missing: scans give no text"
        return Finding(name, "limited", detail, f"apt install tesseract-ocr {packages}")
    try:
        present = installed_recogniser().languages
    except (OSError, subprocess.SubprocessError) as error:
        return Finding(name, "limited", f"Tesseract fails: {error}", "install it again")
    lacking = [language for language in wanted if language not in present]
    if lacking:
        packages = " ".join(f"tesseract-ocr-{language}" for language in lacking)
        return Finding(name, "limited", f"no {', '.join(lacking)}", f"apt install {packages}")
    from sovereign_rag.models.recognition import RecognitionGuard

    if refusal := RecognitionGuard(settings).refusal():
        return Finding(name, "limited", "refused", refusal)
    return Finding(name, "ok", f"Tesseract with {', '.join(wanted)}")


def _libmagic() -> Finding:
    try:
        import magic

        magic.from_buffer(b"%PDF-1.7", mime=True)
    except (ImportError, OSError, AttributeError):
        detail = "needed to tell formats from their bytes"
        return Finding("libmagic", "missing", detail, "apt install libmagic1")
    return Finding("libmagic", "ok", "tells formats from their bytes")


def _libreoffice() -> Finding:
    found = shutil.which("soffice") or shutil.which("libreoffice")
    if found:
        return Finding("LibreOffice", "ok", found)
    detail = "DOC, PPT and other old office formats can't be read"
    way_out = "apt install --no-install-recommends libreoffice-writer libreoffice-impress"
    return Finding("LibreOffice", "limited", detail, way_out)


def _data_folder(settings: "Settings") -> Finding:
    folder = settings.data_dir
    place = next(parent for parent in (folder, *folder.parents) if parent.exists())
    if not os.access(place, os.W_OK | os.X_OK):
        detail = f"{folder}: this user may not write there"
        return Finding("data folder", "missing", detail, "choose another one with --data-dir")
    free_mib = shutil.disk_usage(place).free >> 20
    if free_mib < _LEAST_FREE_MIB:
        detail = f"{folder}: only {free_mib} MiB are free"
        return Finding("data folder", "missing", detail, "make room, or choose another disk")
    return Finding("data folder", "ok", f"{folder}, {free_mib >> 10} GiB free")


def _encryption(settings: "Settings") -> Finding:
    from sovereign_rag.cli.encryption import looked_at

    return Finding("encryption at rest", *looked_at(settings))


def _opened(run: CommandRun) -> Iterator[Finding]:
    """What shows only when the data folder is opened: the catalog, and the parser's sandbox."""
    try:
        with run.open() as service:
            yield Finding("catalog", "ok", "opened; its tables are of this version")
            yield from _outage(service)
            yield from _machines(service)
            yield from erasures_found(service)
            yield from _bucket(service)
            yield from directory_found(service)
            yield _parser(service, run.settings.parse.sandbox)
            yield _index(service)
            yield _readings(service)
    except (SovereignError, ImportError, OSError) as error:
        yield Finding("catalog", "missing", "can't be opened", str(error))


def _outage(service: "Application") -> Iterator[Finding]:
    """Whether ingestion found the vector store away, and has not found it back."""
    found = service.catalog.outages.current()
    if found is None:
        return
    ready = service.catalog.outages.awaiting()
    told = f"away since {found.since:%Y-%m-%d %H:%M:%S} UTC; {ready} documents are ready for it"
    way_out = f"{found.reason} Workers look again by themselves, every second"
    yield Finding("ingestion", "limited", told, way_out)


def _machines(service: "Application") -> Iterator[Finding]:
    """Whether more machines share the catalog than can."""
    from sovereign_rag.services.presence import refuse_second_machine, this_host

    found = service.catalog.processes.alive()
    try:
        refuse_second_machine(service.settings, this_host(), found)
    except SettingsError as error:
        yield Finding("machines", "missing", "several, over what one alone can have", str(error))
        return
    names = sorted({process.hostname for process in found})
    if len(names) > 1:
        yield Finding("machines", "ok", f"{', '.join(names)} share the catalog")


def erasures_found(service: "Application") -> Iterator[Finding]:
    """Whether a machine has words on its record that were erased on another."""
    waited = service.catalog.erasures.outstanding()
    if waited:
        told = ", ".join(f"{writer}: {count}" for writer, count in waited.items())
        way_out = "start that machine, or `sovereign-rag erased write-off` if it is gone for good"
        yield Finding("erasures", "limited", f"not followed yet by {told}", way_out)


def _bucket(service: "Application") -> Iterator[Finding]:
    """Whether the object storage answers, and keeps nothing of what is erased."""
    place = service.settings.content.url
    if place is None:
        return
    try:
        kept = service.content.keeps_what_is_erased()
    except EnvironmentFault as error:
        yield Finding("content", "missing", place, str(error))
        return
    if kept:
        told = f"{place} keeps older versions of objects, so the bytes of erased documents stay"
        way_out = "turn versioning off, or have older versions removed after days (lifecycle)"
        yield Finding("content", "limited", told, way_out)
    else:
        yield Finding("content", "ok", place)


def _parser(service: "Application", policy: str) -> Finding:
    """A document's process as it would be, with the layers that this machine gives it."""
    try:
        found = service.parser.protections()
        return _sandbox(found.missing, found.shared, policy)
    except ParserUnavailable as error:
        return Finding("parser", "missing", "reads no document here", str(error))


def _index(service: "Application") -> Finding:
    """Whether the index is the one that the settings want."""
    try:
        differences = service.indexes.differences()
    except SovereignError as error:
        return Finding("index", "missing", "can't be used", str(error))
    if not differences:
        return Finding("index", "ok", "made as the settings want it")
    told = ", ".join(
        f"{name} {is_}, wanted {wanted}" for name, (is_, wanted) in differences.items()
    )
    return Finding("index", "limited", told, "sovereign-rag reindex, or set the settings back")


def _readings(service: "Application") -> Finding:
    """Whether the documents were read by the parser of today."""
    outdated = service.rereading.count_outdated()
    if not outdated:
        return Finding("stored texts", "ok", "read by the parser of today")
    found = f"{outdated} documents were read by another parser than today's"
    return Finding("stored texts", "limited", found, "sovereign-rag documents reread --outdated")


def _sandbox(missing: Iterable[str], shared: Iterable[str], policy: str) -> Finding:
    lacking, seen = ", ".join(missing), " and ".join(shared)
    if not lacking:
        without = f"; {seen} of this machine can be asked for, it allows no namespaces"
        told = f"every layer stands{without if seen else ''}"
        return Finding("parser's sandbox", "ok", told)
    return Finding(
        "parser's sandbox",
        "missing" if policy == "required" else "limited",
        f"this kernel or container gives no {lacking}",
        "a Linux kernel from 5.13 on, and a container that allows landlock and seccomp",
    )


def _store(settings: "Settings") -> Finding:
    from sovereign_rag.store.connect import node_states

    if not settings.store.addresses:
        return Finding("vector store", "ok", "embedded in the data folder")
    states = node_states(settings)
    told = "; ".join(f"{address}: {state}" for address, state in states.items())
    away = [address for address, state in states.items() if not state.startswith("ready")]
    if not away:
        return Finding("vector store", "ok", told)
    state: State = "missing" if len(away) == len(states) else "limited"
    return Finding(
        "vector store", state, told, "start or upgrade that server, or correct store.url"
    )
