"""`models`: which there are, how they come in, and whether they are the right ones."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from sovereign_rag.cli.app import CommandRun, command, new_app
from sovereign_rag.cli.catalogue import app as catalogue_app
from sovereign_rag.cli.exam import app as exam_app
from sovereign_rag.cli.exam import (
    exam_to_dict,
    examine_imported,
    in_words,
    kept_result,
    print_exam,
)
from sovereign_rag.cli.on_record import audited
from sovereign_rag.cli.output import facts, print_json, table
from sovereign_rag.cli.recogniser import app as recogniser_app
from sovereign_rag.cli.tune import app as tune_app
from sovereign_rag.errors import BadInput, ModelError

if TYPE_CHECKING:
    from sovereign_rag.exam.result import ExamResult
    from sovereign_rag.models.fetching import ByHand
    from sovereign_rag.models.manifest import ModelEntry
    from sovereign_rag.models.registry import ImportedModel

app = new_app("Choose, bring, list and verify models.")

_STATES = {
    "ok": Text("ok", "green"),
    "mismatch": Text("not the expected one", "red"),
    "unpinned": Text("no hash to compare with", "yellow"),
    "missing": Text("its file is gone", "red"),
}

ModelArgument = Annotated[
    str, typer.Argument(metavar="NAME", help="As `models catalogue` prints it.")
]
WithExam = Annotated[
    bool, typer.Option("--exam/--no-exam", help="Examine it at once, as `models exam` does.")
]


for part in (catalogue_app, tune_app, exam_app, recogniser_app):
    app.add_typer(part)


@command(
    app,
    "fetch",
    examples=(
        "sovereign-rag models fetch ministral-3-3b-instruct-2512-q4_k_m",
        "sovereign-rag models fetch mistral-7b-instruct-v0.3-q4_k_m --print",
        "sovereign-rag models fetch mistral-7b-instruct-v0.3-q4_k_m "
        "--mirror https://hub.example.org",
    ),
)
def fetch_(
    run: CommandRun,
    name: ModelArgument,
    mirror: Annotated[
        str | None,
        typer.Option(metavar="URL", help="A mirror that stands for the Hugging Face hub."),
    ] = None,
    token_file: Annotated[
        Path | None, typer.Option(help="File with a token for the hub or the mirror.")
    ] = None,
    print_: Annotated[
        bool, typer.Option("--print", help="Contact nobody; say what to carry by hand.")
    ] = False,
    exam: WithExam = True,
) -> None:
    """Download a model of the catalogue and import it: the one command that goes out.

    It asks the Hugging Face hub, or the mirror, for one file; a proxy in the environment is
    used. Only the file with the catalogue's hash is taken. Interrupted, it goes on where it
    stopped when it is called again.
    """
    from sovereign_rag.models import catalogue, fetching

    model = catalogue.require(name, catalogue.catalogue())
    by_hand = fetching.by_hand(model, mirror=mirror)
    if print_:
        _print_by_hand(run, by_hand)
        return
    token = _read_token(token_file)
    detail = {"model": model.name, "url": by_hand.url, "sha256": model.sha256}
    with audited(run, "models.fetch", detail):
        try:
            with _progress(run, "fetching") as progress:
                part = fetching.fetch(
                    model,
                    run.settings.models_dir,
                    mirror=mirror,
                    token=token,
                    progress=progress,
                )
        except ModelError:
            if not run.json:
                _print_by_hand(run, by_hand)
            raise
        source = f"hub {model.repository}@{model.revision}"
        imported = _import(run, part, name=model.name, source=source, move=True)
    _examine_and_show(run, imported, exam=exam)


@command(
    app,
    "import",
    examples=(
        "sovereign-rag models import /media/usb/Mistral-7B-Instruct-v0.3-Q4_K_M.gguf",
        "sovereign-rag models import own.gguf --name house-model --sha256 9f86d0…",
        "sovereign-rag models import own.gguf --signature model.sig --publisher-key publisher.pub",
        'sovereign-rag models import own.gguf --languages fr,de --limits "Tuned on our contracts."',
    ),
)
def import_(
    run: CommandRun,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A GGUF file.")],
    name: Annotated[
        str | None, typer.Option(help="What settings call it; unless said, made of the file's.")
    ] = None,
    sha256: Annotated[
        str | None, typer.Option(help="Its hash, where you know it; another one is refused.")
    ] = None,
    signature: Annotated[
        Path | None,
        typer.Option(help="Its publisher's signed manifest, as OpenSSF's model signing makes it."),
    ] = None,
    publisher_key: Annotated[
        Path | None, typer.Option(help="The publisher's public key, which signed that (PEM).")
    ] = None,
    languages: Annotated[
        str, typer.Option(help="Those it was made for, e.g. fr,de: a part of its passport.")
    ] = "",
    limits: Annotated[
        str, typer.Option(help="What it is not good for, in a sentence, for its passport.")
    ] = "",
    exam: WithExam = True,
) -> None:
    """Copy a model into the models folder: checked, hashed, and tried with one prompt.

    A file of the catalogue has to have the catalogue's hash. Of any other the hash that is
    found is recorded as yours, and holds from then on.
    """
    if (signature is None) != (publisher_key is None):
        raise BadInput("--publisher-key checks what --signature names: give both or neither.")
    said = (_codes(languages), " ".join(limits.split()))
    detail = {"file": str(file), "name": name, "sha256": sha256}
    if signature is not None:
        detail |= {"signature": str(signature), "publisher_key": str(publisher_key)}
    with audited(run, "models.import", detail) as outcome:
        signed = None
        if signature is not None and publisher_key is not None:
            from sovereign_rag.models.signature import signed_hashes

            signed = signed_hashes(signature, publisher_key)
        imported = _import(run, file, name=name, sha256=sha256, signed=signed, said=said)
        outcome |= {"name": imported.name, "sha256": imported.sha256}
    _examine_and_show(run, imported, exam=exam)


@command(app, "remove", examples=("sovereign-rag models remove house-model",))
def remove(
    run: CommandRun,
    name: Annotated[str, typer.Argument(metavar="NAME", help="As `models list` prints it.")],
) -> None:
    """Delete an imported model and its file."""
    from sovereign_rag.models.registry import Registry

    with audited(run, "models.remove", {"model": name}):
        removed = Registry(run.settings.models_dir).remove(name)
    if run.json:
        print_json({"removed": removed.name})
    else:
        run.note(f"Removed: {removed.name}")


@command(app, "list", examples=("sovereign-rag models list",))
def list_(run: CommandRun) -> None:
    """List the models in use and those imported, with where they came from and their hashes."""
    _show(run, fresh=False)


@command(app, "verify", examples=("sovereign-rag models verify",))
def verify(run: CommandRun) -> None:
    """Read every byte of the models again and compare their hashes with the expected ones.

    Exit code 3: a model is not the one that was expected.
    """
    if any(entry.state == "mismatch" for entry in _show(run, fresh=True)):
        raise ModelError(
            "A model is not the one that was expected. Bring the right file back, or put the "
            "new hash into the settings if the change is meant (the text recognition's: `models "
            "accept-recogniser`)."
        )


def _import(
    run: CommandRun,
    file: Path,
    *,
    name: str | None = None,
    sha256: str | None = None,
    source: str | None = None,
    signed: frozenset[str] | None = None,
    said: tuple[tuple[str, ...], str] = ((), ""),
    move: bool = False,
) -> "ImportedModel":
    from sovereign_rag.generation.smoke_test import try_model
    from sovereign_rag.models.importing import import_model
    from sovereign_rag.models.registry import Registry

    with _progress(run, "checking" if move else "copying") as progress:
        return import_model(
            file,
            Registry(run.settings.models_dir),
            try_out=try_model,
            name=name,
            sha256=sha256.lower() if sha256 else None,
            source=source,
            signed=signed,
            languages=said[0],
            limits=said[1],
            move=move,
            progress=progress,
        )


def _codes(languages: str) -> tuple[str, ...]:
    codes = tuple(code.strip().lower() for code in languages.split(",") if code.strip())
    if any(not (code.isascii() and code.isalpha() and 2 <= len(code) <= 3) for code in codes):
        raise BadInput(f"{languages!r} can't be a model's languages: codes, as in fr,de.")
    return codes


@contextmanager
def _progress(run: CommandRun, what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on stderr, on a terminal alone."""
    bar = Progress(
        TextColumn(what),
        BarColumn(),
        DownloadColumn(),
        TimeRemainingColumn(),
        console=run.err,
        transient=True,
        disable=run.json or not run.err.is_terminal,
    )
    task = bar.add_task(what, total=None)
    with bar:
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _examine_and_show(run: CommandRun, model: "ImportedModel", *, exam: bool) -> None:
    """It is imported, whatever becomes of the exam."""
    result = None
    try:
        if exam:
            result = examine_imported(run, model.name)
    finally:  # Ctrl-C among them
        _show_imported(run, model, result)


