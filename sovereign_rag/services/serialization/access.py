"""Why somebody can or can't read a document, as it goes out."""

from typing import Self

from pydantic import Field

from sovereign_rag.services.explanation import Explanation, LabelOrigin, Verdict
from sovereign_rag.services.serialization.body import Body
from sovereign_rag.storage.audit_search import RightChange


class GivenOut(Body):
    """The act that gave a right, as the audit record has it."""

    number: int = Field(description="Of the entry in the audit record.")
    at: str
    by: str = Field(description="Who did it.")
    action: str = Field(description="`ingest`: an upload or a command; `sync.rights`: a source.")
    said_by: str | None = Field(
        description="What of a source says so: its `.access.yaml`, its section of the settings."
    )
    origin: list[str] = Field(description="The source, or the paths that a command was given.")

    @classmethod
    def of(cls, change: RightChange, *, shows_names: bool) -> Self:
        return cls(
            number=change.number,
            at=change.at.isoformat(),
            by=change.person,
            action=change.action,
            said_by=change.said_by if shows_names else None,
            origin=list(change.origin) if shows_names else [],
        )


class LabelOut(Body):
    """Somebody who may read the document."""

    label: str
    since: GivenOut | None = Field(
        description="Since when without a break; null: the record does not reach back so far."
    )

    @classmethod
    def of(cls, origin: LabelOrigin, *, shows_names: bool) -> Self:
        given = origin.given
        since = None if given is None else GivenOut.of(given, shows_names=shows_names)
        return cls(label=origin.label, since=since)


class VerdictOut(Body):
    """What holds of the person by one of their ways in."""

    known_by: str = Field(
        description="`as asked`, `the directory`, or the key that says who they are."
    )
    groups: list[str]
    clearance: int
    readable: bool
    meets: list[str] = Field(description="Labels that the person and the document share.")
    cleared: bool = Field(description="Whether the document's level is within the clearance.")

    @classmethod
    def of(cls, verdict: Verdict) -> Self:
        principal, judgement = verdict.person.principal, verdict.judgement
        return cls(
            known_by=verdict.person.known_by,
            groups=sorted(principal.groups),
            clearance=principal.clearance,
            readable=judgement.allows,
            meets=sorted(judgement.meets),
            cleared=judgement.is_cleared,
        )


class ExplanationOut(Body):
    """Why somebody can or can't read a document."""

    document_id: str
    uri: str | None = Field(description="Null where the caller may not read the document.")
    user: str
    readable: bool
    level: int
    labels: list[LabelOut] = Field(description="Who may read it, beside the owner.")
    verdicts: list[VerdictOut]
    sources: list[str] = Field(description="Sources that hold it.")
    last_change: GivenOut | None

    @classmethod
    def of(cls, told: Explanation) -> Self:
        shows, last = told.shows_names, told.last_change
        return cls(
            document_id=told.document.id,
            uri=told.document.uri if shows else None,
            user=told.verdicts[0].person.principal.user,
            readable=told.allows,
            level=told.document.level,
            labels=[LabelOut.of(origin, shows_names=shows) for origin in told.labels],
            verdicts=list(map(VerdictOut.of, told.verdicts)),
            sources=list(told.sources),
            last_change=None if last is None else GivenOut.of(last, shows_names=shows),
        )
