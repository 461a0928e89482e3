"""Any LlamaIndex reader as a source: what it loads becomes documents of ours.

A reader hands over text, not files, so its text is stored as the original, and quotes are found
in it. Importing this module imports LlamaIndex, which takes some seconds; nothing of the product
imports it by itself.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from types import MappingProxyType

from llama_index.core.readers.base import BaseReader
from llama_index.core.schema import Document

from sovereign_rag.access import DEFAULT_TENANT
from sovereign_rag.catalog.records import NewTask
from sovereign_rag.errors import BadInput, EnvironmentFault
from sovereign_rag.storage.content import ContentStore

_SOURCE = re.compile(r"[a-z][a-z0-9+.-]{0,63}")
_TAKEN = frozenset({"file", "upload"})  # another source's documents would be replaced
_RANDOM_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_IDENTITIES = ("file_path", "url", "source", "id")
_NAMES = ("file_name", "title", "name", "subject")
_TIMES = ("last_modified_date", "modified", "updated_at")
_TEXT_SUFFIXES = (".txt", ".md", ".markdown", ".rst", ".org", ".csv", ".tsv")


def read(
    reader: BaseReader,
    content: ContentStore,
    *,
    source: str,
    readers: frozenset[str],
    level: int = 0,
    tenant: str = DEFAULT_TENANT,
) -> Iterator[NewTask]:
    """Load everything that `reader` gives, as tasks for a job (`Ingestion.take_in`).

    For a reader whose `load_data` takes arguments, call that and hand its documents to `tasks`.

    Args:
        source: Names the source within the tenant, e.g. "wiki"; it becomes the start of each
            document's URI, so that the same document of the same source is the same document
            next time.
        readers: Labels of who may read; empty: nobody but the owner.
        tenant: Whose documents they are: its keys open them where contents are encrypted.

    Raises:
        BadInput: The source's name is impossible or taken.
        EnvironmentFault: The reader failed, while the tasks are taken.
    """
    return tasks(
        _loaded(reader), content, source=source, readers=readers, level=level, tenant=tenant
    )


def tasks(
    documents: Iterable[Document],
    content: ContentStore,
    *,
    source: str,
    readers: frozenset[str],
    level: int = 0,
    tenant: str = DEFAULT_TENANT,
) -> Iterator[NewTask]:
    """As `read`, for documents that a reader has loaded. One without text is left out."""
    if not _SOURCE.fullmatch(source) or source in _TAKEN:
        raise BadInput(
            f"{source!r} can't name a source: take lower-case letters, digits and . + -, and "
            f"neither of {', '.join(sorted(_TAKEN))}."
        )
    return _tasks(documents, content, source, readers, level, tenant)


def _tasks(
    documents: Iterable[Document],
    content: ContentStore,
    source: str,
    readers: frozenset[str],
    level: int,
    tenant: str,
) -> Iterator[NewTask]:
    for identity, name, modified, document in identified(documents):
        text = document.get_content()
        content_hash, _ = content.add_stream([text.encode("utf-8", "replace")], tenant=tenant)
        yield NewTask(
            uri=f"{source}:{identity}",
            name=name,
            readers=readers,
            level=level,
            content_hash=content_hash,
            modified=modified,
        )


def identified(
    documents: Iterable[Document],
) -> Iterator[tuple[str, str, datetime | None, Document]]:
    """Documents with identity, name and time; one without text is left out.

    The identity is the same when the document is loaded again, and no two share one.
    """
    seen: Counter[str] = Counter()
    for document in documents:
        text = document.get_content()
        if not text.strip():
            continue
        identity = _identity(document, text)
        seen[identity] += 1
        if seen[identity] > 1:  # several parts of one origin: none may replace another
            identity = f"{identity}#{seen[identity]}"
        yield identity, _name(document), _modified(document), document


def load(reader: BaseReader, arguments: Mapping[str, object]) -> Iterator[Document]:
    """What a reader loads; `arguments` are for its `load_data`. Raises EnvironmentFault."""
    return _loaded(reader, arguments)


def _loaded(
    reader: BaseReader, arguments: Mapping[str, object] = MappingProxyType({})
) -> Iterator[Document]:
    # Most readers have but one of the two methods.
    is_lazy = type(reader).lazy_load_data is not BaseReader.lazy_load_data
    try:
        load_data = reader.lazy_load_data if is_lazy else reader.load_data
        yield from load_data(**arguments)
    except Exception as error:  # a reader may raise anything
        raise EnvironmentFault(
            f"The reader {type(reader).__name__} failed: {type(error).__name__}: {error}. Mend "
            "its source or its arguments, and read again."
        ) from error


def _identity(document: Document, text: str) -> str:
    """What stays the same when the document is loaded again: not LlamaIndex's random id."""
    named = next((str(v) for key in _IDENTITIES if (v := document.metadata.get(key))), None)
    if named is None and not _RANDOM_ID.fullmatch(document.doc_id):
        named = document.doc_id
    if named is None:
        return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:32]
    page = document.metadata.get("page_label")
    return f"{named}#page={page}" if page else named


def _name(document: Document) -> str:
    """The name that the reader knows, with a suffix that says what we have of it: text."""
    name = next((str(v) for key in _NAMES if (v := document.metadata.get(key))), "document")
    return name if name.lower().endswith(_TEXT_SUFFIXES) else f"{name}.txt"


def _modified(document: Document) -> datetime | None:
    for key in _TIMES:
        try:
            found = datetime.fromisoformat(str(document.metadata.get(key)))
        except ValueError:
            continue
        return found if found.tzinfo else found.replace(tzinfo=UTC)
    return None
