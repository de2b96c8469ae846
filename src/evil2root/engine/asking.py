"""How often one source may be asked, and when it had better be left alone."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from numpy.random import Generator

LEFT_ALONE_MOST = timedelta(hours=1)
"""Longest time a source is left alone at once, whatever it asks for: a nonsense Retry-After must not end it for good."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manners:
    """How one source is treated."""

    requests_a_minute: int = 60
    """Refilled evenly; as many may come at once."""
    tries: int = 2
    """For one question, the first included."""
    failures_max: int = 3
    """Failed tries in a row after which it is left alone."""
    left_alone: timedelta = timedelta(seconds=30)
    """Doubled each time it fails again, up to `LEFT_ALONE_MOST`."""
    timeout: timedelta = timedelta(seconds=30)
    """For one try."""
    pause: timedelta = timedelta(milliseconds=500)
    """Before the second try, doubled for each further one; a random part of it is waited."""

    def __post_init__(self) -> None:
        counts = (self.requests_a_minute, self.tries, self.failures_max)
        if min(counts) < 1 or min(self.left_alone, self.timeout) <= timedelta(0) or self.pause < timedelta(0):
            msg = f"Counts and times of {self} must be above zero."
            raise ValueError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a source is doing, for people."""

    name: str
    requests_a_minute: int
    requests_left: int
    """Of its budget, now."""
    left_alone_until: datetime | None
    """The breaker is open until then; none when it may be asked."""
    answered_at: datetime | None
    """When it last answered anything, that it has no such symbol included."""
    says: str
    """Why its last question failed; empty when it did not, or none was put yet."""


class Budget:
    """A bucket of requests, full at first, that refills evenly."""

    def __init__(self, requests_a_minute: int) -> None:
        self._most = float(requests_a_minute)
        self._left = self._most
        self._at: datetime | None = None

    def spend(self, now: datetime) -> float:
        """Take one request and return 0.0; without one left take nothing and return the seconds until there is."""
        self._left = self._refilled(now)
        self._at = now if self._at is None else max(self._at, now)
        if self._left < 1:
            return (1 - self._left) * 60 / self._most
        self._left -= 1
        return 0.0

    def left(self, now: datetime) -> int:
        """Return how many requests may be made at once."""
        return int(self._refilled(now))

    def _refilled(self, now: datetime) -> float:
        if self._at is None or now <= self._at:
            return self._left
        return min(self._most, self._left + (now - self._at).total_seconds() * self._most / 60)


class Breaker:
    """Opens after failures in a row, lets one trial through when its time is over, closes when that answers."""

    def __init__(self, manners: Manners, jitter: Generator) -> None:
        self._manners = manners
        self._jitter = jitter
        self._failures = 0
        self._openings = 0
        self._until: datetime | None = None
        self._on_trial = False

    @property
    def trial_from(self) -> datetime | None:
        """From when on one trial may be made; none while it is closed."""
        return self._until

    def closed_until(self, now: datetime) -> datetime | None:
        """Return until when the source is left alone; none when it may be asked."""
        if self._until is None or (now >= self._until and not self._on_trial):
            return None
        return self._until

    def asked(self) -> None:
        """Note that a question is under way; the one after an opening is a trial, and the only one."""
        self._on_trial = self._until is not None

    def answered(self) -> None:
        """Close: it works. What was asked before the opening and answers late proves nothing about now."""
        if self._on_trial or self._until is None:
            self._failures = self._openings = 0
            self._until = None
        self._on_trial = False

    def given_up(self) -> None:
        """Forget a question that ended without proof either way."""
        self._on_trial = False

    def try_at(self, now: datetime) -> None:
        """Let a trial through from now on: there is news. One that fails leaves it alone for longer, as always."""
        if self._until is not None:
            self._until = min(self._until, now)

    def failed(self, now: datetime, *, retry_after_s: float | None = None) -> None:
        """Count a failure; leave the source alone when they are too many, or for as long as it asks for."""
        self._failures += 1
        if retry_after_s is not None:
            self._open(now + min(timedelta(seconds=min(max(retry_after_s, 0.0), 1e6)), LEFT_ALONE_MOST))
        elif self._on_trial or self._failures >= self._manners.failures_max:
            alone = min(self._manners.left_alone * 2 ** min(self._openings, 20), LEFT_ALONE_MOST)
            self._openings += 1
            self._open(now + alone * self._jitter.uniform(0.75, 1.0))
        self._on_trial = False

    def _open(self, until: datetime) -> None:
        self._until = until if self._until is None else max(self._until, until)
