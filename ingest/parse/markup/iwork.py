"""Pages, Numbers and Keynote by the preview that they keep of themselves.

The documents themselves are in a format of Apple's own that it has not described.
"""

import zipfile
from dataclasses import replace
from pathlib import Path

from ingest.parse.document.attachments import stored
from ingest.parse.document.blocks import DocumentDraft
from ingest.parse.document.job import Job
from sovereign_rag.errors import DocumentError

_WHOLE = "quicklook/preview.pdf"
_PICTURES = ("preview.jpg", "quicklook/thumbnail.jpg", "preview-web.jpg", "preview-micro.jpg")


def read_iwork(path: Path, job: Job) -> DocumentDraft:
    """The `Reader` of Pages, Numbers and Keynote.

    Raises:
        DocumentError: "unsupported": the file has no preview; or what the preview's reader raises.
    """
    with zipfile.ZipFile(path) as archive:
        members = {name.lower(): name for name in archive.namelist()}
        name = next((n for n in (_WHOLE, *_PICTURES) if n in members), None)
        if name is None:
            raise DocumentError(
                "unsupported",
                "The file has no preview that could be read. In Pages, Numbers or Keynote choose "
                "File, Export To, PDF (or Word, Excel, PowerPoint), and ingest that.",
            )
        data = archive.read(members[name])
    folder = path.with_name("preview")
    folder.mkdir()
    draft = stored(members[name], data).read(folder, job)
    if name == _WHOLE:
        return draft
    only = "Only the picture of its first page was read. Export it as PDF to have all of it."
    return replace(draft, warnings=(*draft.warnings, only))
