"""A file of whatever format as a draft: what it is, its password, its weight, its reader."""

from dataclasses import replace
from pathlib import Path

from ingest import detect
from ingest.parse import readers
from ingest.parse.document.blocks import DocumentDraft
from ingest.parse.document.decrypt import opened
from ingest.parse.document.job import Job
from ingest.parse.document.zip_bombs import check_zip, starts_like_zip


def read_file(path: Path, job: Job) -> tuple[str, DocumentDraft]:
    """The media type of a file and what its reader makes of it.

    Readers are handed this very function for the documents within theirs.

    Raises:
        DocumentError: It can't be read; any other exception is taken for a damaged document.
    """
    kind = job.media_type or detect.media_type(path, name=job.name)
    plain = opened(path, kind, job.password)
    if plain != path:
        path, kind = plain, detect.media_type(plain, name=job.name)
    if starts_like_zip(path):
        check_zip(path)
    return kind, readers.reader_of(kind)(path, replace(job, read_inner=read_file))
