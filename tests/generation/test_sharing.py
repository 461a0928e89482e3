"""One engine for many: whose turn it is, what is shared with whom, and what is left behind."""

import random
import re
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

import pytest

from sovereign_rag.errors import Busy, GenerationError
from sovereign_rag.generation.llama_cpp import LlamaCppModel
from sovereign_rag.generation.protocol import CompletionRequest, Delta, Message
from sovereign_rag.settings import Settings
from sovereign_rag.system.fair_queue import FairQueue
from tests.generation.opening import SYSTEM, opened

LEASE = Message("user", "The lease ends with three months' notice. " * 24 + "Sum it up.")
STORY = Message("user", "Tell a very long story about a fox, a crow and a piece of cheese.")


@dataclass(frozen=True)
class Asked:
    id: int
    tenant: str
    person: str = ""


def order_of(*asked: Asked) -> list[tuple[str, str]]:
    queue: FairQueue[Asked] = FairQueue()
    for request in asked:
        queue.put(request)
    order = []
    while (following := queue.next()) is not None:
        queue.take(following)
        order.append((following.tenant, following.person))
    return order


def test_a_tenant_with_many_requests_takes_turns_with_one_that_has_a_single_one() -> None:
    many = [Asked(k, "many") for k in range(50)]

    order = order_of(*many, Asked(50, "single"))

    assert order.index(("single", "")) == 1


def test_within_a_tenant_its_people_take_turns() -> None:
    requests = [Asked(k, "t", "ana") for k in range(4)] + [Asked(k, "t", "bo") for k in (4, 5)]

    order = [person for _, person in order_of(*requests)]

    assert order == ["ana", "bo", "ana", "bo", "ana", "ana"]


def test_a_person_s_own_requests_keep_their_order() -> None:
    queue: FairQueue[Asked] = FairQueue()
    for number in range(3):
        queue.put(Asked(number, "t", "ana"))

    taken = []
    while len(queue):
        following = queue.next()
        assert following is not None
        queue.take(following)
        taken.append(following.id)

    assert taken == [0, 1, 2]


def test_a_request_that_left_the_queue_has_no_turn() -> None:
    queue: FairQueue[Asked] = FairQueue()
    queue.put(Asked(1, "a"))
    queue.put(Asked(2, "b"))

    assert queue.remove(1) == Asked(1, "a")
    assert queue.remove(7) is None
    assert queue.next() == Asked(2, "b")


def ask(
    language_model: LlamaCppModel,
    *messages: Message,
    tenant: str = "a",
    person: str = "",
    max_tokens: int = 2,
) -> tuple[str, Delta]:
    pieces = list(
        language_model.stream(
            CompletionRequest(messages, tenant=tenant, person=person, max_tokens=max_tokens)
        )
    )
    return "".join(piece.text for piece in pieces), pieces[-1]


@pytest.mark.model
def test_what_one_person_asked_speeds_up_nobody_else(language_model: LlamaCppModel) -> None:
    """Tokens read again stand for time: they tell exactly what a stopwatch would tell roughly."""
    first = ask(language_model, SYSTEM, LEASE, tenant="t", person="ana")[1]
    again = ask(language_model, SYSTEM, LEASE, tenant="t", person="ana")[1]
    colleague = ask(language_model, SYSTEM, LEASE, tenant="t", person="bo")[1]
    stranger = ask(language_model, SYSTEM, LEASE, tenant="u", person="ana")[1]

    public = language_model.count_tokens([SYSTEM])
    assert first.cached_tokens <= public
    assert again.cached_tokens > public + 100
    assert 0 < colleague.cached_tokens <= public
    assert colleague.cached_tokens == stranger.cached_tokens


@pytest.mark.model
def test_a_conversation_s_earlier_turns_are_not_read_again(language_model: LlamaCppModel) -> None:
    said, first = ask(language_model, SYSTEM, LEASE, person="cora", max_tokens=16)
    follow_up = [SYSTEM, LEASE, Message("assistant", said), Message("user", "And the deposit?")]

    _, second = ask(language_model, *follow_up, person="cora")

    assert second.cached_tokens >= first.prompt_tokens - 64
    assert second.prompt_tokens - second.cached_tokens < first.prompt_tokens / 2


