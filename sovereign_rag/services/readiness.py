"""Whether the parts of the service can be used."""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

from sovereign_rag.errors import SovereignError
from sovereign_rag.generation.protocol import LanguageModel, Watched
from sovereign_rag.indexes.open_indexes import OpenIndexes
from sovereign_rag.system.comparison import Compared

_LEAST_FREE_MIB = 256


def state_of(check: Callable[[], object]) -> str:
    """Say `ok`, or what is wrong, in words for whoever runs the service."""
    try:
        check()
    except SovereignError as error:
        return str(error)
    return "ok"


def readiness_of(
    checks: Mapping[str, Callable[[], object]],
    *,
    elsewhere: Mapping[str, Callable[[], object]],
    language_model: Callable[[], LanguageModel | None],
    indexes: OpenIndexes,
    data_dir: Path,
) -> dict[str, str]:
    """Each component with "ok", or what is wrong with it; see `Service.readiness`.

    Args:
        elsewhere: Parts that servers of the network may compute; one that is not there is left out.
    """
    report = {name: state_of(check) for name, check in checks.items()}
    for name, part in elsewhere.items():
        if (state := _state_elsewhere(part)) is not None:
            report[name] = state
    report["generation"] = state_of(language_model)
    if report["generation"] == "ok":
        opened = language_model()
        trouble = opened.trouble() if isinstance(opened, Watched) else None
        report["generation"] = f"limited: {trouble}" if trouble else "ok"
    report["index"] = _index_state(indexes)
    free_mib = shutil.disk_usage(data_dir).free >> 20
    report["disk"] = "ok" if free_mib > _LEAST_FREE_MIB else f"only {free_mib} MiB are free"
    return report


def _state_elsewhere(part: Callable[[], object]) -> str | None:
    try:
        opened = part()
    except SovereignError as error:
        return str(error)
    trouble = opened.trouble() if isinstance(opened, Compared) else None
    return None if opened is None else trouble or "ok"


def _index_state(indexes: OpenIndexes) -> str:
    try:
        if indexes.trouble is not None:
            return indexes.trouble
        if indexes.differences():
            return "limited: the settings want another one; run `sovereign-rag reindex`"
    except SovereignError as error:  # the wanted model is not here; the one in use may be
        return f"limited: {error}"
    return "ok"
