"""The frame of every command: options that all have, one way to fail, one way to open the product.

Exit codes: 0 fine, 1 unexpected, 2 wrong use, 3 something on this machine is missing or at
fault, 4 not allowed, 5 not found, 6 some documents failed, 7 a sync would delete too much, 8 an
evaluation fell below its floor, 130 interrupted.
"""

import functools
import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import fields, is_dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, Final, ParamSpec, cast

import typer
from rich.console import Console
from rich.text import Text

from sovereign_rag.cli import output
from sovereign_rag.cli.common_options import COMMON, Common, Debug, JsonOption
from sovereign_rag.errors import BadInput, SovereignError

if TYPE_CHECKING:
    from sovereign_rag.cli.identity import Asker
    from sovereign_rag.cli.target import Target
    from sovereign_rag.client.client import Client
    from sovereign_rag.settings import Settings
    from sovereign_rag.wiring import Application

P = ParamSpec("P")

EXIT_CODES: Final = (
    "Exit codes: 0 fine, 1 unexpected, 2 wrong use, 3 missing or at fault on this machine, "
    "4 not allowed, 5 not found, 6 some documents failed, 7 a sync would delete too much, "
    "8 an evaluation fell below its floor, 130 interrupted."
)
SOME_FAILED: Final = 6
BELOW_FLOOR: Final = 8
INTERRUPTED: Final = 130

_PATIENCE_S: Final = 600.0  # how long a service may keep silent: a model may have to write


def new_app(help: str) -> typer.Typer:
    """An application, or a noun with its commands."""
    return typer.Typer(
        help=help,
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
        context_settings={"help_option_names": ["-h", "--help"]},
    )


class CommandRun:
    """One run of a command: its common options, the settings, and where to print."""

    def __init__(self, common: Common) -> None:
        self.json = common.json
        self.debug = common.debug
        self._common = common

    @cached_property
    def settings(self) -> "Settings":
        """Raises SettingsError."""
        from sovereign_rag.settings import load_settings

        folder = self._common.data_dir
        overrides = {"data_dir": folder.expanduser().absolute()} if folder else {}
        return load_settings(config=self._common.config, overrides=overrides)

    @contextmanager
    def open(self, settings: "Settings | None" = None) -> "Iterator[Application]":
        """The product over the data folder; models are loaded when they are needed.

        Settings that are others than the last time are on the audit record first, and what a kill
        left half done is brought to an end.

        Raises:
            BadInput: `--url` names a service, and this command works on a data folder.
        """
        if self._common.url is not None:
            raise BadInput(
                "This command works on the data folder of this machine: leave out --url, or run it "
                "where the service runs."
            )
        from sovereign_rag.services.settings_record import record_changes
        from sovereign_rag.system.logs import configure_logging
        from sovereign_rag.wiring import open_service

        settings = settings or self.settings
        configure_logging(
            settings.log_level,
            as_json=settings.sight.log_format == "json",
            access_log=settings.sight.access_log,
        )
        with open_service(settings) as application:
            record_changes(settings, application.audit)
            application.operations.settle()
            yield application

    @contextmanager
    def target(self, asker: "Asker") -> "Iterator[Target]":
        """Where the command is carried out.

        By the service that was named, else by the one that runs over the data folder, whose
        models are loaded, else here. Settings that are given for this command are this process's.

        Raises:
            BadInput: `asker` names somebody, and a service knows by its key alone who asks.
        """
        from sovereign_rag.cli.target import LocalTarget, ServiceTarget

        with self.client(asker) as client:
            if client is not None:
                yield ServiceTarget(client)
                return
        with self._running(asker) as client:
            if client is not None:
                yield ServiceTarget(client)
                return
        with self.open() as service:
            yield LocalTarget(service, asker.principal())

    @contextmanager
    def client(self, asker: "Asker") -> "Iterator[Client | None]":
        """The service that was named, with its key; None: none was. Raises BadInput as `target`."""
        named = self.service_address(asker)
        if named is None:
            yield None
            return
        from sovereign_rag.client.client import Client

        with Client(*named, timeout_s=_PATIENCE_S) as client:
            yield client

    @contextmanager
    def _running(self, asker: "Asker") -> "Iterator[Client | None]":
        """The service that runs over the data folder, by its owner's door; None: none does."""
        if self._common.config is not None:
            yield None
            return
        from sovereign_rag.client.local import local_client

        with local_client(self.settings.data_dir, asker.principal(), _PATIENCE_S) as client:
            yield client

    def service_address(self, asker: "Asker") -> tuple[str, str | None] | None:
        """URL and key of the service that `--url` or the settings name; None: neither does.

        Raises:
            BadInput: As `target`.
        """
        named = self.settings.client
        url, key_file = self._common.url or named.url, self._common.key_file or named.key_file
        if url is None:
            if self._common.key_file is not None:
                raise BadInput("--key-file is the key for a service: add --url.")
            return None
        if asker != type(asker)():
            raise BadInput(
                "The key says who asks: leave out --as, --groups, --clearance and --tenant, "
                "which are for the data folder of this machine."
            )
        return url, None if key_file is None else secret_line(key_file, "a key")

    @cached_property
    def out(self) -> Console:
        return output.stdout()

    @cached_property
    def err(self) -> Console:
        return output.stderr()

    def confirm(self, question: str, *, yes: bool) -> None:
        """Go on if the person says so, or if `yes` says so for them; else the command ends.

        Raises:
            BadInput: Nobody is there to be asked.
        """
        if yes:
            return
        if self.json or not self.err.is_terminal:
            raise BadInput("Nobody is there to be asked. Add --yes to go on without a question.")
        typer.confirm(question, abort=True, err=True)

    def note(self, text: str, style: str = "") -> None:
        """A message for the person, on stderr; programs don't get it."""
        if not self.json:
            self.err.print(Text(output.safe(text), style=style))