@pytest.mark.model
def test_a_deadline_is_kept_by_the_engine_although_nobody_reads(settings: Settings) -> None:
    short = opened(settings, slots=1, timeout_s=3)
    story = short.stream(CompletionRequest([STORY], tenant="a", max_tokens=3_000))
    next(story)

    # Waits for the only place, which the first gives up by its deadline and not by being read.
    waiting = short.stream(CompletionRequest([LEASE], tenant="b", max_tokens=3_000))
    with pytest.raises(GenerationError, match=r"generation\.timeout_s"):
        list(waiting)
    with pytest.raises(GenerationError, match=r"generation\.timeout_s"):
        list(story)
    slots = short.slot_use()
    short.close()

    assert (slots.writing, slots.waiting) == (0, 0)


@pytest.mark.model
def test_who_finds_the_queue_full_is_told_how_long_to_wait(settings: Settings) -> None:
    narrow = opened(settings, slots=1, queue=1)
    ask(narrow, STORY, max_tokens=40)  # from now on it is known how long an answer takes
    first = narrow.stream(CompletionRequest([STORY], tenant="a", max_tokens=3_000))
    next(first)
    second = narrow.stream(CompletionRequest([STORY], tenant="b", max_tokens=4))

    with pytest.raises(Busy, match="Ask again in about") as refusal:
        narrow.stream(CompletionRequest([STORY], tenant="c", max_tokens=4))
    expected = narrow.wait_s()
    del first
    list(second)
    after = narrow.wait_s()
    narrow.close()

    assert 1 <= refusal.value.retry_after_s <= 600
    assert expected == pytest.approx(refusal.value.retry_after_s)
    assert after == 0


@pytest.mark.model
def test_callers_that_leave_leave_nothing_behind(settings: Settings) -> None:
    """Cancels, disconnects and deadlines at random; each prompt carries a word of its own."""
    chance = random.Random(5)
    crowded = opened(settings, slots=4, queue=64)
    markers = [f"zq{number:03d}x" for number in range(32)]

    def one(number: int) -> tuple[str, str]:
        fate = chance.choice(["stays", "cancels", "disconnects", "too late"])
        text = Message("user", f"Repeat the code {markers[number]} again and again.")
        cancel = threading.Event()
        answer = crowded.stream(
            CompletionRequest(
                [text],
                tenant=f"t{number % 3}",
                person=f"p{number % 5}",
                max_tokens=24,
                cancel=cancel,
                timeout_s=0.05 * (number % 7) if fate == "too late" else 600,
            )
        )
        said = ""
        with suppress(GenerationError):  # the one that was too late
            for count, piece in enumerate(answer):
                said += piece.text
                if fate == "cancels" and count == number % 7:
                    cancel.set()
                if fate == "disconnects" and count == number % 7:
                    break
        return fate, said

    with ThreadPoolExecutor(12) as pool:
        ended = list(pool.map(one, range(len(markers))))
    slots = crowded.slot_use()
    _, last = ask(crowded, STORY, max_tokens=4)
    crowded.close()

    fates = Counter(fate for fate, _ in ended)
    assert len(fates) == 4
    assert (slots.writing, slots.waiting) == (0, 0)
    assert slots.kept + slots.free == 4 + 8
    assert last.completion_tokens == 4
    for number, (_, said) in enumerate(ended):
        assert set(re.findall(r"zq\d{3}x", said)) <= {markers[number]}


@pytest.mark.model
def test_what_begins_alike_and_is_nobody_s_is_read_once_by_those_who_ask_together(
    settings: Settings,
) -> None:
    fresh = opened(settings, slots=4, threads=1)  # one lane
    answers = [
        fresh.stream(
            CompletionRequest(
                [SYSTEM, Message("user", f"Number {number}?")], tenant=f"t{number}", max_tokens=2
            )
        )
        for number in range(4)
    ]

    lasts = [list(answer)[-1] for answer in answers]
    public = fresh.count_tokens([SYSTEM])
    fresh.close()

    cached = sorted(last.cached_tokens for last in lasts)
    assert cached[0] == 0
    assert all(public - 16 < known <= public for known in cached[1:])


@pytest.mark.model
def test_with_one_slot_a_question_gets_the_same_answer_whoever_else_asks(
    settings: Settings,
) -> None:
    narrow = opened(settings, slots=1)
    alone, _ = ask(narrow, SYSTEM, STORY, max_tokens=24)

    with ThreadPoolExecutor(3) as pool:
        together = list(
            pool.map(lambda who: ask(narrow, SYSTEM, STORY, tenant=who, max_tokens=24), "abc")
        )
    narrow.close()

    assert {text for text, _ in together} == {alone}
