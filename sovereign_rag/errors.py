"""Every error we raise, drawn as a tree.

    SovereignError
    ├── BadInput                 400  the caller can mend it
    │   ├── SettingsError             a setting is misspelt or impossible
    │   └── TooLarge             413
    ├── SyncRefused              409  a source looks emptied or unmounted
    ├── CallerLeft               499  nobody waits for the answer any more
    ├── TooSlow                  408  the request did not arrive in time
    ├── Unauthenticated          401
    ├── Forbidden                403
    ├── NotFound                 404  also for what the caller may not read
    ├── DocumentError            422  this document's fault: it fails, the job goes on
    │   └── NoText
    └── EnvironmentFault         503  this machine's fault: the job pauses and tries again
        ├── StoreError
        ├── CatalogError
        ├── IndexSwitched             what was begun is for an index that is not live any more
        ├── ModelError
        │   └── ModelMissing
        ├── GenerationError
        ├── ParserUnavailable
        ├── AuditError                what can't be audited isn't released
        ├── ShuttingDown              the service is going down; another, or itself, comes back
        └── Busy                 429

The facts are attributes where a program needs them, the message ends with the way out, and the
class name is the stable code that clients match. One handler makes HTTP of it.
"""


class SovereignError(Exception):
    """Base of all; `status` is what the API answers, `exit_code` what the command line does."""

    status = 500
    exit_code = 1

    @property
    def code(self) -> str:
        return type(self).__name__


class BadInput(SovereignError):
    status = 400
    exit_code = 2


class SettingsError(BadInput):
    """A setting is misspelt, has an impossible value, or names what isn't there."""


class TooLarge(BadInput):
    status = 413


class KeyReused(SovereignError):
    """An idempotency key came again with something else."""

    status = 409


class SyncRefused(SovereignError):
    """A sync would delete more than it may: the source looks emptied or unmounted."""

    status = 409
    exit_code = 7


class CallerLeft(SovereignError):
    """The caller is gone, so the work was stopped at its next step; nobody reads this."""

    status = 499

    def __init__(self) -> None:
        super().__init__("The caller left before the answer was ready.")


class TooSlow(SovereignError):
    """A request did not arrive in time."""

    status = 408


class Unauthenticated(SovereignError):
    """No principal, or a key that isn't valid (any more)."""

    status = 401
    exit_code = 4


class Forbidden(SovereignError):
    """The principal is known and may not do this; never used for reading documents."""

    status = 403
    exit_code = 4


class NotFound(SovereignError):
    """It does not exist, or the caller may not know that it does: the same answer."""

    status = 404
    exit_code = 5


class DocumentError(SovereignError):
    """This document can't be read; `reason` is a stable word such as "encrypted" or "timeout"."""

    status = 422

    def __init__(self, reason: str, message: str) -> None:
        self.reason = reason
        super().__init__(message)


class NoText(DocumentError):
    """A file with content gave no text: an error, never a success."""

    def __init__(self, message: str) -> None:
        super().__init__("no_text", message)


class EnvironmentFault(SovereignError):
    """The machine, not the document, is at fault; the same call may work later."""

    status = 503
    exit_code = 3


class StoreError(EnvironmentFault):
    """The vector store can't be reached or refused a request."""


class CatalogError(EnvironmentFault):
    """The catalog database can't be reached, is locked, or is of another version."""


class IndexSwitched(EnvironmentFault):
    """What was begun is for an index that is not the live one any more; nothing was published."""


class ModelError(EnvironmentFault):
    """A model's file is broken, of the wrong kind, or not the one in the manifest."""


class ModelMissing(ModelError):
    """A model isn't on this machine; the message says how to bring it, offline."""


class GenerationError(EnvironmentFault):
    """The language model failed while writing."""


class ParserUnavailable(EnvironmentFault):
    """The parsing process can't be started or a protection it needs is missing."""


class AuditError(EnvironmentFault):
    """The audit record could not be written, so nothing is released."""


class Busy(EnvironmentFault):
    """Every place is taken; `retry_after_s` estimates when one is free."""

    status = 429

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(message)


class ShuttingDown(EnvironmentFault):
    """The service ends; what was streamed is asked for again in a moment."""

    def __init__(self) -> None:
        super().__init__("The service is being restarted. Ask again in a moment.")
