"""A source as it is asked: what it owes to its own troubles, and what to those of single symbols."""

from dataclasses import dataclass
from datetime import datetime

from numpy.random import Generator

from evil2root.domain.market.bars import AskedTooOften, Unreadable
from evil2root.domain.market.sources import BarSource
from evil2root.engine.asking import Breaker, Budget, Manners, Standing

TROUBLED_MAX = 1_000
"""Symbols whose failures are remembered, and those that wait; the oldest are forgotten beyond."""
YIELD_S = 1.0
"""Before a symbol that let another go first is worth asking for again."""


@dataclass(slots=True)
class _Trouble:
    """A symbol that was not answered the last time."""

    breaker: Breaker
    why: str
    turn: int
    """Number of its last failure among all: who failed longest ago is tried first."""
    is_its_own: bool = False
    """The source answered others since it began: further failures prove nothing about the source."""


class Asked:
    """A source and what is remembered of asking it.

    What fails is counted for the symbol and, unless it is the symbol's own trouble, for the source: an answer that can't
    be read is, and so is whatever fails while the source answers others. Too many failures in a row leave the one or the
    other alone. A source that was left alone is tried with the symbol that failed longest ago or never, so that those it
    will not answer do not keep it from the rest; best with the one it answered last.
    """

    def __init__(self, source: BarSource, manners: Manners, jitter: Generator) -> None:
        self.source, self.manners = source, manners
        self._breaker, self._budget = Breaker(manners, jitter), Budget(manners.requests_a_minute)
        self._jitter = jitter
        self._troubled: dict[str, _Trouble] = {}
        self._waiting: dict[str, None] = {}
        """Symbols turned away since the source is left alone."""
        self._turns = 0
        self._answered_at: datetime | None = None
        self._answered_last = ""
        self._says = ""

    def admit(self, symbol: str, now: datetime) -> None:
        """Raise `AskedTooOften` when source or symbol is left alone, or it was asked as often as it may be."""
        own = self._troubled.get(symbol)
        if own is not None and (until := own.breaker.closed_until(now)):
            raise _left_alone(until, own.why, now=now, who=f"{symbol} is ")
        if until := self._breaker.closed_until(now):
            self._wait(symbol)
            raise _left_alone(until, self._says, now=now)
        if self._is_others_turn(symbol, now):
            self._wait(symbol)
            msg = f"tried again with another symbol first, after failing: {self._says}"
            raise AskedTooOften(msg, retry_after_s=YIELD_S)
        if wait_s := self._budget.spend(now):
            msg = f"its {self.manners.requests_a_minute} requests a minute are spent, the next in {wait_s:.1f} s"
            raise AskedTooOften(msg, retry_after_s=wait_s)
        self._waiting.pop(symbol, None)
        self._breaker.asked()
        if own is not None:
            own.breaker.asked()

    def answered(self, symbol: str, now: datetime) -> None:
        """Note that it works, and for whom. Those that failed as it seemed to be away may be tried at once."""
        self._breaker.answered()
        self._troubled.pop(symbol, None)
        if self._breaker.trial_from is None:
            self._waiting.clear()
        for trouble in self._troubled.values():
            if not trouble.is_its_own:
                trouble.is_its_own = True
                trouble.breaker.try_at(now)
        self._answered_at, self._answered_last, self._says = now, symbol, ""

    def failed(self, symbol: str, problem: Exception, why: str, now: datetime) -> None:
        """Note that it did not answer, and why."""
        self._says = why
        if isinstance(problem, AskedTooOften):
            self._given_up(symbol)
            self._breaker.failed(now, retry_after_s=problem.retry_after_s)
            return
        self._turns += 1
        trouble = self._troubled.pop(symbol, None) or _Trouble(Breaker(self.manners, self._jitter), why, self._turns)
        trouble.why, trouble.turn = why, self._turns
        trouble.breaker.failed(now)
        self._troubled[symbol] = trouble
        _forget(self._troubled)
        if trouble.is_its_own or isinstance(problem, Unreadable):
            self._breaker.given_up()
        else:
            self._breaker.failed(now)

    def given_up(self, symbol: str) -> None:
        """Forget a question that ended without proof either way."""
        self._breaker.given_up()
        self._given_up(symbol)

    def is_left_alone(self, symbol: str, now: datetime) -> bool:
        """Is there no use in asking again at once?"""
        own = self._troubled.get(symbol)
        return bool(self._breaker.closed_until(now) or (own is not None and own.breaker.closed_until(now)))

    def standing(self, now: datetime) -> Standing:
        """Tell how it is doing."""
        return Standing(
            name=self.source.name, requests_a_minute=self.manners.requests_a_minute,
            requests_left=self._budget.left(now), left_alone_until=self._breaker.closed_until(now),
            answered_at=self._answered_at, says=self._says,
        )  # fmt: skip

    def _is_others_turn(self, symbol: str, now: datetime) -> bool:
        """Is a trial due, and does somebody wait who failed longer ago? Not for long: they may not be asked for again."""
        since = self._breaker.trial_from
        if since is None or now >= since + self.manners.left_alone:
            return False
        mine = self._turn(symbol)
        return any(self._turn(other) < mine and not self._is_shut(other, now) for other in self._waiting)

    def _turn(self, symbol: str) -> int:
        if symbol in self._troubled:
            return self._troubled[symbol].turn
        return -1 if symbol == self._answered_last else 0

    def _is_shut(self, symbol: str, now: datetime) -> bool:
        return symbol in self._troubled and self._troubled[symbol].breaker.closed_until(now) is not None

    def _wait(self, symbol: str) -> None:
        self._waiting[symbol] = None
        _forget(self._waiting)

    def _given_up(self, symbol: str) -> None:
        if symbol in self._troubled:
            self._troubled[symbol].breaker.given_up()


def _left_alone(until: datetime, why: str, *, now: datetime, who: str = "") -> AskedTooOften:
    because = f": {why}" if why else ""
    msg = f"{who}left alone until {until.isoformat(timespec='seconds')} after failing{because}"
    return AskedTooOften(msg, retry_after_s=max((until - now).total_seconds(), 0.0))


def _forget(remembered: dict[str, _Trouble] | dict[str, None]) -> None:
    while len(remembered) > TROUBLED_MAX:
        del remembered[next(iter(remembered))]
