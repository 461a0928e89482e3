"""`workers`: which processes share the catalog, and how much there is to do."""

import typer

from sovereign_rag.cli.app import CommandRun, command
from sovereign_rag.cli.output import moment, print_json, table

app = typer.Typer()


@command(app, "workers", examples=("sovereign-rag workers", "sovereign-rag workers --json"))
def workers(run: CommandRun) -> None:
    """List the services and workers that share the catalog, with what they have in hand.

    `waiting`, of --json, is what an autoscaler may go by: documents that nobody has begun.
    """
    with run.open() as service:
        found = service.catalog.processes.alive()
        queue = service.catalog.processes.queue()
        away = service.catalog.outages.current()
        ready = service.catalog.outages.awaiting()
    in_hand = {
        process.name: sum(
            count
            for worker, count in queue.in_hand.items()
            if worker.rpartition(":")[0] == process.name.rpartition(":")[0]
        )
        for process in found
    }
    if run.json:
        print_json(
            {
                "processes": [
                    {
                        "kind": process.kind,
                        "machine": process.hostname,
                        "pid": process.pid,
                        "version": process.version,
                        "data_dir": process.data_dir,
                        "started": process.started.isoformat(),
                        "seen": process.seen.isoformat(),
                        "in_hand": in_hand[process.name],
                    }
                    for process in found
                ],
                "waiting": queue.waiting,
                "in_hand": sum(queue.in_hand.values()),
                "ready_for_the_store": ready,
                "store_away_since": None if away is None else away.since.isoformat(),
            }
        )
        return
    if found:
        run.out.print(
            table(
                ("kind", "machine", "process", "version", "since", "last seen", "in hand"),
                [
                    (
                        process.kind,
                        process.hostname,
                        str(process.pid),
                        process.version,
                        moment(process.started.isoformat()),
                        moment(process.seen.isoformat()),
                        str(in_hand[process.name]),
                    )
                    for process in found
                ],
            )
        )
    else:
        run.note("No service and no worker runs over this catalog.")
    run.note(f"{queue.waiting} documents wait, {sum(queue.in_hand.values())} are in hand.")
    if away is not None:
        since = moment(away.since.isoformat())
        run.note(f"The vector store is away since {since}; {ready} documents are ready for it.")
        run.note(away.reason)
