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
    """A fraction behind the best price, once it has armed."""
    ATR = "atr"
    """Multiples of ATR(14) behind the best price, once it has armed."""
    CHANDELIER = "chandelier"
    """Multiples of ATR(14) behind the best price, from the first close on."""


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
    """Favourable move from the entry price that arms a percent or an ATR trail."""
    trail_frac: Decimal = Decimal("0.005")
    trail_atr: Decimal = Decimal(2)
    """Multiples of ATR(14) of the bar that is over: the one before the bar the stop is in force on."""
    break_even_r: Decimal | None = None
    """Favourable move, in multiples of the way to the first stop, that moves the stop to the entry; none never does."""
    time_stop_bars: int | None = None
    """Bars after which a position is left that has not reached `time_stop_r`; none lets it stay."""
    time_stop_r: Decimal = Decimal("0.5")
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """Where a stop is to be, and what put it there."""

    stop: Price
    reason: str
    """`trailing` or `break-even`."""


def trailed_stop(position: Position, *, best: Price, atr: float | None, exits: Exits, instrument: Instrument) -> Level:
    """Return the stop in force from the next bar on: never looser than the present one.

    `best` is the most favourable high or low of bars that are over, `atr` that of the last of them. A position without
    a stop gets none here.
    """
    if position.stop is None:
        msg = f"{position.symbol} has no stop to trail."
        raise ValueError(msg)
    is_long = position.side is Side.BUY
    level = Level(stop=position.stop, reason="trailing")
    candidates = (
        ("break-even", _break_even(position, best=best, exits=exits)),
        ("trailing", _trail(position, best=best, atr=atr, exits=exits)),
    )
    for reason, candidate in candidates:
        if candidate is not None and candidate > 0:
            stop = Price(levels.tighter(is_long, Decimal(level.stop), Decimal(instrument.price(candidate))))
            level = level if stop == level.stop else Level(stop=stop, reason=reason)
    return level


def _trail(position: Position, *, best: Price, atr: float | None, exits: Exits) -> Decimal | None:
    is_long = position.side is Side.BUY
    armed = levels.trail_armed(is_long, position.average_price, best, exits.trail_arm_frac)
    match exits.trail:
        case TrailKind.NONE:
            return None
        case TrailKind.PERCENT:
            return levels.trail_by_fraction(is_long, Decimal(best), exits.trail_frac) if armed else None
        case TrailKind.ATR if not armed:
            return None
        case TrailKind.ATR | TrailKind.CHANDELIER:
            if atr is None:
                return None
            return levels.trail_by_distance(is_long, Decimal(best), exits.trail_atr * exact(atr, what="ATR"))


def _break_even(position: Position, *, best: Price, exits: Exits) -> Decimal | None:
    reached = reached_r(position, best=best)
    if exits.break_even_r is None or reached is None or reached < exits.break_even_r:
        return None
    return position.average_price


def reached_r(position: Position, *, best: Price) -> Decimal | None:
    """Return the best move so far in multiples of the way to the first stop; none for a position that had no stop."""
    first = position.initial_stop
    if first is None or first == position.average_price:
        return None
    return position.side.sign * (best - position.average_price) / abs(position.average_price - first)


def time_is_up(bars: int | None, reached: Decimal | None, exits: Exits) -> str | None:
    """Say why a position has been held long enough, or nothing. Without a first stop there is no R to reach.

    `bars` counts the closes at which it was held, `reached` is the best move in R.
    """
    if exits.time_stop_bars is None or bars is None or reached is None:
        return None
    if bars < exits.time_stop_bars or reached >= exits.time_stop_r:
        return None
    return f"Time stop: {bars} bars held, best {reached:.2f} R, {exits.time_stop_r} R asked by {exits.time_stop_bars}."
