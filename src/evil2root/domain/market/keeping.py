"""How long bars are kept that nobody decides on."""

from dataclasses import dataclass
from datetime import timedelta

from evil2root.domain.core.timeframe import Interval


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """What may go after a while; none of it unless it is asked for.

    Bars of an interval that is traded, or that any stored decision was made on, are never among them: `replay` needs
    the bars before a decision, and where a running value starts is counted from the first bar stored.
    """

    intraday: timedelta | None = None
    """Age from which bars shorter than a day go."""
    copies: timedelta | None = None
    """Age from which rows set aside and what bars said before they were restated go."""

    @property
    def is_off(self) -> bool:
        """Nothing ever goes."""
        return self.intraday is None and self.copies is None


@dataclass(frozen=True, slots=True, kw_only=True)
class Removed:
    """What a round of keeping house took away."""

    bars: int
    versions: int
    set_aside: int

    @property
    def is_nothing(self) -> bool:
        """Nothing was old enough."""
        return not self.bars + self.versions + self.set_aside


def intraday(*, kept: frozenset[Interval]) -> tuple[Interval, ...]:
    """Intervals shorter than a day, without those that must be `kept`."""
    return tuple(interval for interval in Interval if interval is not Interval.D1 and interval not in kept)
