"""How far the guards of a position lie from its entry."""

from dataclasses import dataclass
from decimal import Decimal

from evil2root.domain.core.instrument import Instrument
from evil2root.domain.core.money import Price
from evil2root.domain.core.side import Side


@dataclass(frozen=True, slots=True, kw_only=True)
class Protect:
    """How far the stop and the target lie from the fill they will be computed from."""

    stop: Decimal | None
    target: Decimal | None
    relative: bool
    """True: fractions of the fill price. False: distances in quote currency."""

    def __post_init__(self) -> None:
        for name, distance in (("stop", self.stop), ("target", self.target)):
            if distance is not None and distance <= 0:
                msg = f"A {name} {distance} away from the entry protects nothing; it must be above zero."
                raise ValueError(msg)

    def levels(self, entry: Decimal, side: Side, instrument: Instrument) -> tuple[Price | None, Price | None]:
        """Return stop and target for an entry at `entry`.

        A stop that would lie at or below zero is left out: nothing can trade there.
        """
        unit = entry if self.relative else Decimal(1)
        stop = None if self.stop is None else entry - side.sign * self.stop * unit
        target = None if self.target is None else entry + side.sign * self.target * unit
        return (
            instrument.price(stop) if stop is not None and stop > (instrument.tick or 0) else None,
            instrument.price(target) if target is not None and target > (instrument.tick or 0) else None,
        )
