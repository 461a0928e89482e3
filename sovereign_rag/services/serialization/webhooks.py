"""Messages to webhooks, as they go out to admins."""

from collections.abc import Sequence
from datetime import datetime
from typing import Self

from pydantic import Field

from sovereign_rag.catalog.announcements import DeliveryState
from sovereign_rag.catalog.webhooks import Delivery
from sovereign_rag.services.serialization.body import Body


class DeliveryOut(Body):
    """A message to one webhook."""

    id: str = Field(description="The same at every try: `webhook-id` of the request.")
    webhook: str = Field(description="Its name in the settings.")
    event: str = Field(description="`job.finished`, `source.synced`, `source.failed`, `ping`.")
    state: DeliveryState = Field(description="waiting, delivered, or failed: given up.")
    tries: int
    created: datetime
    next_try: datetime | None
    ended: datetime | None = Field(description="When it was delivered or given up.")
    status: int | None = Field(description="What the receiver answered the last time.")
    error: str | None = Field(description="What was wrong the last time.")

    @classmethod
    def of(cls, delivery: Delivery) -> Self:
        return cls(
            id=delivery.id,
            webhook=delivery.webhook,
            event=delivery.event,
            state=delivery.state,
            tries=delivery.tries,
            created=delivery.created,
            next_try=delivery.next_try,
            ended=delivery.ended,
            status=delivery.status,
            error=delivery.error,
        )


class DeliveriesOut(Body):
    """Messages, newest first."""

    webhooks: list[str] = Field(description="Those that the settings name for the tenant.")
    deliveries: list[DeliveryOut]
    next: str | None = Field(description="`after` of the next page; null: this is the last.")

    @classmethod
    def page(cls, names: Sequence[str], found: Sequence[Delivery], following: str | None) -> Self:
        shown = [DeliveryOut.of(delivery) for delivery in found]
        return cls(webhooks=list(names), deliveries=shown, next=following)


class PingOut(Body):
    id: str = Field(description="Of the message, which is sent within seconds.")