def _show_imported(run: CommandRun, model: "ImportedModel", result: "ExamResult | None") -> None:
    if run.json:
        print_json(
            {
                "imported": {
                    "name": model.name,
                    "sha256": model.sha256,
                    "hash_from": model.hash_from,
                    "size": model.size,
                    "architecture": model.architecture,
                    "context_tokens": model.context_tokens,
                    "licence": model.licence,
                    "source": model.source,
                },
                "exam": exam_to_dict(result) if result else None,
            }
        )
        return
    whose = "the catalogue's" if model.hash_from == "catalogue" else "recorded as yours"
    run.out.print(
        facts(
            {
                "name": model.name,
                "architecture": model.architecture,
                "context": f"{model.context_tokens:,} tokens",
                "licence": model.licence or "its file does not say",
                "sha256": f"{model.sha256} ({whose})",
            }
        )
    )
    if result is not None:
        print_exam(run, result)
    run.note(f'It was tried and speaks. To use it: [generation] model = "{model.name}"')


def _print_by_hand(run: CommandRun, by_hand: "ByHand") -> None:
    if run.json:
        print_json(
            {
                "url": by_hand.url,
                "file": by_hand.file,
                "size": by_hand.size,
                "sha256": by_hand.sha256,
                "commands": list(by_hand.commands),
            }
        )
        return
    download, check, bring = by_hand.commands
    run.out.print(f"On a machine with a way out ({by_hand.size / 1e9:.1f} GB):", soft_wrap=True)
    run.out.print(Text(f"  {download}\n  {check}"), soft_wrap=True)
    run.out.print("Carry the file over; on this machine:", soft_wrap=True)
    run.out.print(Text(f"  {bring}"), soft_wrap=True)


