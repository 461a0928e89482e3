"""Every address that the settings allow to be contacted, by whom, and what would be sent there."""

from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from sovereign_rag.settings import Settings
from sovereign_rag.settings.sources import ImapSource, ReaderSource, S3Source


@dataclass(frozen=True, slots=True)
class Destination:
    """A place outside of this process that the settings name."""

    address: str  # without credentials
    setting: str
    sent: str  # what goes there
    when: str
    is_local: bool  # on this machine, by what the address says


def destinations(settings: Settings) -> tuple[Destination, ...]:
    """In the order of how much goes there; empty: nothing may be contacted at all."""
    return tuple(_all(settings))


def _all(settings: Settings) -> Iterator[Destination]:
    endpoint, oidc = settings.generation.endpoint, settings.identity.oidc
    for server in endpoint.urls:
        sent = "questions and the passages that the asker may read, to be written from"
        yield _to(server, "generation.endpoint.urls", sent, "at each answer that is written")
    for server in settings.embedding.endpoint.urls:
        sent = "texts of all documents in pieces, and questions, to be made vectors of"
        yield _to(server, "embedding.endpoint.urls", sent, "at ingestion and at each question")
    for server in settings.retrieval.reranker_endpoint.urls:
        sent = "questions and the passages that the asker may read, to be put in order"
        yield _to(server, "retrieval.reranker_endpoint.urls", sent, "at each question")
    for node in settings.store.addresses:
        sent = "texts of all documents in pieces, their vectors and readers; vectors of questions"
        yield _to(node, "store.url", sent, "at ingestion, each question, backup and restore")
    if settings.content.endpoint is not None:
        sent = "originals of all documents, their texts and page images"
        yield _to(settings.content.endpoint, "content.endpoint", sent, "at ingestion and reading")
    if settings.catalog.url is not None:
        sent = "titles and addresses of documents, their readers, jobs, hashes of keys"
        address = settings.catalog.url.get_secret_value()
        yield _to(address, "catalog.url", sent, "always")
    if settings.limits.redis_url is not None:
        sent = "how often each key, person and tenant asked, by their ids"
        address = settings.limits.redis_url.get_secret_value()
        yield _to(address, "limits.redis_url", sent, "at each request")
    for name, url in (("jwks_url", oidc.jwks_url), ("token_url", oidc.token_url)):
        if oidc.issuer is not None and url:
            sent = "nothing but the request" if name == "jwks_url" else "a sign-in's code"
            yield _to(url, f"identity.oidc.{name}", sent, "at sign-ins, and when keys are old")
    if settings.sight.traces.url is not None:
        sent = "which operation was asked, its request id, how long each step took; no texts"
        yield _to(settings.sight.traces.url, "sight.traces.url", sent, "at each request")
    for name, webhook in settings.webhooks.items():
        sent = "ids of jobs, names of sources, and how many documents came to which end; no texts"
        yield _to(webhook.url, f"webhooks.{name}.url", sent, "when a job or a sync ends")
    if settings.identity.ldap.url is not None:
        sent = "names of people, and at sign-ins their passwords"
        when = "at sign-ins, and when what is known of people is old"
        yield _to(settings.identity.ldap.url, "identity.ldap.url", sent, when)
    anchor = settings.audit.anchor
    if anchor is not None and anchor.startswith(("syslog+udp", "syslog+tcp")):
        sent = "number and hash of the audit record's last line"
        yield _to(anchor, "audit.anchor", sent, "within a second of a record")
    if settings.audit.timestamp.url is not None:
        sent = "the hash of a checkpoint's signature"
        when = "at `audit checkpoint`"
        yield _to(settings.audit.timestamp.url, "audit.timestamp.url", sent, when)
    for name, source in settings.sources.items():
        sent = "credentials; documents come from there"
        if isinstance(source, S3Source):
            yield _to(source.endpoint, f"sources.{name}.endpoint", sent, "at each sync")
        elif isinstance(source, ImapSource):
            address = f"imap://{source.host}"
            yield _to(address, f"sources.{name}.host", sent, "at each sync")
        elif isinstance(source, ReaderSource):
            sent = f"whatever {source.reader} sends, which is not ours"
            yield Destination("not known", f"sources.{name}.reader", sent, "at each sync", False)
    for address in settings.console.source_addresses:
        sent = "credentials; documents come from there"
        when = "at each sync of a source that an admin added there"
        yield _to(address, "console.source_addresses", sent, when)
    if settings.client.url is not None:
        sent = "questions and documents that are typed at this command line"
        yield _to(settings.client.url, "client.url", sent, "by commands that ask a service")


def _to(address: str, setting: str, sent: str, when: str) -> Destination:
    parts = urlsplit(address if "://" in address else f"//{address}")
    host = parts.hostname or ""
    shown = f"{parts.scheme or 'tcp'}://{host}" + (f":{parts.port}" if parts.port else "")
    is_local = host in {"", "localhost", "::1"} or host.startswith("127.")
    return Destination(shown, setting, sent, when, is_local)
