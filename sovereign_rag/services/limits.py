"""How much a key, a person and a tenant may ask, and have written, in a minute or a day."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from limits import RateLimitItem, parse
from limits.errors import StorageError
from limits.storage import storage_from_string
from limits.strategies import FixedWindowRateLimiter

from sovereign_rag.access import Principal
from sovereign_rag.errors import Busy, EnvironmentFault
from sovereign_rag.settings.limits import LimitSettings

_WORDS: Final = {
    "requests": "requests were sent",
    "tokens": "tokens were written",
}


@dataclass(frozen=True, slots=True)
class Standing:
    """What is left of the tightest limit on requests."""

    limit: int
    remaining: int
    reset_s: int  # until the limit is whole again

    @property
    def headers(self) -> Mapping[str, str]:
        return {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(self.remaining),
            "RateLimit-Reset": str(self.reset_s),
        }


class LimitReached(Busy):
    """A key, a person or a tenant has had its share; `retry_after_s` tells when there is more."""


class LimitsLost(EnvironmentFault):
    """Where several processes count together can't be reached, so nothing is let through."""


class Limiter:
    """Counts in this process, or in Redis, where several processes count together."""

    def __init__(self, settings: LimitSettings) -> None:
        url = settings.redis_url
        storage = storage_from_string(
            "memory://" if url is None else url.get_secret_value(), wrap_exceptions=True
        )
        self._windows = FixedWindowRateLimiter(storage)
        self.follow(settings)

    def follow(self, settings: LimitSettings) -> None:
        """Hold to other rates from now on; what was counted stays counted."""
        self._rates = {
            (what, whose): [parse(rate) for rate in getattr(settings, f"{whose}_{what}")]
            for what in _WORDS
            for whose in ("key", "person", "tenant")
        }

    def admit(self, principal: Principal) -> Standing | None:
        """Count a request, where nothing stands against it.

        Returns:
            What is left; None: there is no limit.

        Raises:
            LimitReached: A share of requests or of written tokens is used up.
            LimitsLost: It can't be counted.
        """
        if principal.is_owner or principal.is_view:
            return None
        try:
            for what in _WORDS:
                for rate, whose, name in self._each(what, principal):
                    if not self._windows.test(rate, what, whose, name):
                        raise self._refusal(rate, what, whose, name)
            left = []
            for rate, whose, name in self._each("requests", principal):
                self._windows.hit(rate, "requests", whose, name)
                stats = self._windows.get_window_stats(rate, "requests", whose, name)
                left.append(Standing(rate.amount, stats.remaining, _seconds_to(stats.reset_time)))
            return min(left, key=lambda standing: standing.remaining, default=None)
        except StorageError as error:
            raise LimitsLost(
                "Requests can't be counted: limits.redis_url can't be reached. Try again in a "
                "moment, or ask the admin."
            ) from error

    def spend(self, principal: Principal, tokens: int) -> None:
        """Count tokens that were written; those beyond a limit hold up the next request."""
        if principal.is_owner or principal.is_view or not tokens:
            return
        try:
            for rate, whose, name in self._each("tokens", principal):
                self._windows.hit(rate, "tokens", whose, name, cost=tokens)
        except StorageError as error:
            raise LimitsLost("Written tokens can't be counted in limits.redis_url.") from error

    def _each(self, what: str, principal: Principal) -> Iterator[tuple[RateLimitItem, str, str]]:
        names = {
            "key": principal.caller.key,
            "person": f"{principal.tenant}/{principal.label}",
            "tenant": principal.tenant,
        }
        for whose, name in names.items():
            if name is not None:
                for rate in self._rates[what, whose]:
                    yield rate, whose, name

    def _refusal(self, rate: RateLimitItem, what: str, whose: str, name: str) -> LimitReached:
        wait_s = _seconds_to(self._windows.get_window_stats(rate, what, whose, name).reset_time)
        return LimitReached(
            f"As many {_WORDS[what]} as this {whose} may have: {rate.amount} a "
            f"{rate.GRANULARITY.name}. Come again in {wait_s} s, or ask the admin to raise "
            f"limits.{whose}_{what}.",
            retry_after_s=wait_s,
        )


def _seconds_to(moment: float) -> int:
    return max(1, round(moment - time.time()))
