"""Messages to webhooks over HTTP, for admins: what became of them, and sent again."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from starlette.responses import Response

from sovereign_rag.api.schemas import refusals, reply
from sovereign_rag.catalog.announcements import DeliveryState
from sovereign_rag.http.identity import CurrentPrincipal, CurrentService
from sovereign_rag.services.serialization.webhooks import DeliveriesOut, DeliveryOut, PingOut

router = APIRouter(tags=["Webhooks"])

DeliveryId = Annotated[str, Path(max_length=36, description="The message's id.")]


@router.get("/v1/webhooks/deliveries", response_model=DeliveriesOut, responses=refusals(404))
def list_webhook_deliveries(
    principal: CurrentPrincipal,
    service: CurrentService,
    state: Annotated[
        list[DeliveryState] | None, Query(description="Only these states; may be repeated.")
    ] = None,
    limit: Annotated[int, Query(ge=1, le=500, description="Most messages to return.")] = 50,
    after: Annotated[
        str | None, Query(max_length=36, description="The `next` of the page before.")
    ] = None,
) -> Response:
    """List messages to the tenant's webhooks, newest first, with what was last wrong."""
    found, following = service.console.webhooks.page(
        principal, limit=limit, after=after, states=state
    )
    return reply(DeliveriesOut.page(service.console.webhooks.names(principal), found, following))


@router.post(
    "/v1/webhooks/deliveries/{delivery_id}/resend",
    response_model=DeliveryOut,
    responses=refusals(404),
)
def resend_webhook_delivery(
    delivery_id: DeliveryId, principal: CurrentPrincipal, service: CurrentService
) -> Response:
    """Send a message again, under the same id: its tries begin anew."""
    return reply(DeliveryOut.of(service.console.webhooks.send_again(delivery_id, principal)))


@router.post(
    "/v1/webhooks/{name}/ping", status_code=202, response_model=PingOut, responses=refusals(404)
)
def ping_webhook(
    name: Annotated[str, Path(max_length=64, description="Its name in the settings.")],
    principal: CurrentPrincipal,
    service: CurrentService,
) -> Response:
    """Send a message that says nothing but that it arrived."""
    return reply(PingOut(id=service.console.webhooks.ping(name, principal)), status=202)
