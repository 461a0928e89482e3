"""Whatever a server does wrong is a clear error, and the next request works."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from sovereign_rag.errors import BadInput, Busy, GenerationError
from sovereign_rag.generation.protocol import CompletionRequest, Message
from tests.generation.endpoint.upstream import (
    QUESTION,
    SOON_S,
    Line,
    Make,
    Upstream,
    ask,
    breaks_off,
    refuses,
    sends,
    stalls,
    talks,
)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (refuses(500, "out of memory"), "answers 500: out of memory"),
        (refuses(503, "Loading model"), "answers 503: Loading model"),
        (refuses(404, "model not found"), "answers 404: model not found"),
        (refuses(401, "who are you"), "refuses the key"),
        (refuses(307, Location="http://elsewhere.example/v1"), "redirects are not followed"),
        (sends("text/html", b"<html>hello</html>"), "text/html where an event stream was due"),
        (sends("text/event-stream", b"data: {nonsense\n\n"), "no JSON"),
        (sends("text/event-stream", b"data: 7\n\n"), "no object"),
        (sends("text/event-stream", b'data: {"choices": [7]}\n\n'), "no chat completion"),
        (sends("text/event-stream", b'data: {"error": {"message": "slot"}}\n\n'), "error: slot"),
        (sends("text/event-stream", b"data: " + b"x" * (3 << 20)), "more than 1 MiB"),
        (sends("text/event-stream", b""), "ended in the middle"),
        (breaks_off(), "ended in the middle"),
        (stalls(), "no word in time"),
        (stalls(headers=False), "no word in time"),
    ],
)
def test_a_failing_server_is_a_clear_error_and_the_next_request_works(
    upstream: Make, endpoint_model: Make, fault: Line, reason: str
) -> None:
    server = upstream(fault, talks("Yes."))
    patience_s = SOON_S if "in time" in reason else 30.0
    asking = endpoint_model(server, first_token_timeout_s=patience_s)

    with pytest.raises(GenerationError, match=reason):
        ask(asking)

    assert ask(asking)[0] == "Yes."
    assert len(server.bodies) == 2


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (breaks_off("Three ", "mon"), "broke off .* ended in the middle"),
        (stalls("Three "), "broke off .* no word in time"),
    ],
)
def test_a_failure_in_the_middle_of_an_answer_is_an_error_and_never_tried_again(
    upstream: Make, endpoint_model: Make, fault: Line, reason: str
) -> None:
    server = upstream(fault, talks("Yes."))
    asking = endpoint_model(server, retries=3, silence_timeout_s=SOON_S)
    pieces = asking.stream(CompletionRequest(QUESTION, tenant="t", max_tokens=50))

    assert next(pieces).text == "Three "
    with pytest.raises(GenerationError, match=reason):
        list(pieces)

    assert len(server.bodies) == 1
    assert ask(asking)[0] == "Yes."


def test_a_refused_request_is_not_tried_again(upstream: Make, endpoint_model: Make) -> None:
    server = upstream(refuses(400, "temperature must be positive"), talks("Yes."))

    with pytest.raises(GenerationError, match="temperature must be positive"):
        ask(endpoint_model(server, retries=3))

    assert len(server.bodies) == 1


def test_a_context_too_long_for_the_server_is_the_caller_s_to_mend(
    upstream: Make, endpoint_model: Make
) -> None:
    server = upstream(refuses(400, "This model's maximum context length is 4096 tokens"))

    with pytest.raises(BadInput, match=r"generation\.endpoint\.context_tokens"):
        ask(endpoint_model(server))


def test_a_busy_server_is_429_with_the_time_it_names(upstream: Make, endpoint_model: Make) -> None:
    server = upstream(refuses(429, "queue full", Retry_After="17"), talks("Yes."))
    asking = endpoint_model(server)

    with pytest.raises(Busy) as refusal:
        ask(asking)

    assert refusal.value.retry_after_s == 17
    assert ask(asking)[0] == "Yes."


def test_more_requests_than_places_are_refused_until_one_is_free(
    upstream: Make, endpoint_model: Make
) -> None:
    asking = endpoint_model(upstream(stalls("One"), talks("Yes.")), requests=1)
    first = asking.stream(CompletionRequest(QUESTION, tenant="t", max_tokens=50))

    with pytest.raises(Busy, match=r"generation\.endpoint\.requests"):
        ask(asking)
    first.close()

    assert ask(asking)[0] == "Yes."


def test_before_the_first_word_a_failure_is_tried_again(
    upstream: Make, endpoint_model: Make
) -> None:
    server = upstream(refuses(502), breaks_off(), talks("Yes."))

    text, _ = ask(endpoint_model(server, retries=2))

    assert text == "Yes."
    assert len(server.bodies) == 3


def test_the_deadline_holds_whatever_the_server_does(upstream: Make, endpoint_model: Make) -> None:
    server = upstream(stalls(headers=False))

    with pytest.raises(GenerationError, match=r"generation\.timeout_s"):
        ask(endpoint_model(server, timeout_s=0.3))

    assert server.gone.acquire(timeout=60)  # the connection was let go of


@pytest.mark.parametrize("words", [(), ("Three",)])
def test_who_cancels_frees_the_server_at_once(
    upstream: Make, endpoint_model: Make, words: tuple[str, ...]
) -> None:
    server, cancel = upstream(stalls(*words)), threading.Event()

    def cancel_once_it_has_arrived() -> None:
        server.arrived.acquire(timeout=60)
        cancel.set()

    threading.Thread(target=cancel_once_it_has_arrived).start()
    text, last = ask(endpoint_model(server), cancel=cancel)

    assert last.finish == "cancelled"
    assert text in ("", *words)
    assert server.gone.acquire(timeout=60)


def test_an_answer_that_nobody_reads_on_frees_the_server(
    upstream: Make, endpoint_model: Make
) -> None:
    server = upstream(stalls("Three"))
    pieces = endpoint_model(server).stream(CompletionRequest(QUESTION, tenant="t", max_tokens=50))

    del pieces

    assert server.gone.acquire(timeout=60)


def test_a_server_that_never_stops_is_stopped(upstream: Make, endpoint_model: Make) -> None:
    server = upstream(talks(*["x" * 1000] * 100))

    text, last = ask(endpoint_model(server))

    assert last.finish == "length"
    assert len(text) <= 50 * 64


def test_many_at_once_get_their_own_words_and_nothing_is_left_behind(
    upstream: Make, endpoint_model: Make
) -> None:
    def echoes(handler: Any, server: Upstream) -> None:
        *_, number, fate = handler.body["messages"][-1]["content"].split()
        lines = {"whole": talks, "breaks": breaks_off, "cancelled": stalls, "closed": stalls}
        lines[fate](f"marker {number} ")(handler, server)

    def one(number: int) -> tuple[int, str]:
        fate = ("whole", "breaks", "cancelled", "closed")[number % 4]
        cancel, text = threading.Event(), ""
        pieces = asking.stream(
            CompletionRequest(
                [Message("user", f"say {number} {fate}")], tenant="t", max_tokens=9, cancel=cancel
            )
        )
        try:
            for piece in pieces:
                text += piece.text
                if fate == "closed":
                    pieces.close()
                elif fate == "cancelled":
                    cancel.set()
        except GenerationError:
            assert fate == "breaks"
        return number, text

    asking = endpoint_model(upstream(echoes), breaker_failures=1000)
    with ThreadPoolExecutor(8) as pool:
        said = dict(pool.map(one, range(80)))

    assert said == {number: f"marker {number} " for number in range(80)}
    for thread in threading.enumerate():
        if thread.name == "endpoint-request":
            thread.join(60)
            assert not thread.is_alive()
    # All slots are free again: as many requests as there are may be under way.
    answers = [
        asking.stream(
            CompletionRequest([Message("user", "say 0 closed")], tenant="t", max_tokens=9)
        )
        for _ in range(32)
    ]
    with pytest.raises(Busy):
        asking.stream(CompletionRequest([Message("user", "say 0 whole")], tenant="t", max_tokens=9))
    for answer in answers:
        answer.close()
