"""How many units, line by line, so that the page can show the arithmetic."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from evil2root.domain.core.instrument import Instrument
from evil2root.domain.core.money import ONE, ZERO, Quantity
from evil2root.domain.core.side import Side
from evil2root.domain.decision.proposal import Proposal
from evil2root.domain.risk.exposure import Exposure, risk_of_unit
from evil2root.domain.risk.limits import Limits
from evil2root.domain.risk.methods import FixedUnits, Line, Sizing, wish

Cap = tuple[str, str, Decimal]
"""Label, how it comes about, units allowed."""


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

    `factor` is the verdict's, in [0, 1]: confidence can only shrink, whatever it says.
    """
    assert exposure.rate is not None, "without a rate nothing is sized"
    price *= exposure.rate  # from here on one unit costs money of the account
    wished, lines = wish(proposal, price, exposure, method, limits)
    factor = max(ZERO, min(factor, ONE))
    if factor != 1:
        wished *= factor
        lines.append(Line(label="x verdict", detail=f"size factor {factor:.4g}", quantity=wished))
    caps = list(_caps(proposal, price, exposure, limits))
    allowed = min([wished, *(room for _, _, room in caps)])
    for label, detail, room in caps:
        lines.append(Line(label=label, detail=detail, quantity=room, binds=room == allowed and room < wished))
    if isinstance(method, FixedUnits) and allowed < wished:
        allowed = ZERO
    quantity = instrument.quantity(allowed)
    detail = f"down to a lot of {instrument.lot}" if quantity else f"less than one lot of {instrument.lot}"
    lines.append(Line(label="Order size, rounded down", detail=detail, quantity=quantity))
    return Sized(quantity=quantity, lines=tuple(lines))


def _caps(proposal: Proposal, price: Decimal, exposure: Exposure, limits: Limits) -> Iterator[Cap]:
    """Give what each limit that is on still allows."""
    equity = exposure.equity
    yield _cap("Symbol cap", limits.per_symbol_frac * equity, exposure.symbol, price)
    yield _cap("Gross cap", limits.gross_frac * equity, exposure.gross, price)
    yield from _more_caps(proposal, price, exposure, limits)
    if proposal.side is Side.BUY:
        spendable = exposure.cash - exposure.cash_in_flight - limits.cash_reserve_frac * equity
        unit = price * (1 + exposure.fee_frac + exposure.slippage_frac)
        detail = f"{max(spendable, ZERO):.2f} to spend at {unit:.6g} a unit, costs included"
        yield "Cash", detail, max(ZERO, spendable / unit)
    if limits.volume_share_frac is not None and exposure.day_volume is not None:
        share = limits.volume_share_frac * exposure.day_volume
        yield "Volume share", f"{limits.volume_share_frac} of {exposure.day_volume} in the last bar", share
    if limits.average_volume_frac is not None and exposure.average_volume is not None:
        share = limits.average_volume_frac * exposure.average_volume
        detail = f"{limits.average_volume_frac} of {exposure.average_volume:.6g}, the mean of the last bars"
        yield "Average volume share", detail, share


def _more_caps(proposal: Proposal, price: Decimal, exposure: Exposure, limits: Limits) -> Iterator[Cap]:
    equity = exposure.equity
    if limits.net_frac is not None:
        yield _cap("Net cap", limits.net_frac * equity, proposal.side.sign * exposure.net, price)
    if limits.leverage_max is not None:
        yield _cap("Leverage cap", limits.leverage_max * equity, exposure.gross, price)
    parts = {
        "sector": limits.sector_frac, "asset class": limits.asset_class_frac, "currency": limits.currency_frac
    }  # fmt: skip
    for group in exposure.groups:
        part = parts.get(group.kind)
        if part is not None:
            label, detail, room = _cap(f"{group.kind.capitalize()} cap", part * equity, group.used, price)
            yield label, f"{group.name}: {detail}", room
    if limits.cluster_frac is not None and exposure.company is not None:
        yield _cap("Cluster cap", limits.cluster_frac * equity, exposure.company.cluster_used, price)
    if limits.heat_frac is not None:
        rate = exposure.rate or ONE
        risk = rate * risk_of_unit(price / rate, proposal.side, proposal.protect)
        yield _cap("Heat cap", limits.heat_frac * equity, exposure.heat, risk)
    if limits.order_value_frac is not None:
        yield _cap("Order value cap", limits.order_value_frac * equity, ZERO, price)
    if limits.order_units_max is not None:
        yield "Order units cap", f"{limits.order_units_max} units an order", limits.order_units_max


def _cap(label: str, limit: Decimal, used: Decimal, unit: Decimal) -> Cap:
    room = max(ZERO, limit - used)
    return label, f"{limit:.2f} less {used:.2f} in use = {room:.2f}", room / unit
