"""With several servers the next one answers; one that keeps failing is left alone."""

import threading

import pytest

from sovereign_rag.errors import GenerationError
from sovereign_rag.generation.protocol import CompletionRequest
from sovereign_rag.system.breaker import Breaker
from tests.generation.endpoint.upstream import (
    QUESTION,
    SOON_S,
    Make,
    ask,
    refuses,
    stalls,
    talks,
)


def test_another_server_answers_where_one_fails(upstream: Make, endpoint_model: Make) -> None:
    broken, whole = upstream(refuses(500)), upstream(talks("Yes."))

    text, _ = ask(endpoint_model(broken, whole, retries=1))

    assert text == "Yes."
    assert (len(broken.bodies), len(whole.bodies)) == (1, 1)


def test_what_one_server_may_see_goes_to_no_other_also_where_it_fails(
    upstream: Make, endpoint_model: Make
) -> None:
    other, broken, whole = upstream(talks("Yes.")), upstream(refuses(500)), upstream(talks("Yes."))

    for allowed in (broken, whole):
        request = CompletionRequest(
            QUESTION, tenant="t", max_tokens=50, endpoints=frozenset({allowed.url})
        )
        asking = endpoint_model(other, broken, whole, retries=1)
        if allowed is broken:
            with pytest.raises(GenerationError, match="answers 500") as refused:
                list(asking.stream(request))
            assert other.url not in str(refused.value)
        else:
            assert "".join(delta.text for delta in asking.stream(request)) == "Yes."

    assert (other.bodies, len(whole.bodies)) == ([], 1)


def test_a_busy_or_silent_server_s_request_goes_to_another(
    upstream: Make, endpoint_model: Make
) -> None:
    for first in (refuses(429), stalls()):
        other = upstream(talks("Yes."))
        asking = endpoint_model(upstream(first), other, retries=2, first_token_timeout_s=SOON_S)

        assert ask(asking)[0] == "Yes."
        assert len(other.bodies) == 1


def test_the_server_with_the_least_to_do_is_asked(upstream: Make, endpoint_model: Make) -> None:
    first, second = upstream(stalls("One")), upstream(stalls("Two"))
    asking = endpoint_model(first, second)

    answers = [
        asking.stream(CompletionRequest(QUESTION, tenant="t", max_tokens=50)) for _ in range(4)
    ]

    assert (len(first.bodies), len(second.bodies)) == (2, 2)
    for answer in answers:
        answer.close()


def test_a_server_that_keeps_failing_is_left_alone_and_tried_again_later(
    upstream: Make, endpoint_model: Make
) -> None:
    server = upstream(refuses(500), refuses(500), talks("Yes."))
    asking = endpoint_model(server, breaker_failures=2, breaker_pause_s=SOON_S)
    for _ in range(2):
        with pytest.raises(GenerationError, match="answers 500"):
            ask(asking)

    with pytest.raises(GenerationError, match="left alone"):
        ask(asking)
    asked_while_open = len(server.bodies)
    breaker = asking.breakers[server.url]
    threading.Event().wait(breaker.wait_s)

    assert asked_while_open == 2
    assert breaker.state == "half-open"
    assert ask(asking)[0] == "Yes."
    assert breaker.state == "closed"


def test_a_breaker_lets_one_try_after_its_pause_and_closes_or_opens_by_how_it_goes() -> None:
    now = [0.0]
    breaker = Breaker(failures=2, pause_s=10, clock=lambda: now[0])

    def fail() -> None:
        assert breaker.admit()
        breaker.failed("500")

    fail()
    after_one = breaker.state
    fail()
    after_two, while_open = breaker.state, breaker.admit()
    now[0] = 10.0
    half, trial, second = breaker.state, breaker.admit(), breaker.admit()
    breaker.failed("500 again")
    after_failed_trial, wait_s = breaker.state, breaker.wait_s
    now[0] = 20.0
    breaker.admit()
    breaker.abandoned()
    again = breaker.admit()
    breaker.answers()
    breaker.succeeded()
    fail()

    assert (after_one, after_two, while_open) == ("closed", "open", False)
    assert (half, trial, second) == ("half-open", True, False)
    assert (after_failed_trial, wait_s) == ("open", 10.0)
    assert again
    assert breaker.state == "closed"  # one failure after a success
