"""What a command does without opening the product, on the record all the same."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from sovereign_rag.access import local_owner
from sovereign_rag.cli.app import CommandRun


@contextmanager
def audited(
    run: CommandRun, action: str, detail: Mapping[str, object]
) -> Iterator[dict[str, object]]:
    """On record before it begins, and with its end: what can't be recorded isn't done.

    Yields what the end is to tell beside `detail`, to be filled in.
    """
    from sovereign_rag.storage.audit_opening import opened_audit
    from sovereign_rag.storage.audit_steps import on_record

    with (
        opened_audit(run.settings) as audit,
        on_record(audit, action, local_owner(), detail) as outcome,
    ):
        yield outcome
