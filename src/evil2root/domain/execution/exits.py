"""How far stops and targets lie from an entry, and how a stop trails."""

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from evil2root.domain.book.positions import Position
from evil2root.domain.book.protection import Protect
from evil2root.domain.core.instrument import Instrument
from evil2root.domain.core.money import Price, exact
from evil2root.domain.core.side import Side
from evil2root.domain.numerics import levels


class TrailKind(StrEnum):
    """By what a stop trails."""

    NONE = "none"
    PERCENT = "percent"
    ATR = "atr"


@dataclass(frozen=True, slots=True, kw_only=True)
class Exits:
    """The exit rules of a policy. Fractions win over ATR multiples; both none means no such level."""

    stop_frac: Decimal | None = None
    target_frac: Decimal | None = None
    stop_atr: Decimal | None = Decimal(2)
    """Multiples of ATR(14) of the bar the entry was decided on."""
    target_atr: Decimal | None = Decimal(4)
    trail: TrailKind = TrailKind.PERCENT
    trail_arm_frac: Decimal = Decimal("0.01")
    """Favourable move from the entry price that arms the trailing stop."""
    trail_frac: Decimal = Decimal("0.005")
    trail_atr: Decimal = Decimal(2)
    live_from_next_bar: bool = False
    """True: stop and target act only from the bar after the entry bar (reference runs)."""
    target_gap_first: bool = True
    """False: an open beyond the target does not come before the stop within the bar (reference runs)."""

    def protect(self, atr: float | None) -> Protect | None:
        """Return the distances for an entry decided now; none while an ATR that is needed warms up."""
        if self.stop_frac is not None or self.target_frac is not None:
            return Protect(stop=self.stop_frac, target=self.target_frac, relative=True)
        if self.stop_atr is None and self.target_atr is None:
            return Protect(stop=None, target=None, relative=False)
        if atr is None or atr <= 0:
            return None
        unit = exact(atr, what="ATR")
        return Protect(
            stop=None if self.stop_atr is None else self.stop_atr * unit,
            target=None if self.target_atr is None else self.target_atr * unit,
            relative=False,
        )


def trailed_stop(position: Position, *, best: Price, atr: float | None, exits: Exits, instrument: Instrument) -> Price:
    """Return the stop in force from the next bar on: never looser than the present one.

    `best` is the most favourable high or low of bars that are over. A position without a stop gets none here.
    """
    if position.stop is None:
        msg = f"{position.symbol} has no stop to trail."
        raise ValueError(msg)
    is_long = position.side is Side.BUY
    candidate = Decimal(0)
    match exits.trail:
        case TrailKind.NONE:
            return position.stop
        case TrailKind.PERCENT:
            if not levels.trail_armed(is_long, position.average_price, best, exits.trail_arm_frac):
                return position.stop
            candidate = levels.trail_by_fraction(is_long, Decimal(best), exits.trail_frac)
        case TrailKind.ATR:
            if atr is None:
                return position.stop
            candidate = levels.trail_by_distance(is_long, Decimal(best), exits.trail_atr * exact(atr, what="ATR"))
    if candidate <= 0:
        return position.stop
    return Price(levels.tighter(is_long, Decimal(position.stop), Decimal(instrument.price(candidate))))
