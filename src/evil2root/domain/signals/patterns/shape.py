"""What a shape is while it is looked at: turns on one side up, so that tops and bottoms are one geometry."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from evil2root.domain.signals.patterns.pivots import Pivot


class Direction(StrEnum):
    """Where a pattern says the price goes."""

    UP = "up"
    DOWN = "down"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """A straight line over rows."""

    at: float
    price: float
    slope: float

    def __call__(self, row: float) -> float:
        """Price at a row."""
        return self.price + self.slope * (row - self.at)

    @classmethod
    def through(cls, turns: Sequence[Pivot], *, sign: float = 1.0) -> "Line":
        """The least-squares line of two turns or more."""
        # Plain sums: numpy's cost on three numbers is ten times that.
        count = len(turns)
        centre = sum(turn.row for turn in turns) / count
        middle = sum(sign * turn.price for turn in turns) / count
        slope = sum((turn.row - centre) * (sign * turn.price - middle) for turn in turns) / sum(
            (turn.row - centre) ** 2 for turn in turns
        )
        return cls(at=centre, price=middle, slope=slope)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A shape whose turns are confirmed and that waits for its breakout.

    Prices are times `sign`: with -1 a bottom looks like a top. `upper` and `lower` are the lines whose crossing by a
    close ends the wait: `down` names the kind's classical direction in signed prices, none when either will do.
    """

    kind: str
    turns: tuple[Pivot, ...]
    known: int
    """Row from which on all its turns are confirmed."""
    sign: float
    upper: Line
    lower: Line
    breaks: Direction | None
    """The side it must leave by, in signed prices; none for either."""
    reach_frac: float
    """Distance of the target from the breakout, in price."""
    quality: float
    """0 to 1: one less the misfit over the misfit allowed."""
    patience: int
    """Bars after the last turn within which it must break."""
