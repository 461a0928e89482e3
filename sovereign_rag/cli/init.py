"""`init`: what every process needs, made once and before the first of them."""

import typer

from sovereign_rag.cli.app import CommandRun, command
from sovereign_rag.cli.output import print_json

app = typer.Typer()


@command(app, "init", examples=("sovereign-rag init",))
def init(run: CommandRun) -> None:
    """Make the catalog and the collection that searches go to, or bring them up to date.

    Services and workers do so when they start, one at a time; run it first where several start at
    once, or where a cluster takes long to agree. Doing it again changes nothing.
    """
    with run.open() as service:
        service.indexes.prepare()
        record = service.catalog.indexes.live()
        place = service.settings.store.url or "the data folder"
    if run.json:
        print_json({"collection": record.collection, "store": place})
    else:
        run.note(f"The collection {record.collection} is ready in {place}.")
