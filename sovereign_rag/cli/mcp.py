"""`mcp`: the tools of the Model Context Protocol on standard input and output."""

import typer

from sovereign_rag.cli.app import CommandRun, command
from sovereign_rag.cli.identity import Asker

app = typer.Typer()


@command(
    app,
    "mcp",
    examples=(
        "sovereign-rag mcp --data-dir /srv/rag",
        "sovereign-rag mcp --as user:ana --groups hr",
        "sovereign-rag mcp --url https://rag.example.org --key-file ~/ana.key",
    ),
)
def mcp(
    run: CommandRun,
    *,
    asker: Asker,
) -> None:
    """Offer search, fetch, ask and list_documents to a program that starts this command.

    It speaks the Model Context Protocol on its input and output, until the input ends. Without
    --url it acts as the owner of the data folder, or as the user in --as. A service offers the
    same at /mcp.
    """
    named = run.service_address(asker)
    if named is None:
        with run.open() as service:
            from sovereign_rag.mcp.stdio import serve_folder
            from sovereign_rag.services.warming import warm_up

            warm_up(service)
            serve_folder(service, asker.principal())
    else:
        from sovereign_rag.mcp.stdio import serve_address

        serve_address(*named)