def _read_token(file: Path | None) -> str | None:
    if file is None:
        return None
    try:
        return file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ModelError(f"The token file {file} can't be read: {error}.") from error


def _show(run: CommandRun, *, fresh: bool) -> "tuple[ModelEntry, ...]":
    from sovereign_rag.models.inventory import all_models
    from sovereign_rag.models.recognition import recognition_entries

    used, others = all_models(run.settings, fresh=fresh)
    used += tuple(recognition_entries(run.settings, fresh=fresh))
    entries = used + others
    if run.json:
        print_json({"models": [_to_dict(run, e, e in used) for e in entries]})
        return entries
    rows = (
        (
            e.role if i < len(used) else Text("not in use", "dim"),
            e.name,
            _STATES[e.state],
            f"{e.size >> 20} MiB",
            e.licence,
            e.source,
            in_words(kept_result(run.settings, e)) if e.role == "generation" else "",
            e.sha256,
        )
        for i, e in enumerate(entries)
    )
    run.out.print(
        table(("role", "name", "state", ">size", "licence", "source", "exam", "sha256"), rows)
    )
    return entries


def _to_dict(run: CommandRun, entry: "ModelEntry", in_use: bool) -> dict[str, object]:
    result = kept_result(run.settings, entry)
    return {
        "id": entry.id,
        "role": entry.role,
        "name": entry.name,
        "in_use": in_use,
        "path": str(entry.path),
        "sha256": entry.sha256,
        "expected_sha256": entry.expected_sha256,
        "state": entry.state,
        "size": entry.size,
        "quantization": _quantization(entry),
        "licence": entry.licence,
        "source": entry.source,
        "languages": list(entry.languages),
        "known_limits": entry.limits,
        "exam": exam_to_dict(result) if result else None,
    }


def _quantization(entry: "ModelEntry") -> str | None:
    """How a language model's file says that its weights are stored; None: it does not."""
    from sovereign_rag.models.gguf_header import QUANTIZATIONS, read_header

    if entry.role != "generation" or not entry.sha256:
        return None
    code = read_header(entry.path).quantization
    return None if code is None else QUANTIZATIONS.get(code, f"llama.cpp's type {code}")