def secret_line(file: Path, what: str) -> str:
    """The first line of a file, `-` for standard input; `what` it holds, in words.

    Secrets never stand among the arguments, which every user of a machine sees.

    Raises:
        BadInput: It can't be read, or its first line is empty.
    """
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{file} can't be read as {what}: {error}.") from error
    if not (first := text.partition("\n")[0].removesuffix("\r")):
        raise BadInput(f"{file} has no {what.partition(' ')[2]} on its first line.")
    return first


def command(
    app: typer.Typer, name: str, *, examples: tuple[str, ...]
) -> Callable[
    [Callable[Concatenate[CommandRun, P], None]], Callable[Concatenate[CommandRun, P], None]
]:
    """Make a command of a function whose first parameter is the `CommandRun`.

    The others are its options and arguments, as Typer reads them; a dataclass stands for the
    options that are its fields. The common ones are added. An error becomes one line on stderr and
    an exit code.
    """

    def register(function: Callable[Concatenate[CommandRun, P], None]) -> Callable[..., None]:
        shown = app.command(name, help=_help(function), epilog=_epilog(examples))
        shown(_invocation(function))
        return function

    return register


def default_command(
    app: typer.Typer, *, examples: tuple[str, ...]
) -> Callable[
    [Callable[Concatenate[CommandRun, P], None]], Callable[Concatenate[CommandRun, P], None]
]:
    """As `command`, of what a noun does where none of its commands is named."""

    def register(function: Callable[Concatenate[CommandRun, P], None]) -> Callable[..., None]:
        shown = app.callback(
            invoke_without_command=True,
            no_args_is_help=False,
            help=_help(function),
            epilog=_epilog(examples),
        )
        shown(_invocation(function))
        return function

    return register


def _help(function: Callable[..., None]) -> str:
    """The docstring with a line a paragraph, so that a narrow terminal breaks it by itself."""
    paragraphs = (inspect.getdoc(function) or "").split("\n\n")
    return "\n\n".join(paragraph.replace("\n", " ") for paragraph in paragraphs)


