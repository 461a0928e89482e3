"""Sources that were added on the console, beside those of the settings."""

import logging

from pydantic import TypeAdapter, ValidationError

from sovereign_rag.catalog.catalog import Catalog
from sovereign_rag.settings import AnySource, Settings

log = logging.getLogger(__name__)
_SECTION: TypeAdapter[AnySource] = TypeAdapter(AnySource)


def with_added(settings: Settings, catalog: Catalog) -> Settings:
    """The settings as they would be if the console's sources stood in them.

    A name that the settings have is theirs. A source that this version can't read is left out.
    """
    found = dict(settings.sources)
    for plan in catalog.source_plans.all():
        if plan.section is None or plan.name in found:
            continue
        try:
            section = _SECTION.validate_python({**plan.section, "tenant": plan.tenant})
        except ValidationError as error:
            log.warning("The source %s can't be read and is left out: %s", plan.name, error)
            continue
        found[plan.name] = section
    return settings.model_copy(update={"sources": found})
