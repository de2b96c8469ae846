"""Patterns and levels, in the shapes scripts read."""

from typing import Self

from evil2root.api.values import Moment, Out
from evil2root.domain.signals.levels.level import Level, Origin, Role
from evil2root.domain.signals.patterns.detect import Pattern
from evil2root.domain.signals.patterns.outcomes import Record
from evil2root.domain.signals.patterns.shape import Direction


class PointOut(Out):
    """A turn of a pattern: the opening time and the high or low of a bar."""

    time: Moment
    price: float


class RecordOut(Out):
    """How patterns of this kind ended in the bars that were looked at."""

    reached: int
    """The target came first."""
    failed: int
    undecided: int
    low: float | None
    """95 % interval of the share that reached the target; null before any has ended."""
    high: float | None

    @classmethod
    def of(cls, record: Record) -> Self:
        """Make it from the counts."""
        low, high = record.interval or (None, None)
        return cls(reached=record.reached, failed=record.failed, undecided=record.undecided, low=low, high=high)


class PatternOut(Out):
    """A chart pattern, from the bar on that confirmed it."""

    id: str
    kind: str
    direction: Direction
    points: list[PointOut]
    quality: float
    """0 (barely allowed) to 1 (perfect)."""
    confirmed_at: Moment
    breakout: float
    target: float
    invalidation: float
    record: RecordOut

    @classmethod
    def of(cls, pattern: Pattern, record: Record) -> Self:
        """Make it from a detected pattern."""
        return cls(
            id=pattern.id, kind=pattern.kind, direction=pattern.direction,
            points=[PointOut(time=at, price=price) for at, price in pattern.points], quality=pattern.quality,
            confirmed_at=pattern.confirmed_at, breakout=pattern.breakout, target=pattern.target,
            invalidation=pattern.invalidation, record=RecordOut.of(record),
        )  # fmt: skip


class LevelOut(Out):
    """A support or resistance as of the newest bar."""

    price: float
    role: Role
    origin: Origin
    strength: float
    touches: int
    flips: int
    """Times a close has gone through it."""
    first_at: Moment
    last_at: Moment

    @classmethod
    def of(cls, level: Level) -> Self:
        """Make it from a level."""
        return cls(
            price=level.price, role=level.role, origin=level.origin, strength=level.strength, touches=level.touches,
            flips=level.flips, first_at=level.first_at, last_at=level.last_at,
        )  # fmt: skip
