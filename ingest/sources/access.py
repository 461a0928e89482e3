"""Who may read an entry of a source: the nearest word on it counts, and no word means nobody.

From near to far: the sidecar of its folder, those of the folders above, the paths of the
source's section in the settings; then the place itself (POSIX, metadata) where the source is
asked to honour it, else the readers of the source.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from ingest.sources import sidecar
from ingest.sources.sidecar import AccessRule, AccessRules, InvalidSidecar
from ingest.sources.source import Entry, Sidecar
from sovereign_rag.access import EVERYONE, parse_readers
from sovereign_rag.errors import BadInput
from sovereign_rag.settings import MetadataMapping


class AccessOrigin(StrEnum):
    """Who said so."""

    SIDECAR = "sidecar"
    PATHS = "paths"
    POSIX = "posix"
    METADATA = "metadata"
    READERS = "readers"
    INVALID = "invalid sidecar"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Access:
    """Who may read an entry, and who said so."""

    readers: frozenset[str]
    level: int
    origin: AccessOrigin
    place: str = field(default="", compare=False)  # the sidecar's path, or the pattern that fits

    @property
    def said_by(self) -> str:
        """Who said so, for the record: "sidecar finance/.access.yaml"."""
        return f"{self.origin} {self.place}".strip()


@dataclass(frozen=True, slots=True)
class Policy:
    """What the settings or the command say of a source."""

    readers: frozenset[str] | None = None  # None: nobody said anything
    level: int = 0
    paths: tuple[tuple[str, frozenset[str]], ...] = ()
    honours: AccessOrigin | None = None  # POSIX or METADATA: the place itself says who may read
    metadata: MetadataMapping | None = None


@dataclass(frozen=True, slots=True)
class InvalidAccess:
    """A sidecar that can't be understood: nobody reads what lies at it and below."""

    key: str
    problem: str


@dataclass(frozen=True)
class Resolver:
    """Answers for every entry of one listing."""

    policy: Policy
    rules: Mapping[str, AccessRules] = field(default_factory=dict)  # by folder
    invalid: tuple[InvalidAccess, ...] = ()
    _closed: frozenset[str] = frozenset()  # folders of those

    @classmethod
    def of(cls, policy: Policy, sidecars: Iterable[Sidecar]) -> "Resolver":
        """Read the sidecars of a listing; what is wrong with one is kept, not raised."""
        rules: dict[str, AccessRules] = {}
        invalid: list[InvalidAccess] = []
        closed: set[str] = set()
        for found in sidecars:
            try:
                if found.problem is not None:
                    raise InvalidSidecar(found.problem)
                rules[found.folder] = sidecar.parse(found.data)
            except InvalidSidecar as error:
                invalid.append(InvalidAccess(_sidecar_of(found.folder), str(error)))
                closed.add(found.folder)
        return cls(policy, rules, tuple(invalid), frozenset(closed))

    def access(self, entry: Entry, facts: tuple[str, ...] | None = None) -> Access:
        """Who may read `entry`; `facts` are its metadata's values."""
        base, above = self.policy.level, _above(entry.key)
        for folder in above:
            if folder in self._closed:
                return Access(frozenset(), base, AccessOrigin.INVALID, _sidecar_of(folder))
        readers: frozenset[str] | None = None
        origin, level, place = AccessOrigin.UNKNOWN, base, ""
        said_level = False
        for folder in above:  # the nearest first
            rule = self._rule(folder, entry.key)
            if rule is None:
                continue
            if readers is None and rule.readers is not None:
                readers, origin = rule.readers, AccessOrigin.SIDECAR
                place = _sidecar_of(folder)
            if not said_level and rule.level is not None:
                level, said_level = max(base, rule.level), True
        if readers is None:
            readers, origin, place = self._without_sidecar(entry, facts)
        return Access(readers, level, origin, place)

    def _rule(self, folder: str, key: str) -> AccessRule | None:
        rules = self.rules.get(folder)
        if rules is None:
            return None
        return rules.for_path(key.removeprefix(f"{folder}/") if folder else key)

    def _without_sidecar(
        self, entry: Entry, facts: tuple[str, ...] | None
    ) -> tuple[frozenset[str], AccessOrigin, str]:
        policy = self.policy
        for pattern, readers in policy.paths:
            if sidecar.matches(pattern, entry.key):
                return readers, AccessOrigin.PATHS, pattern
        if policy.honours is AccessOrigin.POSIX:
            return (
                (entry.readers, AccessOrigin.POSIX, "")
                if entry.readers
                else (frozenset(), AccessOrigin.UNKNOWN, "")
            )
        if policy.honours is AccessOrigin.METADATA and policy.metadata is not None:
            labels = mapped(policy.metadata, facts or ())
            return labels, AccessOrigin.METADATA if labels else AccessOrigin.UNKNOWN, ""
        if policy.readers is None:
            return frozenset(), AccessOrigin.UNKNOWN, ""
        return policy.readers, AccessOrigin.READERS, ""


def mapped(mapping: MetadataMapping, values: Iterable[str]) -> frozenset[str]:
    """The labels that metadata values stand for; one that stands for nothing adds nobody."""
    labels: set[str] = set()
    for value in values:
        if mapping.values:
            labels |= parse_readers(mapping.values.get(value, ""))
            continue
        written = value if mapping.kind == "label" else f"{mapping.kind}:{value}"
        try:
            # Split here, so that "a,everyone" in one value can't add a reader.
            labels |= parse_readers(written) if "," not in written else frozenset()
        except BadInput:
            continue
    if mapping.kind != "label" and not mapping.values:
        labels.discard(EVERYONE)
    return frozenset(labels)


def _sidecar_of(folder: str) -> str:
    return f"{folder}/{sidecar.NAME}" if folder else sidecar.NAME


def _above(key: str) -> list[str]:
    """The folders that a key lies in, the nearest first, the source itself ("") at the end."""
    folders = []
    folder = key.rpartition("/")[0]
    while folder:
        folders.append(folder)
        folder = folder.rpartition("/")[0]
    return [*folders, ""]
