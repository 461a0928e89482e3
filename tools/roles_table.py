"""Write docs/roles.md from the tables of the code: `.venv/bin/python tools/roles_table.py`.

A test holds the file against the code.
"""

from collections.abc import Mapping
from pathlib import Path

from sovereign_rag.http.permissions import NEEDS, TOOLS, Need
from sovereign_rag.roles import SCOPES_OF, Role, Scope

TARGET = Path(__file__).resolve().parent.parent / "docs" / "roles.md"

HEAD = """\
# Who may do what

Made by `tools/roles_table.py` from `sovereign_rag/roles.py` and
`sovereign_rag/http/permissions.py`; don't edit it by hand.

What somebody **reads** is said by labels (`user:ana`, `group:finance`, `everyone`), tenant and
clearance, in the search itself. A **role** opens operations and no document: an admin finds what
their groups find.

| role | for | scopes |
|---|---|---|
"""

ROLES = {
    Role.READER: "asks, searches, opens documents",
    Role.CURATOR: "also takes in, deletes and rereads the documents of given groups or sources",
    Role.ADMIN: "also keys and people, and every document of the tenant that they may read",
    Role.AUDITOR: "the record and the usage; no documents",
}

MIDDLE = """
A key has one role, and may be held to some of its scopes: `keys create --role admin --scopes
ingest` is a loader that asks nothing.

**Curators** are given what they look after: `--curates group:hr,source:contracts`. They change
and delete, among what they read, documents whose readers are these groups and they themselves
alone, documents that such a source holds, and what they handed in; what they take in, only these
groups and they themselves read. Of a document that others read as well they are told to ask an
admin (403).

**Whoever makes keys** decides who people are. Each key is on the record with its maker, and with
`identity.keys_beyond_own_rights = false` admins make none over the API with a group or a
clearance that their own key has not; the command line of the data folder still does. A role ends
when its key does, at the next request.

**People whom the organisation's directory vouches for** have the roles that it says
(`identity.oidc.roles_claim`), and those granted here: `sovereign-rag roles grant ana auditor`,
`POST /v1/roles`, or on the console under People. Each grant is on the record with who gave it,
counts from the person's next request on, and is taken back the same way. A key keeps to its own
role, whoever it stands for.

## Operations

An operation opens to who has one of its scopes; nobody else learns more than that (403). A test
walks every operation with a key of each role.
"""


def main() -> None:
    TARGET.write_text(document(), encoding="utf-8")
    print(f"{TARGET}: {len(NEEDS)} operations")


def document() -> str:
    """docs/roles.md, whole."""
    roles = [f"| `{role}` | {ROLES[role]} | {_words(SCOPES_OF[role])} |" for role in Role]
    api = {name: need for name, need in NEEDS.items() if "/v1/" in name or "/mcp" in name}
    page = {name: need for name, need in NEEDS.items() if name not in api}
    return "\n".join(
        [
            HEAD + "\n".join(roles),
            MIDDLE,
            _table("operation of the API", api),
            "",
            _table("tool at `/mcp`", TOOLS),
            "",
            _table("the page, and what monitors ask", page),
            "",
        ]
    )


def _table(title: str, needs: Mapping[str, Need]) -> str:
    head = f"| {title} | scope | " + " | ".join(Role) + " |"
    rows = [
        f"| `{name}` | {_scope(need)} | "
        + " | ".join("yes" if not need or SCOPES_OF[role] & need else "" for role in Role)
        + " |"
        for name, need in needs.items()
    ]
    return "\n".join([head, "|---" * (2 + len(Role)) + "|", *rows])


def _scope(need: Need) -> str:
    if not need:
        return "none, nor a key"
    return "any" if need == frozenset(Scope) else _words(need, " or ")


def _words(scopes: Need, joined: str = ", ") -> str:
    return joined.join(f"`{scope}`" for scope in Scope if scope in scopes)


if __name__ == "__main__":
    main()
