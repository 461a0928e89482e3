"""Who may read what, written down once more: the rule that every way out is compared with.

RIGHTS_EXAMPLES sets how many random principals and filters are tried.
"""

import os
from dataclasses import dataclass, replace

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
STACKED = "okapi"  # what a source holds that was never synced is called so
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
staff = principals.flatmap(  # of every role; a curator looks after a group
    lambda one: st.sampled_from(
        [
            *(replace(one, roles=frozenset({role})) for role in Role if role is not Role.CURATOR),
            replace(one, roles=frozenset({Role.CURATOR}), curates=frozenset({"group:hr"})),
        ]
    )
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
    word: str = ""  # in its folder, its name, its title and its text, and nowhere else
    uri: str = ""


def may_read(asker: Principal, paper: Paper) -> bool:
    """The rule, in words: same tenant, cleared for the level, and named among its readers.

    An auditor reads none.
    The owner of the data folder is a reader of everything in the tenant.
    """
    if not asker.reads_documents:  # an auditor
        return False
    if asker.tenant != paper.tenant or asker.clearance < paper.level:
        return False
    if asker.is_owner or "everyone" in paper.readers or f"user:{asker.user}" in paper.readers:
        return True
    return any(f"group:{name}" in paper.readers for name in asker.groups)
