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


@dataclass(frozen=True, slots=True, kw_only=True)
class Breaker:
    """The state of the switch, who set it and why."""

    state: BreakerState = BreakerState.ACTIVE
    reason: str = ""
    by: str = ""
    at: datetime | None = None

    @property
    def lets_in(self) -> bool:
        """May positions be opened?"""
        return self.state is BreakerState.ACTIVE
