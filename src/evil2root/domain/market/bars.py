"""A bar: what one instrument did between two moments."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from math import isfinite

from evil2root.domain.core.timeframe import Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """Named by `opened_at`, known from `closed_at`. Prices are floats in the quote currency."""

    symbol: str
    interval: Interval
    opened_at: datetime
    closed_at: datetime
    open: float
    high: float
    low: float
    close: float
    volume: float

    def __post_init__(self) -> None:
        prices = (self.open, self.high, self.low, self.close)
        if not all(isfinite(p) and p > 0 for p in prices):
            msg = f"{self.symbol} {self.opened_at.isoformat()}: prices {prices} must be finite and above zero."
            raise ValueError(msg)
        if self.high < max(prices) or self.low > min(prices):
            msg = (
                f"{self.symbol} {self.opened_at.isoformat()}: high {self.high} and low {self.low} "
                f"must enclose open {self.open} and close {self.close}."
            )
            raise ValueError(msg)
        if not (isfinite(self.volume) and self.volume >= 0):
            msg = f"{self.symbol} {self.opened_at.isoformat()}: volume {self.volume} must be finite and not negative."
            raise ValueError(msg)
        if self.opened_at.tzinfo is None or self.closed_at.tzinfo is None or self.closed_at <= self.opened_at:
            msg = f"{self.symbol}: a bar from {self.opened_at} to {self.closed_at} needs time zones and a length."
            raise ValueError(msg)


class Why(StrEnum):
    """Why a source told nothing."""

    AWAY = "silent"
    UNREADABLE = "unreadable"
    NOT_COVERED = "not_covered"
    LEFT_ALONE = "left_alone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """A source that told nothing."""

    source: str
    why: Why
    says: str
    at: datetime


class BarsUnavailable(Exception):  # noqa: N818 - named for what is wrong, as the trade says it
    """No bars can be had: the source is away, or knows nothing of the symbol or interval.

    BarsUnavailable
    ├── AskedTooOften   leave it alone for a while
    ├── NotCovered      ask another source
    └── Unreadable      it answered, with what is no answer
    """

    def __init__(self, words: str, *, silent: Sequence[Silence] = ()) -> None:
        super().__init__(words)
        self.silent = tuple(silent)
        """Who was asked, where several were."""


class AskedTooOften(BarsUnavailable):
    """The source wants to be left alone; `retry_after_s` says for how long, or none when it does not say."""

    def __init__(self, words: str, *, retry_after_s: float | None = None, silent: Sequence[Silence] = ()) -> None:
        super().__init__(words, silent=silent)
        self.retry_after_s = retry_after_s


class NotCovered(BarsUnavailable):
    """The source works, but has no such symbol or interval: no sign of an outage, and not worth asking again."""


class Unreadable(BarsUnavailable):
    """The source answered, and what it said can't be read: its fault with this symbol, no sign that it is away."""
