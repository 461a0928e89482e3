"""How lines are logged: for people, or as JSON; libraries are silent unless they warn."""

import json
import logging
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Final

request_id_var: ContextVar[str | None] = ContextVar("request_id", default=None)
"""Of the request that is being answered, in its task and the threads that it calls."""

_OURS: Final = ("sovereign_rag", "ingest")
_LIBRARIES_AT: Final = {"debug": logging.INFO}
_ACCESS: Final = "sovereign_rag.access_log"


class JsonLines(logging.Formatter):
    """One JSON object a line: when, level, logger, message, request id; a failure's trace."""

    def format(self, record: logging.LogRecord) -> str:
        told: dict[str, Any] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if (request_id := request_id_var.get()) is not None:
            told["request_id"] = request_id
        told |= getattr(record, "fields", {})
        if record.exc_info:
            told["trace"] = self.formatException(record.exc_info)
        return json.dumps(told, ensure_ascii=False, default=str)


class TextLines(logging.Formatter):
    """A line for people, with the request's id at its end where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        line = super().format(record)
        request_id = request_id_var.get()
        return line if request_id is None else f"{line} [request {request_id}]"


def configure_logging(level: str, *, as_json: bool = False, access_log: bool = False) -> None:
    """Log to stderr; `level` is for our own lines, libraries warn.

    Args:
        level: debug, info, warning or error. At debug, libraries tell what they do, too.
        access_log: Whether each request has a line, whatever the level.
    """
    handler = logging.StreamHandler()
    handler.setFormatter(
        JsonLines() if as_json else TextLines("%(asctime)s %(levelname)s %(name)s: %(message)s")
    )
    own = logging.getLevelName(level.upper())
    root = logging.getLogger()
    if not root.handlers:  # whoever embeds us has set them already
        root.addHandler(handler)
    root.setLevel(max(_LIBRARIES_AT.get(level, logging.WARNING), own))
    for name in _OURS:
        logging.getLogger(name).setLevel(own)
    logging.getLogger(_ACCESS).setLevel(logging.INFO if access_log else logging.WARNING)