def _invocation(function: Callable[Concatenate[CommandRun, P], None]) -> Callable[..., None]:
    own = list(inspect.signature(function).parameters.values())[1:]
    groups: dict[str, Callable[..., object]] = {
        parameter.name: parameter.annotation for parameter in own if _is_group(parameter)
    }
    call = cast(Callable[..., None], function)  # Typer gives the arguments their types

    @functools.wraps(function)
    def invoke(context: typer.Context, **given: Any) -> None:
        here = Common(**{name: given.pop(name) for name in COMMON})
        for parameter in own:
            if parameter.name in groups:
                options = {o.name: given.pop(o.name) for o in _options(parameter)}
                given[parameter.name] = groups[parameter.name](**options)
        common = here.over(context.obj or Common())
        if context.invoked_subcommand is not None:
            context.obj = common
            return
        _run(lambda: call(CommandRun(common), **given), common)

    parameters = [
        inspect.Parameter("context", _KEYWORD, annotation=typer.Context),
        *(each for parameter in own for each in _options(parameter)),
        *common_parameters(),
    ]
    adopt(invoke, parameters)
    return invoke


def _is_group(parameter: inspect.Parameter) -> bool:
    return is_dataclass(parameter.annotation)


def _options(parameter: inspect.Parameter) -> Iterator[inspect.Parameter]:
    """A parameter as Typer is to see it; a dataclass of options as its fields."""
    if not _is_group(parameter):
        yield parameter.replace(kind=_KEYWORD)
        return
    for option in fields(parameter.annotation):
        yield inspect.Parameter(
            option.name, _KEYWORD, default=option.default, annotation=option.type
        )


def _epilog(examples: tuple[str, ...]) -> str:
    shown = "\n\n".join(f"  {example}" for example in examples)
    noun = "Example:" if len(examples) == 1 else "Examples:"
    return f"{noun}\n\n{shown}"


_KEYWORD: Final = inspect.Parameter.KEYWORD_ONLY


def common_parameters() -> list[inspect.Parameter]:
    """The common options, as parameters of a function that Typer calls."""
    return [
        inspect.Parameter(
            name,
            _KEYWORD,
            default=False if annotation in (JsonOption, Debug) else None,
            annotation=annotation,
        )
        for name, annotation in COMMON.items()
    ]


def adopt(function: Callable[..., None], parameters: list[inspect.Parameter]) -> None:
    """Give a function the signature that Typer is to read."""
    function.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # inspect reads it, typeshed lacks it
    function.__annotations__ = {p.name: p.annotation for p in parameters}


def _run(call: Callable[[], None], common: Common) -> None:
    try:
        call()
    except typer.Exit:
        raise
    except SovereignError as error:
        _fail(error.code, str(error), error.exit_code, common, error)
    except (KeyboardInterrupt, typer.Abort) as error:
        _fail("Interrupted", "Interrupted.", INTERRUPTED, common, error)
    except BrokenPipeError:
        # Whoever read our output has seen enough. Python would complain at its own exit.
        sys.stdout = None
        raise typer.Exit(0) from None
    except Exception as error:  # a defect of ours: one line, and the way to see more
        detail = f"{type(error).__name__}: {error}. Run it again with --debug to see where."
        _fail("Unexpected", detail, 1, common, error)


def _fail(code: str, detail: str, exit_code: int, common: Common, error: BaseException) -> None:
    print_error(code, detail, as_json=common.json)
    if common.debug:
        raise error
    raise typer.Exit(exit_code) from error


def print_error(code: str, detail: str, *, as_json: bool) -> None:
    """One line on stderr; stdout stays as it is, so that a program can read it."""
    if as_json:
        sys.stderr.write(output.encode_json({"error": code, "detail": detail}) + "\n")
    else:
        line = Text("Error: ", style="bold red") + Text(output.safe(detail, one_line=True))
        output.stderr().print(line, soft_wrap=True)


def take_common(app: typer.Typer, *, epilog: str) -> None:
    """Let `app` take the common options before its commands too."""

    def callback(context: typer.Context, **given: Any) -> None:
        context.obj = Common(**given)

    context = inspect.Parameter("context", _KEYWORD, annotation=typer.Context)
    adopt(callback, [context, *common_parameters()])
    app.callback(help=app.info.help, epilog=epilog)(callback)
