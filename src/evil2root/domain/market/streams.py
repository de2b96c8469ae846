"""The port through which the present is told as it happens."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from math import isfinite
from typing import Protocol


class Happening(StrEnum):
    """What was told."""

    TRADE = "trade"
    QUOTE = "quote"
    BAR = "bar"
    """A bar of a minute is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """Something that just happened to a symbol."""

    symbol: str
    what: Happening
    at: datetime
    """When, by the exchange; of a bar its opening. UTC."""
    price: float
    """Of the trade, in the middle of the quote, or the bar's close."""

    def __post_init__(self) -> None:
        if self.at.tzinfo is None or not (isfinite(self.price) and self.price > 0):
            msg = f"{self.symbol}: a {self.what} at {self.at} of {self.price} needs a time zone and a price above zero."
            raise ValueError(msg)


class QuoteStream(Protocol):
    """Tells what happens, while it is listened to.

    It is a hint that there is something to ask for: nothing it says is stored or decided on, and asking finds the same
    without it. `ticks` skips what can't be read, repeats or leaves out what it likes, and ends only by `BarsUnavailable`
    (see `bars.py`): whoever listens opens it anew.
    """

    @property
    def name(self) -> str: ...

    def ticks(self, symbols: Sequence[str]) -> AsyncIterator[Tick]: ...
