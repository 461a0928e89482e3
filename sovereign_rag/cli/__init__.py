"""The command line. One file a noun; the heavy parts are imported when a command needs them."""

import sys
from collections.abc import Sequence

import typer

from sovereign_rag.cli import (
    ask,
    audit,
    config,
    doctor,
    documents,
    evaluate,
    ingest,
    jobs,
    keys,
    models,
    reindex,
    serve,
    sources,
    sync,
)
from sovereign_rag.cli.app import EXIT_CODES, CommandRun, command, new_app, print_error, take_common
from sovereign_rag.cli.output import print_json
from sovereign_rag.version import VERSION

NAME = "sovereign-rag"

app = new_app(
    "Answers from your own documents: every statement with its quote, document and page. "
    "Nothing leaves this machine."
)
take_common(
    app, epilog=f"Example:\n\n  {NAME} ask 'Wie lange ist die Kündigungsfrist?'\n\n{EXIT_CODES}"
)

for noun in (
    ingest,
    ask,
    documents,
    jobs,
    sync,
    sources,
    keys,
    models,
    reindex,
    audit,
    serve,
    config,
    doctor,
    evaluate,
):
    noun.register(app)


@command(app, "version", examples=(f"{NAME} version",))
def version(run: CommandRun) -> None:
    """Print the version."""
    if run.json:
        print_json({"version": VERSION})
    else:
        run.out.print(VERSION)


def main() -> None:
    """Entry point of the console script."""
    sys.exit(run_arguments(sys.argv[1:]))


def run_arguments(arguments: Sequence[str]) -> int:
    """Run one command line in this process; returns its exit code."""
    try:
        result = app(args=list(arguments), prog_name=NAME, standalone_mode=False)
    except typer.TyperException as error:  # wrong use
        if "--json" in arguments or not hasattr(error, "show"):
            print_error("BadInput", error.format_message(), as_json="--json" in arguments)
        else:
            error.show()
        return error.exit_code
    return result if isinstance(result, int) else 0
