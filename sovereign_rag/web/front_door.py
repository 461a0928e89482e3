"""Where the console begins, by what somebody may do there."""

from sovereign_rag.access import Principal
from sovereign_rag.roles import Scope


def front_door(principal: Principal) -> str:
    """The first part for somebody to whom at least one is open."""
    if principal.is_admin:
        return "/admin"
    return "/admin/audit" if principal.may(Scope.AUDIT) else "/admin/upload"
