"""Patterns and levels, in the shapes scripts read."""

from typing import Self

from evil2root.api.values import Moment, Out
from evil2root.domain.signals.levels.level import Level, Origin, Role
from evil2root.domain.signals.patterns.detect import Pattern
from evil2root.domain.signals.patterns.shape import Direction
from evil2root.engine.pattern_records import Realised


class PointOut(Out):
    """A point of a pattern: the opening time of a bar and its high or low; in rounding tops and bottoms and in cups, also its close."""

    time: Moment
    price: float


class RecordOut(Out):
    """How patterns of this kind ended on all watched symbols."""

    reached: int
    """The target came first."""
    failed: int
    undecided: int
    share: float | None
    """Of those that ended, the share that reached the target; null before any has ended."""
    low: float | None
    """95 % interval of that share."""
    high: float | None
    chance: float | None
    """What a price without drift would have reached of the same: its distance to the invalidation over that between both."""
    symbols: int
    bars: int
    """Looked at, of all those symbols."""
    until: Moment
    """Nothing that closed later was looked at."""

    @classmethod
    def of(cls, kind: str, realised: Realised) -> Self:
        """Make it from the counts."""
        record = realised.of(kind)
        low, high = record.interval or (None, None)
        return cls(
            reached=record.reached, failed=record.failed, undecided=record.undecided, share=record.share, low=low,
            high=high, chance=record.chance, symbols=realised.symbols, bars=realised.bars, until=realised.until,
        )  # fmt: skip


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
    def of(cls, pattern: Pattern, realised: Realised) -> Self:
        """Make it from a detected pattern."""
        return cls(
            id=pattern.id, kind=pattern.kind, direction=pattern.direction,
            points=[PointOut(time=at, price=price) for at, price in pattern.points], quality=pattern.quality,
            confirmed_at=pattern.confirmed_at, breakout=pattern.breakout, target=pattern.target,
            invalidation=pattern.invalidation, record=RecordOut.of(pattern.kind, realised),
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
