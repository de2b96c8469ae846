"""Intent to open a position, not yet sized and not yet judged."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from evil2root.domain.book.protection import Protect
from evil2root.domain.core.money import Price
from evil2root.domain.core.side import Side


@dataclass(frozen=True, slots=True, kw_only=True)
class Proposal:
    """What would be done, at which prices, and until when it may be answered."""

    decision_id: str
    symbol: str
    side: Side
    entry: Price
    """The close it was made at; the fill will differ."""
    stop: Price | None
    target: Price | None
    protect: Protect
    made_at: datetime
    good_until: datetime

    def __post_init__(self) -> None:
        for name, level, sign in (("stop", self.stop, -1), ("target", self.target, 1)):
            if level is not None and (level - self.entry) * self.side.sign * sign <= 0:
                msg = f"The {name} {level} is on the wrong side of a {self.side} at {self.entry}."
                raise ValueError(msg)

    @property
    def risk_per_unit(self) -> Decimal | None:
        """Loss of one unit from entry to stop."""
        return None if self.stop is None else abs(self.entry - self.stop)

    @property
    def reward_to_risk(self) -> Decimal | None:
        """Distance to the target over distance to the stop."""
        if self.stop is None or self.target is None:
            return None
        return abs(self.target - self.entry) / abs(self.entry - self.stop)
