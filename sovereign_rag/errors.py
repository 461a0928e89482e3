"""Every error we raise, drawn as a tree.

    SovereignError
    ├── BadInput                 400  the caller can mend it
    │   ├── SettingsError             a setting is misspelt or impossible
    │   └── TooLarge             413
    ├── ErasedBefore             409  it was erased for good, and is not taken in again
    ├── SyncRefused              409  a source looks emptied or unmounted
    ├── CallerLeft               499  nobody waits for the answer any more
    ├── TooSlow                  408  the request did not arrive in time
    ├── Unauthenticated          401
    ├── Forbidden                403
    ├── NotFound                 404  also for what the caller may not read
    │   └── UnknownModel              a client names a model that is not offered
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
        ├── KeyUnavailable            what is encrypted can't be opened with the key at hand
        ├── DataDamaged               stored bytes were changed, moved or cut off
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


class CuratedAnswerRefused(BadInput):
    """An answer of the house can't be kept as it was given."""

    def __init__(self, problem: str, detail: str) -> None:
        """`problem` names what is wrong, for the page's own words."""
        self.problem = problem
        super().__init__(detail)


class SettingsError(BadInput):
    """A setting is misspelt, has an impossible value, or names what isn't there."""


class TooLarge(BadInput):
    status = 413


class KeyReused(SovereignError):
    """An idempotency key came again with something else; or a form, whose key was made."""

    status = 409


class CannotReread(SovereignError):
    """A document can't be read again: its original or its password is not kept."""

    status = 409


class DocumentChanged(SovereignError):
    """It was to be done only as long as the document has a content that it hasn't any more."""

    status = 412


class RightsOfSource(SovereignError):
    """Who may read the document is said by a source, not by whoever asks."""

    status = 409


class ErasedBefore(SovereignError):
    """What is handed in was erased for good; the message says who may let it in again."""

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


class UnknownModel(NotFound):
    """A client names a model that is not offered."""

    param = "model"


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
    retry_after_s: float | None = None  # when it may work again, where that is known


class StoreError(EnvironmentFault):
    """The vector store can't be reached or refused a request."""

    retry_after_s: float

    def __init__(self, message: str, *, retry_after_s: float = 3.0) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(message)


class CatalogError(EnvironmentFault):
    """The catalog database can't be reached, is locked, or is of another version."""


class DirectoryLost(EnvironmentFault):
    """The organisation's directory can't be asked, so that nobody knows what people may do."""


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


class KeyUnavailable(EnvironmentFault):
    """The key of what is encrypted at rest is missing, or is another one; nothing is lost."""


class DataDamaged(EnvironmentFault):
    """What is stored encrypted was changed, moved or cut off since."""

    def __init__(self, what: str) -> None:
        super().__init__(
            f"The stored {what} is not what was stored: it was changed, moved or cut off. Restore "
            "it from a backup, or ingest its document again."
        )


class Busy(EnvironmentFault):
    """Every place is taken; `retry_after_s` estimates when one is free."""

    status = 429
    retry_after_s: float

    def __init__(self, message: str, *, retry_after_s: float) -> None:
        self.retry_after_s = retry_after_s
        super().__init__(message)


class ShuttingDown(EnvironmentFault):
    """The service ends; what was streamed is asked for again in a moment."""

    def __init__(self) -> None:
        super().__init__("The service is being restarted. Ask again in a moment.")
