"""What a strategy wants to do about one bar."""

from dataclasses import dataclass
from enum import StrEnum

from evil2root.domain.core.side import Side


class StayKind(StrEnum):
    """Why nothing is wanted."""

    WARMING_UP = "warming_up"
    NO_OPINION = "no_opinion"
    BELOW_THRESHOLD = "below_threshold"
    HOLDING = "holding"
    WAITING = "waiting"


@dataclass(frozen=True, slots=True, kw_only=True)
class Enter:
    """Open a position on this side."""

    side: Side
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Exit:
    """Close what is held."""

    why: str
    reason: str = "signal"
    """In a word: `signal`, `time`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """Do nothing, for this reason."""

    kind: StayKind
    why: str


Intent = Enter | Exit | Stay
