"""`serve` and `worker`: the processes that stay."""

import ipaddress
import math
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.text import Text

from sovereign_rag.cli.app import CommandRun, command
from sovereign_rag.errors import BadInput, EnvironmentFault

if TYPE_CHECKING:
    from sovereign_rag.settings import Settings
    from sovereign_rag.wiring import Application

app = typer.Typer()

_BACKLOG = 2_048


@command(
    app,
    "serve",
    examples=("sovereign-rag serve", "sovereign-rag serve --port 0 --allow-anonymous"),
)
def serve(
    run: CommandRun,
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65_535, help="Port; 0 takes a free one.")
    ] = None,
    allow_anonymous: Annotated[
        bool,
        typer.Option(
            "--allow-anonymous",
            help="Callers without a key read what everyone may; on loopback alone. You also say "
            "by it that no proxy stands before this service.",
        ),
    ] = False,
) -> None:
    """Serve the page and the API, and work off ingestion jobs meanwhile.

    Callers need a key: see `sovereign-rag keys create`. Ctrl-C or SIGTERM ends it after the
    requests at hand.
    """
    settings = serving(run.settings, host=host, port=port, allow_anonymous=allow_anonymous)
    with (
        _terminating(),
        listening(settings.server.host, settings.server.port) as listener,
        run.open(settings) as service,
        _on_record(service, "serve"),
        _present(service, "serve"),
        _telling_webhooks(service),
        _traced(service, "serve"),
        _asking_directory(service),
        _following_erasures(service),
        _working(service),
    ):
        _serve(service, listener, lambda: _announce(run, settings, listener))


@command(app, "worker", examples=("sovereign-rag worker --data-dir /srv/rag",))
def worker(run: CommandRun) -> None:
    """Work off ingestion jobs, and sync sources that have a schedule, until Ctrl-C or SIGTERM.

    What is begun is finished first.
    """
    stop = threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:
        stop.set()

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)
    with run.open() as service, _on_record(service, "worker"), _present(service, "worker"):
        _offer_metrics(service)
        run.note("Waiting for documents; Ctrl-C stops after those at hand.")
        with (
            _telling_webhooks(service),
            _traced(service, "worker"),
            _following_erasures(service),
            _following_schedules(service),
        ):
            service.ingestion.run_worker(stop)


def serving(
    settings: "Settings", *, host: str | None, port: int | None, allow_anonymous: bool
) -> "Settings":
    """The settings with what the command line said of the server.

    Raises:
        BadInput: Anonymous callers on an address that other machines reach.
    """
    server = settings.server
    host, port = host or server.host, server.port if port is None else port
    anonymous = allow_anonymous or server.allow_anonymous
    if anonymous and not is_loopback(host):
        raise BadInput(
            f"Anonymous callers are for this machine alone, and {host} can be reached from "
            "others. Leave out --allow-anonymous and give people keys, or serve on 127.0.0.1."
        )
    no_proxy = allow_anonymous or server.no_proxy
    if anonymous and not no_proxy:
        raise BadInput(
            "server.allow_anonymous is set: behind a proxy on this machine everybody would be "
            "anonymous. Set server.no_proxy too if there is none, or give people keys."
        )
    # An address named for this run is meant to be called by its name.
    allowed = dict.fromkeys((*server.allowed_hosts, *_names(host)))
    update = {
        "host": host,
        "port": port,
        "allow_anonymous": anonymous,
        "no_proxy": no_proxy,
        "allowed_hosts": tuple(allowed),
    }
    return settings.model_copy(update={"server": server.model_copy(update=update)})


def is_loopback(host: str) -> bool:
    """Whether an address can be reached from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _names(host: str) -> tuple[str, ...]:
    """How callers name `host` in their requests; nothing for "every address"."""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return (host,)
    if address.is_unspecified:
        return ()
    return (f"[{host}]",) if address.version == 6 else (host,)


@contextmanager
def listening(host: str, port: int) -> Iterator[socket.socket]:
    """A socket that listens, taken before anything is loaded.

    Raises:
        EnvironmentFault: The port is taken or the address isn't this machine's.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as error:
        raise EnvironmentFault(
            f"{host} is no address of this machine: {error.strerror}."
        ) from error
    with listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(address)
            listener.listen(_BACKLOG)
        except OSError as error:
            raise EnvironmentFault(
                f"Could not listen on {host}, port {port}: {error.strerror}. Choose another one "
                "with --port, or 0 for any that is free."
            ) from error
        yield listener


def _announce(run: CommandRun, settings: "Settings", listener: socket.socket) -> None:
    host, port = settings.server.host, listener.getsockname()[1]
    shown = f"[{host}]" if ":" in host else host
    run.out.print(Text(f"http://{shown}:{port}"))
    run.out.file.flush()  # whoever started us in a pipe waits for this line
    if settings.server.allow_anonymous:
        run.note("Callers without a key read what everyone may.")
    run.note("Ctrl-C stops.")


