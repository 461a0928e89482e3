"""A key, a person and a tenant have their share, of requests and of written tokens."""

import socket
from dataclasses import replace

import pytest
from pydantic import SecretStr, ValidationError

from sovereign_rag.access import Caller, Principal, local_owner
from sovereign_rag.services.limits import Limiter, LimitReached, LimitsLost
from sovereign_rag.settings.limits import LimitSettings

ANA = Principal("ana", caller=Caller(key="one"))
BO = Principal("bo", caller=Caller(key="two"))
ANA_AGAIN = replace(ANA, caller=Caller(key="three"))
ELSEWHERE = replace(ANA, tenant="elsewhere", caller=Caller(key="four"))


@pytest.mark.parametrize(
    ("whose", "held_up"),
    [
        ("key", {"one"}),
        ("person", {"one", "three"}),
        ("tenant", {"one", "two", "three"}),
    ],
)
def test_who_used_up_their_share_waits_and_nobody_else(whose: str, held_up: set[str]) -> None:
    limiter = Limiter(LimitSettings(**{f"{whose}_requests": ("2/day",)}))
    left = [limiter.admit(ANA), limiter.admit(ANA)]

    for somebody in (ANA, ANA_AGAIN, BO, ELSEWHERE):
        if somebody.caller.key in held_up:
            with pytest.raises(LimitReached, match=f"limits.{whose}_requests") as refused:
                limiter.admit(somebody)
            assert 0 < refused.value.retry_after_s <= 86_400
        else:
            limiter.admit(somebody)

    assert [standing and standing.remaining for standing in left] == [1, 0]


def test_written_tokens_hold_up_the_next_request() -> None:
    limiter = Limiter(LimitSettings(person_tokens=("100/minute",)))

    limiter.admit(ANA)
    limiter.spend(ANA, 99)
    limiter.admit(ANA)
    limiter.spend(ANA, 500)

    with pytest.raises(LimitReached, match="tokens were written"):
        limiter.admit(ANA)
    limiter.admit(BO)


def test_the_tightest_limit_is_told() -> None:
    limiter = Limiter(
        LimitSettings(key_requests=("10/minute", "3/day"), tenant_requests=("5/day",))
    )

    standing = limiter.admit(ANA)

    assert standing is not None
    assert (standing.limit, standing.remaining) == (3, 2)
    assert set(standing.headers) == {"RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset"}


def test_without_limits_and_for_the_owner_nothing_is_counted() -> None:
    limited = Limiter(LimitSettings(person_requests=("1/day",)))

    assert Limiter(LimitSettings()).admit(ANA) is None
    assert [limited.admit(local_owner()) for _ in range(3)] == [None, None, None]


def test_processes_that_share_a_redis_count_together_and_without_it_nobody_gets_in() -> None:
    url = "redis://127.0.0.1:6379/9"
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        lost = f"redis://127.0.0.1:{closed.getsockname()[1]}/0"

        with pytest.raises(LimitsLost):
            Limiter(LimitSettings(key_requests=("1/day",), redis_url=SecretStr(lost))).admit(ANA)
    if not _answers(6379):
        pytest.skip("no Redis here")
    mine = replace(ANA, caller=Caller(key=f"key-{id(closed)}-{socket.gethostname()}"))
    settings = LimitSettings(key_requests=("1/minute",), redis_url=SecretStr(url))

    Limiter(settings).admit(mine)

    with pytest.raises(LimitReached):
        Limiter(settings).admit(mine)


def _answers(port: int) -> bool:
    with socket.socket() as caller:
        return caller.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize("rate", ["many", "0/day", "5/fortnight", "5 per day", "-1/minute"])
def test_a_rate_that_is_none_is_refused(rate: str) -> None:
    with pytest.raises(ValidationError):
        LimitSettings(key_requests=(rate,))
