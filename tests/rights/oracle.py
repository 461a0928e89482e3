"""Who may read what, written down once more: the rule that every way out is compared with.

RIGHTS_EXAMPLES sets how many random principals and filters are tried.
"""

import os
from dataclasses import dataclass

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from sovereign_rag.access import Principal, local_owner
from sovereign_rag.roles import READER_ALONE, Role

EXAMPLES = int(os.environ.get("RIGHTS_EXAMPLES", "150"))
often = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

TENANTS = ("north", "south")
USERS = ("ana", "bob", "cleo")
GROUPS = ("hr", "finance", "board")
LEVELS = (0, 1, 2, 3)
LABELS = ("everyone", *(f"user:{user}" for user in USERS), *(f"group:{name}" for name in GROUPS))
TYPES = ("application/pdf", "text/plain")

readers = st.frozensets(st.sampled_from(LABELS), max_size=3)
levels = st.sampled_from(LEVELS)
principals = st.builds(
    Principal,
    user=st.sampled_from(USERS),
    groups=st.frozensets(st.sampled_from(GROUPS)),
    tenant=st.sampled_from(TENANTS),
    clearance=levels,
    roles=st.sampled_from([READER_ALONE, frozenset({Role.ADMIN})]),
)
askers = st.one_of(principals, st.sampled_from(TENANTS).map(local_owner))


@dataclass(frozen=True)
class Paper:
    """A document as the oracle knows it."""

    id: str
    tenant: str
    readers: frozenset[str]
    level: int
    language: str
    media_type: str


def may_read(asker: Principal, paper: Paper) -> bool:
    """The rule, in words: same tenant, cleared for the level, and named among its readers.

    The owner of the data folder is a reader of everything in the tenant.
    """
    if asker.tenant != paper.tenant or asker.clearance < paper.level:
        return False
    if asker.is_owner or "everyone" in paper.readers or f"user:{asker.user}" in paper.readers:
        return True
    return any(f"group:{name}" in paper.readers for name in asker.groups)
