"""The service on a socket, over the papers of the oracle, and who calls it."""

from collections.abc import Iterable
from dataclasses import dataclass, field

import httpx

from sovereign_rag.access import Principal
from sovereign_rag.roles import Role
from sovereign_rag.wiring import Application
from tests.rights.oracle import Paper, may_read

NOWHERE = "00000000-0000-4000-8000-000000000000"


@dataclass
class Site:
    """The service on a socket, and who calls it."""

    url: str
    application: Application
    papers: list[Paper]
    _keys: dict[Principal, str] = field(default_factory=dict)
    _clients: dict[Principal, httpx.Client] = field(default_factory=dict)
    _browsers: dict[Principal, httpx.Client] = field(default_factory=dict)

    def key(self, asker: Principal) -> str:
        """The secret of a key of the asker's."""
        if asker not in self._keys:
            _, self._keys[asker] = self.application.catalog.keys.create(
                "test",
                asker.user,
                groups=asker.groups,
                tenant=asker.tenant,
                clearance=asker.clearance,
                role=Role.ADMIN if asker.is_admin else Role.READER,
            )
        return self._keys[asker]

    def client(self, asker: Principal) -> httpx.Client:
        """A connection with a key of the asker's."""
        if asker not in self._clients:
            headers = {"Authorization": f"Bearer {self.key(asker)}"}
            self._clients[asker] = httpx.Client(base_url=self.url, headers=headers, timeout=120)
        return self._clients[asker]

    def browser(self, asker: Principal) -> httpx.Client:
        """A browser that the asker signed in with."""
        if asker not in self._browsers:
            headers = {"Accept": "text/html", "Sec-Fetch-Site": "same-origin"}
            browser = httpx.Client(base_url=self.url, headers=headers, timeout=120)
            browser.post("/sign-in", data={"key": self.key(asker)})
            self._browsers[asker] = browser
        return self._browsers[asker]

    def seen_by(self, asker: Principal) -> tuple[list[Paper], list[Paper]]:
        """What the rule shows the asker, and what it hides."""
        shown = [paper for paper in self.papers if may_read(asker, paper)]
        return shown, [paper for paper in self.papers if paper not in shown]

    def close(self) -> None:
        for client in (*self._clients.values(), *self._browsers.values()):
            client.close()


def ids(papers: Iterable[Paper]) -> set[str]:
    return {paper.id for paper in papers}
