"""The command line. One file a noun; the heavy parts are imported when a command needs them."""

import sys
from collections.abc import Sequence

import typer

from sovereign_rag.cli import (
    access,
    ask,
    audit,
    backup,
    compliance,
    config,
    curated,
    directory,
    doctor,
    documents,
    dossier,
    encryption,
    evaluate,
    ingest,
    init,
    jobs,
    keys,
    mcp,
    models,
    privacy,
    reindex,
    retention,
    roles,
    serve,
    settings,
    sources,
    sync,
    usage,
    webhooks,
    workers,
)
from sovereign_rag.cli.app import EXIT_CODES, new_app, print_error, take_common
from sovereign_rag.system.garbage import collect_seldom

NAME = "sovereign-rag"

app = new_app(
    "Answers from your own documents: every statement with its quote, document and page. "
    "Nothing leaves this machine."
)
take_common(
    app, epilog=f"Example:\n\n  {NAME} ask 'Wie lange ist die Kündigungsfrist?'\n\n{EXIT_CODES}"
)

app.add_typer(init.app)
app.add_typer(ingest.app)
app.add_typer(ask.app)
app.add_typer(documents.app, name="documents")
app.add_typer(jobs.app, name="jobs")
app.add_typer(sync.app)
app.add_typer(sources.app, name="sources")
app.add_typer(keys.app, name="keys")
app.add_typer(roles.app, name="roles")
app.add_typer(directory.app, name="directory")
app.add_typer(access.app, name="access")
app.add_typer(curated.app, name="curated")
app.add_typer(usage.app)
app.add_typer(webhooks.app, name="webhooks")
app.add_typer(models.app, name="models")
app.add_typer(reindex.app, name="reindex")
app.add_typer(audit.app, name="audit")
app.add_typer(backup.app, name="backup")
app.add_typer(encryption.app, name="encryption")
app.add_typer(privacy.app)
app.add_typer(privacy.erased_app, name="erased")
app.add_typer(dossier.app, name="answers")
app.add_typer(retention.app, name="retention")
app.add_typer(compliance.app)
app.add_typer(compliance.egress_app, name="egress")
app.add_typer(serve.app)
app.add_typer(workers.app)
app.add_typer(mcp.app)
app.add_typer(settings.app, name="settings")
app.add_typer(config.app)
app.add_typer(doctor.app)
app.add_typer(evaluate.app, name="eval")


def main() -> None:
    """Entry point of the console script."""
    collect_seldom()
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
