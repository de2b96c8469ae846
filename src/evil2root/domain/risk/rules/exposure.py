"""Limits of all that is held and in flight together, the new order included."""

from decimal import Decimal

from evil2root.domain.core.money import ZERO
from evil2root.domain.core.side import Side
from evil2root.domain.risk.check import Asked, Check, Unit, at_most


def symbol_exposure(asked: Asked) -> Check:
    """Hold so much of one symbol."""
    limit = asked.share(asked.limits.per_symbol_frac)
    value = asked.exposure.symbol + asked.notional
    return at_most("symbol exposure", value, limit, "close some of it or raise per_symbol_frac", Unit.MONEY)


def gross_exposure(asked: Asked) -> Check:
    """Hold so much of everything, without sign."""
    limit = asked.share(asked.limits.gross_frac)
    value = asked.exposure.gross + asked.notional
    return at_most("gross exposure", value, limit, "close something or raise gross_frac", Unit.MONEY)


def net_exposure(asked: Asked) -> Check | None:
    """Hold so much more long than short, or short than long. What brings them nearer together passes."""
    part = asked.limits.net_frac
    if part is None:
        return None
    before = asked.exposure.net
    after = before + asked.order.side.sign * asked.notional
    limit = asked.share(part)
    return Check(
        name="net exposure", value=abs(after), limit=limit, holds=abs(after) <= limit or abs(after) <= abs(before),
        advice="close something on that side or raise net_frac", unit=Unit.MONEY,
    )  # fmt: skip


def leverage(asked: Asked) -> Check | None:
    """Hold so many times the equity."""
    most, equity = asked.limits.leverage_max, asked.exposure.equity
    if most is None:
        return None
    gross = asked.exposure.gross + asked.notional
    value = gross / equity if equity > 0 else ZERO
    return Check(
        name="leverage", value=value, limit=most, holds=equity > 0 and gross <= most * equity,
        advice="close something, add cash or raise leverage_max",
    )  # fmt: skip


def sector_exposure(asked: Asked) -> Check | None:
    """Hold so much of one sector; nothing to say where the sector is unknown."""
    return _group(asked, "sector", asked.limits.sector_frac)


def asset_class_exposure(asked: Asked) -> Check | None:
    """Hold so much of one asset class."""
    return _group(asked, "asset class", asked.limits.asset_class_frac)


def currency_exposure(asked: Asked) -> Check | None:
    """Hold so much that is quoted in one currency."""
    return _group(asked, "currency", asked.limits.currency_frac)


def _group(asked: Asked, kind: str, part: Decimal | None) -> Check | None:
    group = next((one for one in asked.exposure.groups if one.kind == kind), None)
    if part is None or group is None:
        return None
    advice = f"close some {group.name} or raise {kind.replace(' ', '_')}_frac"
    return at_most(f"{kind} exposure, {group.name}", group.used + asked.notional, asked.share(part), advice, Unit.MONEY)


def positions(asked: Asked) -> Check:
    """Hold so many symbols at a time. One that is held already takes no new place."""
    count = asked.exposure.positions + (0 if asked.exposure.held else 1)
    advice = "close one or raise positions_max"
    return at_most("positions", Decimal(count), Decimal(asked.limits.positions_max), advice, Unit.COUNT)


def cash(asked: Asked) -> Check | None:
    """Pay for it, costs included, from what is not promised already. A short sale brings money in."""
    if asked.order.side is Side.SELL:
        return None
    seen = asked.exposure
    cost = asked.notional * (1 + seen.fee_frac + (ZERO if seen.asked_at_open else seen.slippage_frac))
    free = seen.cash - seen.cash_in_flight - asked.share(asked.limits.cash_reserve_frac)
    return at_most("cash", cost, free, "close something, add cash or lower cash_reserve_frac", Unit.MONEY)
