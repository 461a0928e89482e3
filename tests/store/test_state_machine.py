"""Documents, rights and removals while nodes fail and workers are killed, held against a model.

At each step nobody finds what the last word on a document keeps from them. When the nodes are back
and all is worked off, the store has what the catalog has, once, and everybody finds what is theirs.
STATE_MACHINE_EXAMPLES says how many courses of events are tried, STATE_MACHINE_STEPS how long.
"""

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule, run_state_machine_as_test

from tests.faults import Fault, FaultProxy
from tests.store.fault_house import NAMES, House

EXAMPLES: Final = int(os.environ.get("STATE_MACHINE_EXAMPLES", "4"))
STEPS: Final = int(os.environ.get("STATE_MACHINE_STEPS", "14"))

PEOPLE: Final = {
    "ana": frozenset({"hr"}),
    "bo": frozenset({"it"}),
    "eve": frozenset[str](),
}
READERS: Final = st.frozensets(
    st.sampled_from(["everyone", "group:hr", "group:it", "user:eve"]), max_size=2
)
DOCUMENTS: Final = st.sampled_from(NAMES)
WORDS: Final = st.sampled_from(["kestrel", "osprey", "merlin"])
FAULTS: Final = st.sampled_from(["refuses", "hangs", "resets", "fails", "loses", "delays"])


@dataclass
class Said:
    """The last word on a document."""

    readers: frozenset[str]
    word: str
    words: set[str] = field(default_factory=set)  # handed in since it was last deleted


def may(readers: frozenset[str], name: str) -> bool:
    own = {"everyone", f"user:{name}", *(f"group:{group}" for group in PEOPLE[name])}
    return not own.isdisjoint(readers)


class Ground:
    """What all courses of events share: the nodes, and an empty catalog to copy."""

    def __init__(self, folder: Path, nodes: list[FaultProxy], port: int) -> None:
        self.folder, self.nodes, self.port = folder, nodes, port
        self.number = 0
        self.empty = folder / "empty"
        House(self.empty, nodes, port, tenant="nobody").close()

    def house(self) -> House:
        self.number += 1
        folder = self.folder / f"{self.number}"
        folder.mkdir()
        shutil.copy(self.empty / "catalog.sqlite3", folder)
        return House(folder, self.nodes, self.port, tenant=f"tenant-{self.number}")


@pytest.fixture
def ground(in_memory: Path, nodes: list[FaultProxy], port: int) -> Ground:
    return Ground(in_memory, nodes, port)


def test_whatever_fails_nobody_sees_more_and_in_the_end_store_and_catalog_agree(
    ground: Ground,
) -> None:
    class Course(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.house = ground.house()
            self.said: dict[str, Said] = {}

        @rule(name=DOCUMENTS, word=WORDS, readers=READERS, is_long=st.booleans())
        def hand_in(self, name: str, word: str, readers: frozenset[str], is_long: bool) -> None:
            self.house.hand_in(name, word, readers, is_long=is_long)
            words = self.said[name].words if name in self.said else set()
            self.said[name] = Said(readers, word, {*words, word})

        @rule(name=DOCUMENTS, readers=READERS)
        def change_readers(self, name: str, readers: frozenset[str]) -> None:
            if self.house.change_readers(name, readers):
                self.said[name].readers = readers

        @rule(name=DOCUMENTS)
        def delete(self, name: str) -> None:
            if self.house.delete(name):
                self.said.pop(name, None)

        @rule()
        def work(self) -> None:
            self.house.work()

        @rule(batch=st.integers(1, 2))
        def a_worker_is_killed(self, batch: int) -> None:
            self.house.work(killed_at=batch)

        @rule(node=st.integers(0, 1), fault=FAULTS)
        def a_node_fails(self, node: int, fault: Fault) -> None:
            self.house.nodes[node].fault = fault

        @rule(node=st.integers(0, 1))
        def a_node_comes_back(self, node: int) -> None:
            self.house.nodes[node].fault = "none"

        @rule(seconds=st.sampled_from([1.0, 61.0, 700.0]))
        def time_passes(self, seconds: float) -> None:
            self.house.pass_time(seconds)

        @invariant()
        def nobody_finds_what_is_kept_from_them(self) -> None:
            for name, groups in PEOPLE.items():
                for document, words in self.house.found_by(name, groups).items():
                    said = self.said.get(document)
                    assert said is not None, f"{name} finds the removed {document}"
                    assert may(said.readers, name), f"{name} finds {document}"
                    assert words <= said.words, f"{document} is of before its removal"

        def teardown(self) -> None:
            try:
                self.house.settle()
                for name, groups in PEOPLE.items():
                    due = {d: {s.word} for d, s in self.said.items() if may(s.readers, name)}
                    assert self.house.found_by(name, groups) == due
                assert self.house.stored() == self.house.catalogued()
            finally:
                self.house.close()

    run_state_machine_as_test(
        Course,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            derandomize=EXAMPLES < 50,
            suppress_health_check=list(HealthCheck),
        ),
    )
