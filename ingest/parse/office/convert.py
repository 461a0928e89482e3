"""Old Office formats and presentations of OpenOffice, converted by LibreOffice.

It fetches remote images when it can, which is one more reason for the confinement that it runs
in. It is called as a library (`kit.py`), because as a program it opens a socket. Each conversion
has a profile of its own, so that several may run at once.
"""

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from ingest.parse.document.blocks import DocumentDraft
from ingest.parse.document.job import Job, Reader
from ingest.parse.document.zip_bombs import check_zip
from ingest.parse.office import kit
from sovereign_rag.errors import DocumentError

_PATH = "/usr/local/bin:/usr/bin:/bin"
_PACKAGES = "libreoffice-writer-nogui libreoffice-impress-nogui"
_FILTERS = {
    "docx": "MS Word 2007 XML",
    "pptx": "Impress MS PowerPoint 2007 XML",
    "odt": "writer8",
    "ods": "calc8",
    "odp": "impress8",
}
"""LibreOffice's names of the formats that files are converted to, by extension."""
_OBJECTS = "ObjectPool".encode("utf-16-le")
"""The folder of what is embedded in an old Word document."""
_WITHOUT_OBJECTS = "What is embedded in the document was not read; read it again to try once more."


def via_office(target: str, reader: Reader) -> Reader:
    """A reader that converts a file, to the format with the extension `target`, for another one."""

    def read(path: Path, job: Job) -> DocumentDraft:
        made, warnings = _converted(path, target)
        draft = reader(made, job)
        return replace(draft, warnings=(*draft.warnings, *warnings)) if warnings else draft

    return read


def _converted(path: Path, target: str) -> tuple[Path, tuple[str, ...]]:
    """The file in the other format, and what it lacks."""
    folder = _program().resolve().parent
    out = path.parent / "office"
    out.mkdir()
    made = out / f"{path.stem}.{target}"
    for way in (kit.SHOWN, kit.ALONE):
        _convert(folder, path, made, way)
        if made.exists():
            break
    if not made.exists():
        raise DocumentError(
            "broken",
            "LibreOffice could not open the file. Open it in the program that wrote it and save "
            f"it as {target.upper()} or PDF.",
        )
    check_zip(made)
    lacks_objects = way == kit.ALONE and _OBJECTS in path.read_bytes()
    return made, (_WITHOUT_OBJECTS,) if lacks_objects else ()


def _convert(folder: Path, path: Path, made: Path, way: str) -> None:
    scratch = path.parent
    profile = scratch / f"profile-{way}"
    done = subprocess.run(
        [
            *(sys.executable, "-I", "-S", kit.__file__),
            *(str(folder), str(profile), str(path), str(made), _FILTERS[made.suffix[1:]], way),
        ],
        env={"HOME": str(scratch), "TMPDIR": str(scratch), "PATH": _PATH, "LANG": "C.UTF-8"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    if done.returncode == kit.NO_LIBRARY:
        raise DocumentError(
            "unsupported",
            f"The LibreOffice in {folder} can't be called as a library. Install {_PACKAGES}, or "
            "save the file as DOCX, PPTX or PDF.",
        )


def _program() -> Path:
    found = shutil.which("soffice") or shutil.which("libreoffice")
    if found is None:
        raise DocumentError(
            "unsupported",
            f"Old Office formats need LibreOffice, which is not installed. Install {_PACKAGES}, "
            "or save the file as DOCX, PPTX or PDF.",
        )
    return Path(found)
