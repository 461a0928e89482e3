"""The options of every command: which data folder or service, and how to print."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final

import typer

_PANEL: Final = "Options of every command"
DataDir = Annotated[
    Path | None,
    typer.Option(
        help="Folder of everything that is stored; also SOVEREIGN_RAG_DATA_DIR.",
        rich_help_panel=_PANEL,
    ),
]
Config = Annotated[
    Path | None,
    typer.Option(help="Settings file; also SOVEREIGN_RAG_CONFIG.", rich_help_panel=_PANEL),
]
JsonOption = Annotated[
    bool, typer.Option("--json", help="Print JSON, for programs.", rich_help_panel=_PANEL)
]
Debug = Annotated[
    bool, typer.Option("--debug", help="Show where an error came from.", rich_help_panel=_PANEL)
]

Url = Annotated[
    str | None,
    typer.Option(
        metavar="URL",
        help="Ask the service at this address, not the data folder here: for ask, search, facets, "
        "documents, jobs, ingest and mcp; also the setting client.url.",
        rich_help_panel=_PANEL,
    ),
]
KeyFile = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE",
        help="The API key for --url, on the first line; - is standard input.",
        rich_help_panel=_PANEL,
    ),
]

COMMON: Final = {
    "data_dir": DataDir,
    "config": Config,
    "url": Url,
    "key_file": KeyFile,
    "json": JsonOption,
    "debug": Debug,
}


@dataclass(frozen=True, slots=True)
class Common:
    """The options that may stand before the command or after it."""

    data_dir: Path | None = None
    config: Path | None = None
    url: str | None = None
    key_file: Path | None = None
    json: bool = False
    debug: bool = False

    def over(self, other: "Common") -> "Common":
        """These options, and the other's where these are not given."""
        return Common(
            self.data_dir or other.data_dir,
            self.config or other.config,
            self.url or other.url,
            self.key_file or other.key_file,
            self.json or other.json,
            self.debug or other.debug,
        )
