"""Old Office formats and presentations of OpenOffice, converted by LibreOffice.

It fetches remote images when it can, which is one more reason for the confinement that it runs
in. Each conversion has a profile of its own, so that several may run at once.
"""

import shutil
import subprocess
from pathlib import Path

from ingest.parse.document.blocks import DocumentDraft, Reader
from ingest.parse.document.job import Job
from ingest.parse.document.zip_bombs import check_zip
from sovereign_rag.errors import DocumentError

_PATH = "/usr/local/bin:/usr/bin:/bin"
_PACKAGES = "libreoffice-writer-nogui libreoffice-impress-nogui"


def via_office(target: str, reader: Reader) -> Reader:
    """A reader that converts a file to the format `target` (an extension) for another reader."""

    def read(path: Path, job: Job) -> DocumentDraft:
        return reader(_converted(path, target), job)

    return read


def _converted(path: Path, target: str) -> Path:
    program = _program()
    out = path.with_name("office")
    out.mkdir()
    scratch = str(path.parent)
    subprocess.run(
        [
            *(program, "--headless", "--norestore", "--nolockcheck"),
            f"-env:UserInstallation=file://{scratch}/profile",
            *("--convert-to", target, "--outdir", str(out), str(path)),
        ],
        env={"HOME": scratch, "TMPDIR": scratch, "PATH": _PATH, "LANG": "C.UTF-8"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    made = list(out.iterdir())
    if not made:
        raise DocumentError(
            "broken",
            "LibreOffice could not open the file. Open it in the program that wrote it and save "
            f"it as {target.upper()} or PDF.",
        )
    check_zip(made[0])
    return made[0]


def _program() -> str:
    found = shutil.which("soffice") or shutil.which("libreoffice")
    if found is None:
        raise DocumentError(
            "unsupported",
            f"Old Office formats need LibreOffice, which is not installed. Install {_PACKAGES}, "
            "or save the file as DOCX, PPTX or PDF.",
        )
    return found