def _serve(service: "Application", listener: socket.socket, on_start: Callable[[], None]) -> None:
    """Answer requests until a signal; `on_start` is called when the first can be answered."""
    import uvicorn

    from sovereign_rag.app import create_app
    from sovereign_rag.http.protocol import timed_protocol
    from sovereign_rag.services import owner_door
    from sovereign_rag.services.warming import warm_up

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            if self.started:
                on_start()

        def handle_exit(self, sig: int, frame: FrameType | None) -> None:
            application.state.leaving.set()  # streams say so, and end
            super().handle_exit(sig, frame)

    warm_up(service)
    server = service.settings.server
    application = create_app(service)
    _offer_metrics(service)
    config = uvicorn.Config(
        application,
        http=timed_protocol(server.request_timeout_s),
        limit_concurrency=server.connections,
        timeout_graceful_shutdown=math.ceil(server.shutdown_s),
        log_config=None,  # its lines are logged as ours are
        access_log=False,
        server_header=False,
    )
    with owner_door.opened(service.settings.data_dir) as door:
        Server(config).run(sockets=[listener] if door is None else [listener, door])


def _offer_metrics(service: "Application") -> None:
    """On a port of its own, where the settings name one. Raises EnvironmentFault: it is taken."""
    sight = service.settings.sight
    if sight.metrics_port is None:
        return
    from prometheus_client import start_http_server

    try:
        start_http_server(
            sight.metrics_port, sight.metrics_host, service.oversight.metrics.registry
        )
    except OSError as error:
        raise EnvironmentFault(
            f"Could not listen on {sight.metrics_host}, port {sight.metrics_port}, for metrics: "
            f"{error.strerror}. Choose another with sight.metrics_port."
        ) from error


@contextmanager
def _on_record(service: "Application", process: str) -> Iterator[None]:
    """When this process began and ended: between them it can have done what is on the record."""
    from sovereign_rag.access import local_owner
    from sovereign_rag.storage.audit import entry
    from sovereign_rag.version import VERSION

    detail = {"process": process, "version": VERSION}
    service.audit.append(entry("start", local_owner(), detail))
    try:
        yield
    finally:
        service.audit.append(entry("stop", local_owner(), detail))


def _present(
    service: "Application", kind: Literal["serve", "worker"]
) -> AbstractContextManager[None]:
    from sovereign_rag.services.presence import present

    service.content.vault.check()  # better now than at the first question
    return present(service.settings, service.catalog, kind)


def _telling_webhooks(service: "Application") -> AbstractContextManager[None]:
    """Send what other programs are to be told. Raises SettingsError."""
    from sovereign_rag.services.webhook_sender import WebhookSender

    return WebhookSender(service.settings.webhooks, service.catalog).running()


def _traced(service: "Application", process: str) -> AbstractContextManager[None]:
    """Tell the collector of what happens, where the settings name one. Raises SettingsError."""
    traces = service.settings.sight.traces
    if traces.url is None:
        return nullcontext()
    from sovereign_rag.services.trace_export import exporting

    return exporting(traces, process)


@contextmanager
def _working(service: "Application") -> Iterator[None]:
    """Work off ingestion jobs beside the server, where the settings say so."""
    if not service.settings.ingest.worker_in_server:
        yield
        return
    stop = threading.Event()
    worker = threading.Thread(target=service.ingestion.run_worker, args=(stop,), name="ingestion")
    worker.start()
    try:
        with _following_schedules(service):
            yield
    finally:
        stop.set()
        worker.join()


@contextmanager
def _asking_directory(service: "Application") -> Iterator[None]:
    """Ask the LDAP directory about people before what is known of them is old, in a thread."""
    if service.identities.ldap is None:
        yield
        return
    stop = threading.Event()
    asking = threading.Thread(
        target=service.identities.ldap.keep_fresh, args=(stop,), name="directory"
    )
    asking.start()
    try:
        yield
    finally:
        stop.set()
        asking.join()


@contextmanager
def _following_erasures(service: "Application") -> Iterator[None]:
    """Take out of this machine's record what was erased on others, in a thread."""
    from sovereign_rag.privacy.follow import ErasureFollower

    stop = threading.Event()
    follower = ErasureFollower(service)
    following = threading.Thread(target=follower.run, args=(stop,), name="erasures")
    following.start()
    try:
        yield
    finally:
        stop.set()
        following.join()


@contextmanager
def _following_schedules(service: "Application") -> Iterator[None]:
    """Sync sources when they are due or wanted, and do what admins asked for on the console, in
    threads beside the workers.
    """
    from sovereign_rag.cli.index_comparison import comparing

    stop = threading.Event()
    work = service.maintenance(compare=comparing(service))
    threads = [
        threading.Thread(target=service.watcher.run_schedules, args=(stop,), name="schedules"),
        threading.Thread(target=work.run, args=(stop,), name="maintenance"),
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


@contextmanager
def _terminating() -> Iterator[None]:
    """Make SIGTERM an ordinary end, so that everything that was opened is closed.

    The server raises the signal again when its last request is answered.
    """

    def on_signal(number: int, frame: FrameType | None) -> None:
        sys.exit(0)

    before = signal.signal(signal.SIGTERM, on_signal)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
