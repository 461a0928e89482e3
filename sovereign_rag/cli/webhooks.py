"""`webhooks`: messages to other programs, what became of them, and sent again."""

from typing import Annotated

import typer

from sovereign_rag.access import DEFAULT_TENANT, local_owner
from sovereign_rag.cli.app import CommandRun, command, new_app
from sovereign_rag.cli.identity import Tenant
from sovereign_rag.cli.output import print_json, table

app = new_app("See whether the programs that are told of jobs and syncs get their messages.")


@command(
    app,
    "list",
    examples=("sovereign-rag webhooks list", "sovereign-rag webhooks list --state failed --json"),
)
def list_(
    run: CommandRun,
    state: Annotated[
        list[str] | None, typer.Option(help="Only these: waiting, delivered, failed.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=500, help="Most messages.")] = 50,
    after: Annotated[str | None, typer.Option(help="The `next` of the page before.")] = None,
    tenant: Tenant = DEFAULT_TENANT,
) -> None:
    """List messages, newest first, with what was last wrong with each."""
    from sovereign_rag.catalog.announcements import DeliveryState
    from sovereign_rag.errors import BadInput
    from sovereign_rag.services.serialization.webhooks import DeliveriesOut

    if unknown := sorted(set(state or ()) - set(DeliveryState)):
        raise BadInput(f"--state {unknown[0]}: it is one of {', '.join(DeliveryState)}.")
    states = [DeliveryState(one) for one in state] if state else None
    owner = local_owner(tenant)
    with run.open() as service:
        found, following = service.console.webhooks.page(
            owner, limit=limit, after=after, states=states
        )
        told = DeliveriesOut.page(service.console.webhooks.names(owner), found, following)
    if run.json:
        print_json(told.plain())
        return
    lines = (
        (
            one.id,
            one.webhook,
            one.event,
            f"{one.created:%Y-%m-%d %H:%M}",
            one.state.value,
            one.tries,
            one.error or "",
        )
        for one in told.deliveries
    )
    columns = ("message", "webhook", "event", "since (UTC)", "state", ">tries", "last error")
    run.out.print(table(columns, lines))
    if told.next is not None:
        run.note(f"There are more: --after {told.next}")


@command(app, "resend", examples=("sovereign-rag webhooks resend evt_0123",))
def resend(
    run: CommandRun,
    message: Annotated[str, typer.Argument(help="Its id, as `webhooks list` prints it.")],
    tenant: Tenant = DEFAULT_TENANT,
) -> None:
    """Send a message again, under the same id; `serve` or `worker` does so within seconds."""
    from sovereign_rag.services.serialization.webhooks import DeliveryOut

    with run.open() as service:
        waiting = DeliveryOut.of(service.console.webhooks.send_again(message, local_owner(tenant)))
    if run.json:
        print_json(waiting.plain())
    else:
        run.note(f"{waiting.id} waits to be sent to {waiting.webhook}.")


@command(app, "ping", examples=("sovereign-rag webhooks ping tickets",))
def ping(
    run: CommandRun,
    webhook: Annotated[str, typer.Argument(help="Its name in the settings.")],
    tenant: Tenant = DEFAULT_TENANT,
) -> None:
    """Send a message that says nothing but that it arrived."""
    with run.open() as service:
        id_ = service.console.webhooks.ping(webhook, local_owner(tenant))
    if run.json:
        print_json({"id": id_})
    else:
        run.note(f"{id_} waits to be sent to {webhook}; `webhooks list` tells what becomes of it.")
