"""Messages to other programs, as admins look after them."""

from collections.abc import Collection, Mapping, Sequence

from sovereign_rag.access import Principal
from sovereign_rag.catalog.announcements import DeliveryState
from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.catalog.webhooks import Delivery
from sovereign_rag.errors import Forbidden, NotFound
from sovereign_rag.settings.webhooks import WebhookSettings
from sovereign_rag.storage.audit import AuditTrail, entry


class WebhookDesk:
    """For the admins of a tenant; what they see and do is on the record."""

    def __init__(
        self, settings: Mapping[str, WebhookSettings], *, catalog: Catalog, audit: AuditTrail
    ) -> None:
        self._settings, self._catalog, self._audit = settings, catalog, audit

    def names(self, principal: Principal) -> list[str]:
        """The webhooks that are told of the principal's tenant. Raises Forbidden."""
        _require_admin(principal)
        own = (n for n, section in self._settings.items() if section.tenant == principal.tenant)
        return sorted(own)

    def page(
        self,
        principal: Principal,
        *,
        limit: int,
        after: str | None = None,
        states: Collection[DeliveryState] | None = None,
    ) -> tuple[Sequence[Delivery], str | None]:
        """Messages of the tenant, newest first, and the `after` of the next page; on the record.

        Raises:
            Forbidden: The principal is no admin.
            NotFound: There is no message `after`.
        """
        _require_admin(principal)
        found = self._catalog.webhooks.page(
            principal.tenant, limit=limit + 1, after=after, states=states
        )
        shown = found[:limit]
        self._audit.append(entry("webhooks.list", principal, {"messages": len(shown)}))
        return shown, shown[-1].id if len(found) > limit else None

    def send_again(self, id_: str, principal: Principal) -> Delivery:
        """Let a message be tried anew, under its id. Raises Forbidden, NotFound, AuditError."""
        _require_admin(principal)
        self._audit.append(entry("webhook.send_again", principal, {"message": id_}))
        return self._catalog.webhooks.send_again(id_, principal.tenant)

    def ping(self, name: str, principal: Principal) -> str:
        """Send a message that says nothing but that it arrived; gives its id.

        Raises:
            Forbidden: The principal is no admin.
            NotFound: The settings name no such webhook for the tenant.
            AuditError: It can't be recorded; nothing is sent.
        """
        if name not in self.names(principal):
            raise NotFound(f"There is no webhook {name!r}: see [webhooks.NAME] in the settings.")
        self._audit.append(entry("webhook.ping", principal, {"webhook": name}))
        return self._catalog.webhooks.ping(name, principal.tenant)


def _require_admin(principal: Principal) -> None:
    if not principal.is_admin:
        raise Forbidden("Only an admin may see and send messages to webhooks; ask for such a key.")
