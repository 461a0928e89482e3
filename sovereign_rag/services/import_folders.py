"""Files of this machine that admins may take on the console: those that the settings allow."""

from collections.abc import Collection, Sequence
from itertools import islice
from pathlib import Path
from typing import Final

from sovereign_rag.errors import BadInput, Forbidden

_MOST: Final = 200  # files that are offered


class ImportFolders:
    """`console.import_folders`: each folder itself, nothing below it and no link out of it."""

    def __init__(self, folders: Sequence[Path]) -> None:
        self._folders = tuple(folder.expanduser().resolve() for folder in folders)

    def __bool__(self) -> bool:
        return bool(self._folders)

    def files(self, suffixes: Collection[str]) -> tuple[Path, ...]:
        """Those with such an ending, by folder and name; a folder that is away has none."""
        found = (
            path
            for folder in self._folders
            if folder.is_dir()
            for path in sorted(folder.iterdir())
            if path.suffix.lower() in suffixes and self._holds(path.resolve())
        )
        return tuple(islice(found, _MOST))

    def file(self, named: str) -> Path:
        """The file of that path.

        Raises:
            Forbidden: It lies elsewhere than the settings allow.
            BadInput: It is not there.
        """
        if not named:
            raise BadInput("Choose a file.")
        path = Path(named).resolve() if Path(named).is_absolute() else None
        if path is None or not self._holds(path):
            raise Forbidden(
                "Files are taken from the folders that console.import_folders names alone. Put it "
                "there, or ask whoever looks after the machine."
            )
        if not path.is_file():
            raise BadInput(f"{path.name} is not there any more. Load the page again.")
        return path

    def _holds(self, real: Path) -> bool:
        return real.parent in self._folders
