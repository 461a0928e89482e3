"""What was done since a backup, done again to what it restored."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any

from sovereign_rag.access import local_owner
from sovereign_rag.catalog.records import AuditEntry
from sovereign_rag.errors import EnvironmentFault, NotFound
from sovereign_rag.privacy.encryption import FORGET, EncryptionDesk
from sovereign_rag.privacy.erase import ACTION as ERASE
from sovereign_rag.privacy.erase import Eraser
from sovereign_rag.services.container import Service
from sovereign_rag.storage.audit_walk import ERASED


def redo(
    service: Service, acts: Iterable[AuditEntry], erased: Iterable[Mapping[str, Any]] = ()
) -> dict[str, int]:
    """Delete, revoke and erase again; each may have been done already.

    Args:
        erased: What certificates beside the backups tell of.

    Returns:
        How many of each.

    Raises:
        EnvironmentFault: The store fails, or a file still holds what was erased.
    """
    done = {"deleted": 0, "revoked": 0, "erased": 0, "forgotten": 0}
    acts, eraser = list(acts), Eraser(service)
    lines = defaultdict[str, list[Any]](list)
    for act in acts:
        if act.action == ERASED:
            lines[act.detail["erasure"]] += [line[:2] for line in act.detail["records"]]
    on_record = {
        act.detail["erasure"]: {**act.detail, "lines": lines[act.detail["erasure"]]}
        for act in acts
        if act.action == ERASE
    }
    tombstones = on_record | {facts["erasure"]: facts for facts in erased}
    service.catalog.sessions.end_all()
    for act in acts:
        if act.action == "delete":
            service.erasure.erase(act.tenant, act.detail["document"], act.detail["sha256"])
            done["deleted"] += 1
        elif act.action == "key.revoke":
            with suppress(NotFound):  # it was made since
                service.catalog.keys.revoke(act.detail["key"])
            done["revoked"] += 1
        elif act.action == FORGET:
            done["forgotten"] += _forget_again(service, act.detail["tenant"])
    for facts in tombstones.values():
        again = eraser.erase_again(facts, local_owner(facts["tenant"]))
        if again is not None and not again.scan.is_clean:
            raise EnvironmentFault(
                f"Words that were erased are still in {', '.join(again.scan.found[:5])}. Run "
                "`erase` for the documents of the certificate before anybody searches."
            )
        done["erased"] += again is not None
    return done


def _forget_again(service: Service, tenant: str) -> int:
    """Destroy the keys of a tenant that a restore brought back, and remove its documents."""
    with suppress(NotFound):
        EncryptionDesk(service).forget(tenant, local_owner())
        return 1
    return 0
