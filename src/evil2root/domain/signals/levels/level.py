"""What a level is."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from math import exp2


class Role(StrEnum):
    """What a level is to a price above or below it."""

    SUPPORT = "support"
    RESISTANCE = "resistance"


class Origin(StrEnum):
    """Why a price is a level."""

    PIVOTS = "pivots"  # confirmed turning points that lie together
    VOLUME = "volume"  # a price at which unusually much was traded
    ROUND = "round"  # a round number near the price
    SESSION = "session"  # the extremes of the session before
    WEEK = "week"
    MONTH = "month"


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """A price to watch, as known at the close of the newest bar."""

    price: float
    role: Role
    """Support while the newest close is at it or above, else resistance: a level that broke has changed its role."""
    origin: Origin
    strength: float
    """0 to 1: see `strength_of`."""
    touches: int
    """Times the price came to it and turned; 0 for a level nobody has tested yet."""
    flips: int
    """Times a close went from one side to the other by more than the tolerance."""
    first_at: datetime
    last_at: datetime
    """First and last touch (closes of the bars that confirmed them); for untouched levels, since and until when known."""


def strength_of(*, touches: int, age_frac: float, reaction: float, volume_ratio: float, flips: int) -> float:
    """From touches (half of it at 2, nearly all at 6), recency, reaction, volume and broken trust, in [0, 1].

    Parameters
    ----------
    age_frac
        Age of the last touch as a share of the history, 0 new to 1 old: the oldest count half.
    reaction
        Mean move away from the level after a touch, in average ranges: full at 3.
    volume_ratio
        Volume at touches over the usual: full at 2.
    flips
        Each time it broke takes a sixth, half at most.
    """
    tested = 1.0 - exp2(-touches / 2.0)
    moved = 0.5 + 0.5 * min(1.0, max(0.0, reaction) / 3.0)
    traded = 0.75 + 0.25 * min(1.0, max(0.0, volume_ratio) / 2.0)
    return tested * moved * traded * (1.0 - 0.5 * age_frac) * max(0.5, 1.0 - flips / 6.0)
