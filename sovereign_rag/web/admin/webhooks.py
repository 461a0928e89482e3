"""Messages to webhooks: what became of each, sent again, and a try whether they arrive."""

from typing import Annotated, Final

from fastapi import APIRouter, Depends, Form, Query
from starlette.requests import Request
from starlette.responses import Response

from sovereign_rag.access import Principal
from sovereign_rag.catalog.announcements import DeliveryState
from sovereign_rag.http.identity import CurrentService
from sovereign_rag.web.admin.frame import back_to, console_page
from sovereign_rag.web.admin.guard import Part, entering

router = APIRouter()
PAGE_OF_MESSAGES: Final = 50

_Admin = Annotated[Principal, Depends(entering(Part.WEBHOOKS))]
_Which = DeliveryState | None


@router.get("/admin/webhooks")
def webhooks_page(
    request: Request,
    admin: _Admin,
    service: CurrentService,
    which: Annotated[_Which, Query()] = None,
    after: Annotated[str | None, Query(max_length=36)] = None,
) -> Response:
    desk = service.console.webhooks
    states = None if which is None else [which]
    found, following = desk.page(admin, limit=PAGE_OF_MESSAGES, after=after, states=states)
    return console_page(
        request,
        "webhooks.html",
        Part.WEBHOOKS,
        principal=admin,
        names=desk.names(admin),
        deliveries=found,
        following=following,
        is_first=after is None,
        which=which,
        kinds=(None, *DeliveryState),
    )


@router.post("/admin/webhooks/ping")
def ping(
    admin: _Admin, service: CurrentService, name: Annotated[str, Form(max_length=64)] = ""
) -> Response:
    service.console.webhooks.ping(name, admin)
    return back_to(Part.WEBHOOKS, "message_sent")


@router.post("/admin/webhooks/deliveries/{delivery_id}/resend")
def resend(
    delivery_id: str,
    admin: _Admin,
    service: CurrentService,
    which: Annotated[_Which, Form()] = None,
) -> Response:
    service.console.webhooks.send_again(delivery_id, admin)
    return back_to(Part.WEBHOOKS, "message_sent", which=which and which.value)
