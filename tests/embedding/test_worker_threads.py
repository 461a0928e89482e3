"""Texts of several callers share batches; each gets its own vectors, in order."""

import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from sovereign_rag.embedding.protocol import Vectors
from sovereign_rag.embedding.worker_threads import Tokens, WorkerThreads


class Counting:
    """A model whose vector of a text is its length and its first token; it notes each batch."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.priorities: list[int] = []
        self.go = threading.Event()  # the first batch waits for it
        self.begun = threading.Event()
        self.go.set()

    def __call__(self, batch: list[Tokens]) -> Vectors:
        self.batches.append([len(tokens) for tokens in batch])
        self.priorities.append(os.getpriority(os.PRIO_PROCESS, threading.get_native_id()))
        self.begun.set()
        assert self.go.wait(30)
        if any(tokens[0] == -1 for tokens in batch):
            raise ValueError("no such token")
        return np.array([[len(tokens), tokens[0]] for tokens in batch], np.float32)

    def hold(self) -> None:
        self.go.clear()
        self.begun.clear()


@pytest.fixture
def model() -> Counting:
    return Counting()


@pytest.fixture
def lanes(model: Counting) -> Iterator[WorkerThreads]:
    lanes = WorkerThreads(model, lanes=1, dimension=2, batch_size=8)
    yield lanes
    lanes.close()


def text(length: int, first: int = 0) -> list[int]:
    return [first, *[7] * (length - 1)]


def rows(texts: Sequence[Tokens]) -> list[list[float]]:
    return [[float(len(tokens)), float(tokens[0])] for tokens in texts]


def test_vectors_come_back_in_the_order_of_the_texts(lanes: WorkerThreads) -> None:
    texts = [text(length, first=length) for length in (5, 300, 20, 21, 290, 6)]

    assert lanes.embed(texts, urgent=False).tolist() == rows(texts)


def test_callers_at_the_same_time_each_get_their_own(model: Counting) -> None:
    lanes = WorkerThreads(model, lanes=4, dimension=2, batch_size=8)
    wanted = [[text(10 + (n * i) % 90, first=100 * n + i) for i in range(40)] for n in range(6)]

    with ThreadPoolExecutor(6) as threads:
        got = list(threads.map(lambda texts: lanes.embed(texts, urgent=False).tolist(), wanted))
    lanes.close()

    assert got == [rows(texts) for texts in wanted]


def test_a_batch_holds_texts_of_like_length_alone(lanes: WorkerThreads, model: Counting) -> None:
    lanes.embed([text(length) for length in [300, 20] * 12], urgent=False)

    assert all(len(set(batch)) == 1 for batch in model.batches)
    assert max(len(batch) for batch in model.batches) <= 8


def test_texts_of_different_callers_share_a_batch(lanes: WorkerThreads, model: Counting) -> None:
    model.hold()
    with ThreadPoolExecutor(3) as threads:
        first = threads.submit(lanes.embed, [text(50)], urgent=False)
        assert model.begun.wait(30)
        others = [threads.submit(lanes.embed, [text(60)] * 2, urgent=False) for _ in range(2)]
        wait_until_waiting(lanes, 2)
        model.go.set()
        for future in (first, *others):
            future.result(30)

    assert model.batches == [[50], [60] * 4]


def test_a_question_does_not_wait_for_what_is_being_ingested(
    lanes: WorkerThreads, model: Counting
) -> None:
    model.hold()
    with ThreadPoolExecutor(2) as threads:
        ingestion = threads.submit(lanes.embed, [text(300)] * 30, urgent=False)
        assert model.begun.wait(30)  # it is at a batch, and stays there
        question = threads.submit(lanes.embed, [text(9)], urgent=True)
        wait_until(lambda: [9] in model.batches)
        batches = len(model.batches)
        model.go.set()
        question.result(30)
        ingestion.result(30)

    assert batches == 2


def test_ingestion_yields_the_cores_and_questions_do_not(model: Counting) -> None:
    lanes = WorkerThreads(model, lanes=1, dimension=2, batch_size=8)
    for urgent in (True, False):
        lanes.embed([text(9)], urgent=urgent)
    lanes.close()
    here = os.getpriority(os.PRIO_PROCESS, 0)

    assert model.priorities[0] == here
    assert model.priorities[1] == min(19, here + 10)


def test_a_late_caller_is_served_before_an_early_one_has_everything(
    lanes: WorkerThreads, model: Counting
) -> None:
    model.hold()
    with ThreadPoolExecutor(2) as threads:
        long = threads.submit(lanes.embed, [text(300)] * 30, urgent=False)
        assert model.begun.wait(30)
        short = threads.submit(lanes.embed, [text(40)], urgent=False)
        wait_until_waiting(lanes, 2)
        model.go.set()
        short.result(30)
        long.result(30)

    assert model.batches[1] == [40]


def test_who_asked_for_what_fails_is_told_and_the_next_is_served(lanes: WorkerThreads) -> None:
    with pytest.raises(ValueError, match="no such token"):
        lanes.embed([text(5), text(5, first=-1), text(400)], urgent=False)

    assert lanes.embed([text(5)], urgent=False).tolist() == [[5, 0]]


def test_who_waits_when_the_lanes_are_closed_is_told(lanes: WorkerThreads, model: Counting) -> None:
    model.hold()
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(lanes.embed, [text(300)] * 30, urgent=False)
        assert model.begun.wait(30)
        lanes.close()
        with pytest.raises(RuntimeError, match="closed"):
            waiting.result(30)
        model.go.set()


def wait_until_waiting(lanes: WorkerThreads, requests: int) -> None:
    """Until so many callers have texts that no batch has taken yet."""
    wait_until(lambda: lanes.waiting == requests)


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.002)
