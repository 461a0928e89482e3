"""All that is held of a person, as one archive (GDPR, article 15)."""

import json
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sovereign_rag.access import Principal
from sovereign_rag.catalog.records import AuditEntry
from sovereign_rag.errors import BadInput, EnvironmentFault, NotFound
from sovereign_rag.privacy.find import Finder
from sovereign_rag.services.container import Service
from sovereign_rag.storage.audit import entry
from sovereign_rag.storage.audit_all import AllRecords
from sovereign_rag.storage.audit_search import labels_of, people_of


def write_report(
    service: Service,
    tenant: str,
    person: str,
    mentions: Sequence[str],
    file: Path,
    principal: Principal,
) -> dict[str, int]:
    """Write the archive, which is on the audit record first.

    Args:
        mentions: Texts whose places in documents are told as well, by document and page.

    Returns:
        What it holds, by kind.

    Raises:
        BadInput: There is a file of that name.
        EnvironmentFault: It can't be written.
    """
    service.audit.append(entry("access.report", principal, {"person": f"user:{person}"}))
    held = service.catalog.traces.held_of(tenant, person)
    acts = list(_acts(service, tenant, f"user:{person}"))
    finder = Finder(service.catalog, service.content, service.settings.audit.writer)
    uploads = _uploads(service, tenant, person)
    pages = list(_mentions(service, finder, tenant, mentions))
    readable = service.catalog.traces.named_as_reader(tenant, f"user:{person}")
    said = service.conversations.held_of(tenant, f"user:{person}")
    try:
        with zipfile.ZipFile(file, "x", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("catalog.json", _json(held))
            archive.writestr("conversations.json", _json(said))
            archive.writestr("record.jsonl", "".join(_json(act, None) + "\n" for act in acts))
            archive.writestr("named_as_reader.json", _json(readable))
            archive.writestr("mentions.json", _json(pages))
            for id_, name, path in uploads:
                archive.write(path, f"uploads/{id_}/{Path(name).name}")
        file.chmod(0o600)
    except FileExistsError as error:
        raise BadInput(f"{file} is there already. Name a new file.") from error
    except OSError as error:
        raise EnvironmentFault(f"{file} can't be written: {error.strerror}.") from error
    counts = {name: len(rows) for name, rows in held.items()}
    return {
        **counts,
        "acts on record": len(acts),
        "documents that name the person as reader": len(readable),
        "uploads": len(uploads),
        "documents that mention the person": len(pages),
    }


def _acts(service: Service, tenant: str, label: str) -> Iterable[Mapping[str, Any]]:
    """What the record tells of the person: their own acts whole, of others' that they are named."""
    for found in AllRecords(service.audit, service.catalog).read():
        act = found.entry
        if act.tenant != tenant:
            continue
        if act.principal == label:
            yield {"number": found.number, **asdict(act), "at": act.at.isoformat()}
        elif label in labels_of(act) | people_of(act):
            yield _named(found.number, act)


def _named(number: int, act: AuditEntry) -> Mapping[str, Any]:
    """Of somebody else's act no more than that it names the person."""
    return {"number": number, "at": act.at.isoformat(), "action": act.action, "named": True}


def _uploads(service: Service, tenant: str, person: str) -> list[tuple[str, str, Path]]:
    found = []
    for id_, uri, name, _ in service.catalog.traces.documents(tenant):
        if uri.startswith(f"upload:user:{person}/"):
            record = service.catalog.documents.known(tenant, id_)
            if record is not None and record.content_hash:
                try:
                    found.append((id_, name, service.content.original(record.content_hash)))
                except NotFound:  # not kept
                    continue
    return found


def _mentions(
    service: Service, finder: Finder, tenant: str, texts: Sequence[str]
) -> Iterable[Mapping[str, Any]]:
    for id_, _, _, title in service.catalog.traces.documents(tenant) if texts else ():
        pages = finder.mentions(tenant, id_, texts)
        if pages:
            yield {"document": id_, "title": title, "pages": pages}


def _json(value: object, indent: int | None = 1) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent, default=str)
