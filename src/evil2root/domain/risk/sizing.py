"""How many units, line by line, so that the page can show the arithmetic."""

from dataclasses import dataclass
from decimal import Decimal

from evil2root.domain.core.instrument import Instrument
from evil2root.domain.core.money import ZERO, Quantity
from evil2root.domain.core.side import Side
from evil2root.domain.decision.proposal import Proposal
from evil2root.domain.risk.limits import Limits


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskAtStop:
    """Risk the same share of equity on every trade: quantity = equity x share / distance to the stop."""

    risk_per_trade_frac: Decimal = Decimal("0.02")

    def __post_init__(self) -> None:
        if not 0 < self.risk_per_trade_frac <= 1:
            msg = f"risk_per_trade_frac is {self.risk_per_trade_frac}; it must be above 0 and at most 1."
            raise ValueError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedUnits:
    """Always the same quantity; refused, not shrunk, when a cap is lower."""

    units: Decimal

    def __post_init__(self) -> None:
        if self.units <= 0:
            msg = f"units is {self.units}; it must be above 0."
            raise ValueError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class CashFraction:
    """A share of the cash, fees included, sized at the open it is bought at."""

    cash_frac: Decimal

    def __post_init__(self) -> None:
        if not 0 < self.cash_frac <= 1:
            msg = f"pct is {self.cash_frac}; it must be above 0 and at most 1."
            raise ValueError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class CapitalShare:
    """A share of what the owner paid in, costs included: equal parts stay equal however many are bought already."""

    capital_frac: Decimal

    def __post_init__(self) -> None:
        if not 0 < self.capital_frac <= 1:
            msg = f"capital_frac is {self.capital_frac}; it must be above 0 and at most 1."
            raise ValueError(msg)


Sizing = RiskAtStop | FixedUnits | CashFraction | CapitalShare


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """The account as the gate sees it: what is owned plus what is approved and unanswered."""

    equity: Decimal
    """At the last close."""
    cash: Decimal
    cash_in_flight: Decimal
    """What working entries will still take, costs included."""
    gross: Decimal
    """Value of all positions and working entries, without sign."""
    symbol: Decimal
    """The same for the one symbol."""
    positions: int
    """Symbols held or being entered."""
    day_loss_frac: Decimal
    """Loss since the previous day's close as a share of equity then; never negative."""
    day_volume: Decimal | None
    """Volume of the last bar; none where there is none."""
    fee_frac: Decimal
    slippage_frac: Decimal
    asked_at_open: bool = False
    """True when the price is the open that is traded at, false when it is the close before."""
    capital: Decimal = ZERO
    """What the owner paid in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of the arithmetic."""

    label: str
    detail: str
    quantity: Decimal | None
    """Units after this line, or what this cap allows; none for lines in money."""
    amount: Decimal | None = None
    """Money, for lines in money."""
    binds: bool = False
    """This cap decided the size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sized:
    """The size and how it came about."""

    quantity: Quantity
    lines: tuple[Line, ...]


def size(  # noqa: PLR0913 - each is an input the arithmetic shows
    proposal: Proposal,
    *,
    price: Decimal,
    factor: Decimal,
    exposure: Exposure,
    method: Sizing,
    limits: Limits,
    instrument: Instrument,
) -> Sized:
    """Size a proposal: the method's wish times `factor`, then the smallest of the caps, then floored to the lot.

    `factor` is the verdict's, in [0, 1]: confidence can only shrink.
    """
    wish, lines = _wish(proposal, price, exposure, method)
    if factor != 1:
        wish *= factor
        lines.append(Line(label="x verdict", detail=f"size factor {factor:.4g}", quantity=wish))
    caps = _caps(proposal, price, exposure, limits)
    allowed = min([wish, *(room for _, _, room in caps)])
    for label, detail, room in caps:
        lines.append(Line(label=label, detail=detail, quantity=room, binds=room == allowed and room < wish))
    if isinstance(method, FixedUnits) and allowed < wish:
        allowed = ZERO
    quantity = instrument.quantity(allowed)
    detail = f"down to a lot of {instrument.lot}" if quantity else f"less than one lot of {instrument.lot}"
    lines.append(Line(label="Order size, rounded down", detail=detail, quantity=quantity))
    return Sized(quantity=quantity, lines=tuple(lines))


def _wish(proposal: Proposal, price: Decimal, exposure: Exposure, method: Sizing) -> tuple[Decimal, list[Line]]:
    match method:
        case RiskAtStop(risk_per_trade_frac=share):
            budget = exposure.equity * share
            distance = proposal.risk_per_unit
            lines = [Line(label="Risk budget", detail=f"{exposure.equity} x {share}", quantity=None, amount=budget)]
            if distance is None:
                lines.append(Line(label="/ stop distance", detail="no stop, no size", quantity=ZERO))
                return ZERO, lines
            lines.append(
                Line(label="/ stop distance", detail=f"entry {proposal.entry}, stop {proposal.stop}: {distance} a unit",
                     quantity=budget / distance)
            )  # fmt: skip
            return budget / distance, lines
        case FixedUnits(units=units):
            return units, [Line(label="Fixed size", detail=f"{units} units", quantity=units)]
        case CashFraction(cash_frac=share):
            units = share * exposure.cash / (price * (1 + exposure.fee_frac))
            detail = f"{share} x {exposure.cash} / ({price} x {1 + exposure.fee_frac})"
            return units, [Line(label="Share of cash", detail=detail, quantity=units)]
        case CapitalShare(capital_frac=share):
            unit = price * (1 + exposure.fee_frac + exposure.slippage_frac)
            units = share * exposure.capital / unit
            detail = f"{share:.6g} x {exposure.capital} / {unit:.6g} a unit, costs included"
            return units, [Line(label="Share of capital", detail=detail, quantity=units)]


def _caps(proposal: Proposal, price: Decimal, exposure: Exposure, limits: Limits) -> list[tuple[str, str, Decimal]]:
    """Return (label, detail, units allowed) for each cap."""
    equity = exposure.equity
    caps = [
        _cap("Symbol cap", limits.per_symbol_frac * equity, exposure.symbol, price),
        _cap("Gross cap", limits.gross_frac * equity, exposure.gross, price),
    ]
    spendable = exposure.cash - exposure.cash_in_flight - limits.cash_reserve_frac * equity
    if proposal.side is Side.BUY:
        unit = price * (1 + exposure.fee_frac + exposure.slippage_frac)
        detail = f"{max(spendable, ZERO):.2f} to spend at {unit:.6g} a unit, costs included"
        caps.append(("Cash", detail, max(ZERO, spendable / unit)))
    if limits.volume_share_frac is not None and exposure.day_volume is not None:
        share = limits.volume_share_frac * exposure.day_volume
        caps.append(("Volume share", f"{limits.volume_share_frac} of {exposure.day_volume} in the last bar", share))
    return caps


def _cap(label: str, limit: Decimal, used: Decimal, price: Decimal) -> tuple[str, str, Decimal]:
    room = max(ZERO, limit - used)
    return label, f"{limit:.2f} less {used:.2f} in use = {room:.2f}", room / price
