"""How many units a proposal wishes for, before any limit: one class a method, and its arithmetic line by line."""

from dataclasses import dataclass
from decimal import Decimal

from evil2root.domain.core.money import ONE, ZERO
from evil2root.domain.decision.proposal import Proposal
from evil2root.domain.risk.exposure import Exposure
from evil2root.domain.risk.limits import Limits

KELLY_MOST = Decimal("0.25")
"""More than a quarter of Kelly's share bets on knowing the odds better than anyone does."""


def _require_share(name: str, value: Decimal, most: Decimal = ONE) -> None:
    if not 0 < value <= most:
        msg = f"{name} is {value}; it must be above 0 and at most {most}."
        raise ValueError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskAtStop:
    """Risk the same share of equity on every trade: quantity = equity x share / distance to the stop."""

    risk_per_trade_frac: Decimal = Decimal("0.02")

    def __post_init__(self) -> None:
        _require_share("risk_per_trade_frac", self.risk_per_trade_frac)


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
        _require_share("pct", self.cash_frac)


@dataclass(frozen=True, slots=True, kw_only=True)
class CapitalShare:
    """A share of what the owner paid in, costs included: equal parts stay equal however many are bought already."""

    capital_frac: Decimal

    def __post_init__(self) -> None:
        _require_share("capital_frac", self.capital_frac)


@dataclass(frozen=True, slots=True, kw_only=True)
class VolatilityTarget:
    """Let every position move the account alike: value = equity x target / the symbol's volatility a year."""

    volatility_frac: Decimal = Decimal("0.05")

    def __post_init__(self) -> None:
        _require_share("volatility_frac", self.volatility_frac)


@dataclass(frozen=True, slots=True, kw_only=True)
class Kelly:
    """Risk a part of Kelly's share, from the view's probability and reward to risk; never more than the fixed risk."""

    kelly_frac: Decimal = KELLY_MOST
    risk_per_trade_frac: Decimal = RiskAtStop().risk_per_trade_frac

    def __post_init__(self) -> None:
        _require_share("kelly_frac", self.kelly_frac, KELLY_MOST)
        _require_share("risk_per_trade_frac", self.risk_per_trade_frac)


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskParity:
    """Let every symbol of the watchlist add the same risk: a part of the gross limit, by inverse volatility."""


Sizing = RiskAtStop | FixedUnits | CashFraction | CapitalShare | VolatilityTarget | Kelly | RiskParity


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


Wish = tuple[Decimal, list[Line]]
"""Units, and how they came about."""


def wish(proposal: Proposal, price: Decimal, exposure: Exposure, method: Sizing, limits: Limits) -> Wish:
    """Return what the method would buy or sell at `price` (account currency), before any limit."""
    match method:
        case RiskAtStop(risk_per_trade_frac=share):
            budget = exposure.equity * share
            return _at_stop(proposal, budget, _money("Risk budget", f"{exposure.equity} x {share}", budget), exposure)
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
        case VolatilityTarget(volatility_frac=share):
            return _by_volatility(price, exposure, share)
        case Kelly():
            return _by_odds(proposal, exposure, method)
        case RiskParity():
            return _by_parity(price, exposure, limits)


def _by_volatility(price: Decimal, exposure: Exposure, share: Decimal) -> Wish:
    budget = exposure.equity * share
    lines = [_money("Volatility budget", f"{exposure.equity} x {share} a year", budget)]
    if not exposure.volatility:
        return _nothing(lines, "/ volatility a year", "not known yet, no size")
    units = budget / exposure.volatility / price
    lines.append(
        Line(label="/ volatility a year", detail=f"{exposure.volatility:.6g} at {price} a unit", quantity=units)
    )
    return units, lines


def _by_odds(proposal: Proposal, exposure: Exposure, method: Kelly) -> Wish:
    win, ratio = exposure.win, proposal.reward_to_risk
    if win is None or ratio is None:
        return _nothing([], "Kelly's share", "needs a view, a stop and a target: no size")
    full = win - (1 - win) / ratio
    share = max(ZERO, min(method.kelly_frac * full, method.risk_per_trade_frac))
    budget = exposure.equity * share
    odds = f"wins {win:.4f} of the time, reward to risk {ratio:.4g}: share {full:.4f}"
    detail = f"{odds} x {method.kelly_frac}, from 0 to {method.risk_per_trade_frac} of {exposure.equity}"
    return _at_stop(proposal, budget, _money("Kelly's share", detail, budget), exposure)


def _by_parity(price: Decimal, exposure: Exposure, limits: Limits) -> Wish:
    if exposure.parity_share is None:
        return _nothing([], "Parity share", "the volatilities are not known yet, no size")
    budget = exposure.parity_share * limits.gross_frac * exposure.equity
    detail = f"{exposure.parity_share:.6g} x {limits.gross_frac} x {exposure.equity}"
    units = budget / price
    return units, [
        _money("Parity share", detail, budget), Line(label="/ price", detail=f"{price} a unit", quantity=units)
    ]  # fmt: skip


def _at_stop(proposal: Proposal, budget: Decimal, first: Line, exposure: Exposure) -> Wish:
    distance = proposal.risk_per_unit
    if distance is None:
        return _nothing([first], "/ stop distance", "no stop, no size")
    detail = f"entry {proposal.entry}, stop {proposal.stop}: {distance} a unit"
    if exposure.rate not in (None, ONE):
        distance *= exposure.rate
        detail += f", {distance:.6g} at the rate {exposure.rate}"
    units = budget / distance
    return units, [first, Line(label="/ stop distance", detail=detail, quantity=units)]


def _money(label: str, detail: str, amount: Decimal) -> Line:
    return Line(label=label, detail=detail, quantity=None, amount=amount)


def _nothing(lines: list[Line], label: str, why: str) -> Wish:
    return ZERO, [*lines, Line(label=label, detail=why, quantity=ZERO)]
