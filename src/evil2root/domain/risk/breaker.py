"""The switch above all decisions."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class BreakerState(StrEnum):
    """What may still be done."""

    ACTIVE = "ACTIVE"
    REDUCING = "REDUCING"
    """No entries; stops, targets and exits work. Ends by itself with its cause."""
    HALTED = "HALTED"
    """No entries until a person resumes; stops, targets and exits work."""


class Cause(StrEnum):
    """Which rule moved the switch."""

    DAILY_LOSS = "daily loss"
    LOSING_STREAK = "losing streak"
    REJECTIONS = "rejections"
    DRAWDOWN = "drawdown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """The state of the switch, who set it and why."""

    state: BreakerState = BreakerState.ACTIVE
    reason: str = ""
    by: str = ""
    at: datetime | None = None
    cause: Cause | None = None
    """None when a person, or nobody, moved it."""
    flatten: bool = False
    """Whoever halted wants nothing held: what an entry on its way still buys is closed at once."""

    @property
    def lets_in(self) -> bool:
        """May positions be opened?"""
        return self.state is BreakerState.ACTIVE

    @property
    def ends_with_the_day(self) -> bool:
        """Does a new day end it?"""
        return self.state is BreakerState.REDUCING

    @property
    def ends(self) -> str:
        """How it ends, in words; nothing when nothing is stopped."""
        if self.lets_in:
            return ""
        return "at the next day, or when a person resumes" if self.ends_with_the_day else "when a person resumes"


def tripped(cause: Cause, reason: str, *, at: datetime) -> Breaker:
    """Return the switch as a rule moves it: a drawdown only a person clears, the others end with the day."""
    state = BreakerState.HALTED if cause is Cause.DRAWDOWN else BreakerState.REDUCING
    return Breaker(state=state, reason=reason, by="rule", at=at, cause=cause)
