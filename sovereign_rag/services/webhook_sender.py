"""Messages go out: signed, to listed addresses alone, again and again until they arrive.

What is to be told stands in the catalog, written in the transaction in which it came true. A
message is taken for a while by one process; one that dies leaves it to the next. So it arrives at
least once, and by its id a receiver knows one that comes again.

The signature is that of the Standard Webhooks, version 1: HMAC-SHA256 over id, time and body.
"""

import base64
import hashlib
import hmac
import logging
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final

import httpx

from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.catalog.database import Clock, utc_now
from sovereign_rag.catalog.webhooks import Delivery
from sovereign_rag.errors import EnvironmentFault, SettingsError
from sovereign_rag.settings.webhooks import WebhookSettings, signing_key
from sovereign_rag.system.allowed_addresses import AllowList, Resolve, look_up, place
from sovereign_rag.system.holder import holder_name
from sovereign_rag.system.listed_client import ListedClient, NotReached, tls_of
from sovereign_rag.version import VERSION

log = logging.getLogger(__name__)

_LOOK_S: Final = 1.0  # between looks for messages when there was none
_FAULT_S: Final = 10.0  # after the catalog did not answer
_TIDY_S: Final = 3_600.0
_FIRST_WAIT_S: Final = 5.0
_LONGEST_WAIT_S: Final = 6 * 3_600.0


@dataclass(frozen=True, slots=True)
class _Webhook:
    """One receiver, ready to be sent to."""

    name: str
    settings: WebhookSettings
    key: bytes
    client: ListedClient


class WebhookSender:
    """Sends what waits, with a thread for each webhook: one that hangs holds up no other."""

    def __init__(
        self,
        settings: Mapping[str, WebhookSettings],
        catalog: Catalog,
        *,
        clock: Clock = utc_now,
        resolve: Resolve = look_up,
    ) -> None:
        """
        Raises:
            SettingsError: An address, a secret or certificates are not usable.
        """
        self._catalog, self._clock = catalog, clock
        self._holder = holder_name()
        self._webhooks = {name: _opened(name, own, resolve) for name, own in settings.items()}

    @contextmanager
    def running(self) -> Iterator[None]:
        """Send while the block runs."""
        stop = threading.Event()
        threads = [
            threading.Thread(target=self._run, args=(hook, stop), name=f"webhook-{hook.name}")
            for hook in self._webhooks.values()
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            stop.set()
            for thread in threads:
                thread.join()
            for hook in self._webhooks.values():
                hook.client.close()

    def send_due(self, name: str) -> bool:
        """Try the next message of a webhook that is due. False: there was none."""
        hook = self._webhooks[name]
        lease_s = 3 * hook.settings.timeout_s + 30
        delivery = self._catalog.webhooks.take(name, self._holder, lease_s=lease_s)
        if delivery is None:
            return False
        self._try(hook, delivery)
        return True

    def tidy(self) -> None:
        """Forget old messages, and give up those for webhooks that are no more."""
        self._catalog.webhooks.tidy(self._webhooks.keys())

    def _run(self, hook: _Webhook, stop: threading.Event) -> None:
        since_tidied = _TIDY_S
        while not stop.is_set():
            try:
                if since_tidied >= _TIDY_S:
                    self.tidy()
                    since_tidied = 0.0
                wait_s = 0.0 if self.send_due(hook.name) else _LOOK_S
            except EnvironmentFault as fault:
                log.warning("Messages to the webhook %s wait: %s", hook.name, fault)
                wait_s = _FAULT_S
            except Exception:  # a defect of ours holds up this message, not the ones after it
                log.exception("A message to the webhook %s could not be sent", hook.name)
                wait_s = _FAULT_S
            since_tidied += wait_s
            stop.wait(wait_s)

    def _try(self, hook: _Webhook, delivery: Delivery) -> None:
        body = delivery.body.encode()
        headers = {
            "Content-Type": "application/json",
            "User-Agent": f"sovereign-rag/{VERSION}",
            **signed(hook.key, delivery.id, self._clock(), body),
        }
        webhooks = self._catalog.webhooks
        try:
            reply = hook.client.post(body, headers)
        except NotReached as reason:
            wait_s = _wait_s(delivery.tries, hook.settings.tries)
            error, status = str(reason), None
        else:
            status = reply.status_code
            if reply.is_success:
                webhooks.delivered(delivery.id, self._holder, status=status)
                return
            error = _refusal(reply)
            wait_s = _wait_s(delivery.tries, hook.settings.tries, _asked_wait_s(reply))
            if status == httpx.codes.GONE:  # the receiver wants no more of it
                wait_s = None
        webhooks.missed(delivery.id, self._holder, error=error, status=status, wait_s=wait_s)
        after = "it is given up" if wait_s is None else f"next try in {wait_s:.0f} s"
        log.warning(
            "%s did not arrive at the webhook %s: %s; %s", delivery.id, hook.name, error, after
        )


def signed(key: bytes, id_: str, now: datetime, body: bytes) -> dict[str, str]:
    """The headers of a message by which its receiver knows who sent it, and when."""
    moment = str(int(now.timestamp()))
    mac = hmac.new(key, f"{id_}.{moment}.".encode() + body, hashlib.sha256).digest()
    return {
        "webhook-id": id_,
        "webhook-timestamp": moment,
        "webhook-signature": f"v1,{base64.b64encode(mac).decode('ascii')}",
    }


def _opened(name: str, settings: WebhookSettings, resolve: Resolve) -> _Webhook:
    section = f"webhooks.{name}"
    client = ListedClient(
        place(settings.url, f"{section}.url"),
        AllowList(settings.allow, f"{section}.allow"),
        tls=tls_of(settings.ca_file, f"{section}.ca_file"),
        timeout_s=settings.timeout_s,
        resolve=resolve,
    )
    return _Webhook(name, settings, _key(settings, section), client)


def _key(settings: WebhookSettings, section: str) -> bytes:
    if settings.secret is not None:
        return signing_key(settings.secret.get_secret_value())
    assert settings.secret_file is not None  # the settings ask for one of the two
    try:
        lines = settings.secret_file.read_text(encoding="utf-8").splitlines()
        return signing_key(lines[0] if lines else "")
    except OSError as error:
        raise SettingsError(
            f"{section}.secret_file {settings.secret_file} can't be read: {error.strerror}."
        ) from error
    except ValueError as error:
        raise SettingsError(f"{section}.secret_file: {error}.") from error


def _wait_s(tries: int, most: int, asked_s: float = 0.0) -> float | None:
    """Until the next try; None: there were enough."""
    if tries >= most:
        return None
    wait_s = min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 4.0 ** min(tries - 1, 20))
    return max(wait_s, min(asked_s, _LONGEST_WAIT_S))


def _refusal(reply: httpx.Response) -> str:
    if reply.is_redirect:
        return f"it redirects ({reply.status_code}), and redirects are not followed"
    return f"it answered {reply.status_code}"


def _asked_wait_s(reply: httpx.Response) -> float:
    """What the receiver says in Retry-After, in seconds; 0: nothing."""
    said = reply.headers.get("retry-after", "")
    if said.isdecimal():
        return float(said)
    try:
        return max(0.0, (parsedate_to_datetime(said) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return 0.0
