"""`models accept-recogniser`: other data of the text recognition is meant."""

import typer

from sovereign_rag.cli.app import CommandRun, command
from sovereign_rag.cli.on_record import audited
from sovereign_rag.cli.output import print_json

app = typer.Typer()


@command(app, "accept-recogniser", examples=("sovereign-rag models accept-recogniser",))
def accept_recogniser(run: CommandRun) -> None:
    """Take Tesseract's data as it is now for the right one, after an upgrade for instance.

    A running service follows by itself; `jobs retry` takes up what failed meanwhile. The hashes
    before and after are on the audit record.
    """
    from sovereign_rag.models.recognition import changed_data
    from sovereign_rag.models.recognition_record import RecognitionRecord

    changed = changed_data(run.settings)
    told = {name: {"before": old, "now": new} for name, (old, new) in sorted(changed.items())}
    if changed:
        with audited(run, "models.accept_recogniser", {"files": told}):
            now = {name: new for name, (_, new) in changed.items()}
            RecognitionRecord(run.settings.models_dir).accept(now)
    if run.json:
        print_json({"accepted": told})
    elif not changed:
        run.note("Nothing to accept: each file is the one that was used before.")
    for name, (old, new) in sorted(changed.items()) if not run.json else ():
        run.note(f"Accepted: {name}.traineddata, {new} (before: {old})")
