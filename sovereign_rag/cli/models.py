"""`models`: which models are in use, and whether they are the right ones."""

from typing import TYPE_CHECKING

import typer
from rich.text import Text

from sovereign_rag.cli.app import Run, command, new_app
from sovereign_rag.cli.output import print_json, table
from sovereign_rag.errors import ModelError

if TYPE_CHECKING:
    from sovereign_rag.models.manifest import ModelEntry

_STATES = {
    "ok": Text("ok", "green"),
    "mismatch": Text("not the expected one", "red"),
    "unpinned": Text("no hash to compare with", "yellow"),
}


def register(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    models = new_app("List and verify the models in use.")
    app.add_typer(models, name="models")

    @command(models, "list", examples=("sovereign-rag models list",))
    def list_(run: Run) -> None:
        """List the models that the settings name, with where they came from and their hashes."""
        _show(run, fresh=False)

    @command(models, "verify", examples=("sovereign-rag models verify",))
    def verify(run: Run) -> None:
        """Read every byte of the models again and compare their hashes with the expected ones.

        Exit code 3: a model is not the one that was expected.
        """
        if any(entry.state == "mismatch" for entry in _show(run, fresh=True)):
            raise ModelError(
                "A model is not the one that was expected. Bring the right file back, or put the "
                "new hash into the settings if the change is meant."
            )


def _show(run: Run, *, fresh: bool) -> "tuple[ModelEntry, ...]":
    from sovereign_rag.models.inventory import models_in_use

    entries = models_in_use(run.settings, fresh=fresh)
    if run.json:
        print_json({"models": [_to_dict(entry) for entry in entries]})
        return entries
    rows = (
        (e.role, e.name, _STATES[e.state], f"{e.size >> 20} MiB", e.licence, e.source, e.sha256)
        for e in entries
    )
    run.out.print(table(("role", "name", "state", ">size", "licence", "source", "sha256"), rows))
    return entries


def _to_dict(entry: "ModelEntry") -> dict[str, object]:
    return {
        "role": entry.role,
        "name": entry.name,
        "path": str(entry.path),
        "sha256": entry.sha256,
        "expected_sha256": entry.expected_sha256,
        "state": entry.state,
        "size": entry.size,
        "licence": entry.licence,
        "source": entry.source,
    }
