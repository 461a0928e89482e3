"""Sources that were added on the console, beside those of the settings."""

import logging

from pydantic import ValidationError

from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.services.remote_sources import SEALED, RemoteSources, read_section
from sovereign_rag.settings import Settings

log = logging.getLogger(__name__)


def with_added(settings: Settings, catalog: Catalog, remote: RemoteSources) -> Settings:
    """The settings as they would be if the console's sources stood in them.

    A name that the settings have is theirs. A source that this version can't read is left out.
    """
    found = dict(settings.sources)
    for plan in catalog.source_plans.all():
        if plan.section is None or plan.name in found:
            continue
        secret = remote.secret_of(plan)
        if SEALED in plan.section and secret is None:
            log.warning(
                "The secret of the source %s can't be opened: what sealed it is gone. Remove the "
                "source on the console, and add it again.",
                plan.name,
            )
        try:
            section = read_section(plan.section, plan.tenant, secret)
        except ValidationError as error:
            # Of the input nothing is told: a secret may stand in it.
            told = "; ".join(str(one["msg"]) for one in error.errors(include_input=False))
            log.warning("The source %s can't be read and is left out: %s", plan.name, told)
            continue
        found[plan.name] = section
    return settings.model_copy(update={"sources": found})
