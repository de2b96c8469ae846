"""The facts an entry is judged by, gathered from the state: what is owned, in flight or somebody else's but counted."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal

from evil2root.domain.book.orders import Leg
from evil2root.domain.core.instrument import Instrument
from evil2root.domain.core.money import ONE, ZERO, exact
from evil2root.domain.core.sectors import UNKNOWN
from evil2root.domain.core.side import Side
from evil2root.domain.kernel.policy import Policy
from evil2root.domain.kernel.record import Decision
from evil2root.domain.kernel.state import State, Turn
from evil2root.domain.risk.company import company_of, parity_share, volatility
from evil2root.domain.risk.exposure import Company, Exposure, Group, Pace, risk_of_unit
from evil2root.domain.risk.limits import Limits
from evil2root.domain.risk.memory import MINUTE, SECOND, RiskMemory
from evil2root.domain.risk.methods import RiskParity, VolatilityTarget
from evil2root.domain.risk.recent import Recent

MICROSECOND = timedelta(microseconds=1)


@dataclass(slots=True)
class Burden:
    """Sums over everything that is owned or in flight, made in one walk. Lives only while facts are gathered."""

    signed: dict[str, Decimal] = field(default_factory=dict)
    """Value by symbol, shorts below zero."""
    gross: dict[str, Decimal] = field(default_factory=dict)
    """Value by symbol without sign."""
    owned: Decimal = ZERO
    """Value of positions, shorts below zero."""
    heat: Decimal = ZERO
    buying: Decimal = ZERO
    """What working buys may still take, before costs."""
    entering: dict[str, Decimal] = field(default_factory=dict)
    """Units of working entries by symbol, signed."""

    def add(self, symbol: str, value: Decimal) -> None:
        """Count a signed value."""
        self.signed[symbol] = self.signed.get(symbol, ZERO) + value
        self.gross[symbol] = self.gross.get(symbol, ZERO) + abs(value)


def exposure_of(turn: Turn, decision: Decision, *, at_open: bool) -> Exposure:
    """Return the account as the gate sees it. Cost: positions + open orders, and the returns where a limit needs them."""
    state, policy, symbol = turn.state, turn.policy, decision.symbol
    carry, costs, limits = state.carry, policy.costs, policy.limits
    burden = burden_of(state)
    slippage = costs.moved_frac(ZERO, None)
    equity = state.portfolio.cash + burden.owned
    held = state.portfolio.positions.get(symbol)
    instrument = policy.instruments[symbol]
    rate = policy.rate(symbol, state.portfolio.marks)
    fee = costs.rate(instrument.asset_class)
    per_unit = costs.per_unit(instrument.asset_class)
    if per_unit and rate:
        fee += per_unit / (exact(decision.bar.close, what="The close") * rate)
    side = decision.proposal.side if decision.proposal is not None else Side.BUY
    return Exposure(
        equity=carry.equity,
        cash=state.portfolio.cash,
        cash_in_flight=burden.buying * (1 + fee + slippage),
        gross=sum(burden.gross.values(), ZERO),
        symbol=burden.gross.get(symbol, ZERO),
        positions=len(state.portfolio.positions.keys() | burden.entering.keys()),
        day_loss_frac=max(ZERO, 1 - equity / carry.day_equity) if carry.day_equity > 0 else ZERO,
        day_volume=exact(decision.bar.volume, what="Volume") if instrument.has_volume else None,
        fee_frac=fee,
        slippage_frac=slippage,
        asked_at_open=at_open,
        capital=carry.capital,
        net=sum(burden.signed.values(), ZERO),
        held=(ZERO if held is None else held.quantity) + burden.entering.get(symbol, ZERO),
        groups=groups_of(instrument, burden.gross, policy),
        heat=burden.heat,
        average_volume=_average_volume(state.recent, instrument, limits),
        last_price=state.portfolio.marks.get(symbol) if limits.price_collar_frac is not None else None,
        previous_close=_previous_close(state.recent, instrument, limits),
        company=_company(state.recent, decision, side, burden, policy),
        volatility=_volatility(state.recent, decision, policy),
        parity_share=_parity(state.recent, decision, policy),
        win=_win(decision, side),
        rate=rate,
        passport=decision.passport,
        pace=_pace(carry.risk, decision, side, turn, carry.equity),
    )


def burden_of(state: State) -> Burden:
    """Sum up positions, working entries (of unknown outcome too), and what somebody else holds or has asked for."""
    burden, portfolio, carry = Burden(), state.portfolio, state.carry
    marks, rates = portfolio.marks, portfolio.rates
    signed, gross, owned, heat = burden.signed, burden.gross, ZERO, ZERO
    for symbol, position in portfolio.positions.items():
        units = position.quantity * rates.get(symbol, position.entry_rate)
        value = units * marks.get(symbol, position.average_price)
        signed[symbol], gross[symbol] = value, abs(value)
        owned += value
        stop = position.stop
        loss = gross[symbol] if stop is None else value - units * stop
        if loss > 0:
            heat += loss
    burden.owned, burden.heat = owned, heat
    for order in state.orders.values():
        if order.leg is Leg.ENTRY:
            price, units = order.price or marks[order.symbol], order.left
            rate = rates.get(order.symbol, ONE)
            burden.add(order.symbol, order.side.sign * units * price * rate)
            burden.heat += units * rate * risk_of_unit(price, order.side, order.protect)
            burden.entering[order.symbol] = burden.entering.get(order.symbol, ZERO) + order.side.sign * units
            if order.side is Side.BUY:
                burden.buying += units * price * rate
    for other in carry.external.values():
        worth = other.price or marks.get(other.symbol)
        if other.left is not None and worth is not None:
            worth *= rates.get(other.symbol, ONE)
            burden.add(other.symbol, other.side.sign * other.left * worth)
            burden.buying += other.left * worth if other.side is Side.BUY else ZERO
    for what, extra in carry.ignored.items():
        if what in marks:
            burden.add(what, extra * marks[what] * rates.get(what, ONE))
    return burden


def groups_of(instrument: Instrument, gross: Mapping[str, Decimal], policy: Policy) -> tuple[Group, ...]:
    """Return what the groups of an instrument have in use, for the limits that are on."""
    limits = policy.limits
    kinds = (
        ("sector", limits.sector_frac, instrument.sector, "sector"),
        ("asset class", limits.asset_class_frac, instrument.asset_class.value, "asset_class"),
        ("currency", limits.currency_frac, instrument.currency, "currency"),
    )
    found = []
    for kind, limit, name, attribute in kinds:
        if limit is not None and name != UNKNOWN:
            peers = (s for s in gross if s in policy.instruments and getattr(policy.instruments[s], attribute) == name)
            found.append(Group(kind=kind, name=name, used=sum((gross[s] for s in peers), ZERO)))
    return tuple(found)


def _average_volume(recent: Recent | None, instrument: Instrument, limits: Limits) -> Decimal | None:
    if limits.average_volume_frac is None or recent is None or not instrument.has_volume:
        return None
    volume = recent.average_volume(instrument.symbol)
    return None if volume is None else exact(volume, what="Average volume")


def _previous_close(recent: Recent | None, instrument: Instrument, limits: Limits) -> Decimal | None:
    if limits.price_collar_frac is None or recent is None:
        return None
    close = recent.previous_close(instrument.symbol)
    return None if close is None else instrument.price(close)


def _company(recent: Recent | None, decision: Decision, side: Side, burden: Burden, policy: Policy) -> Company | None:
    if recent is None or not policy.limits.needs_returns:
        return None
    return company_of(
        recent, symbol=decision.symbol, side=side, signed=burden.signed, gross=burden.gross,
        conversions=policy.conversions,
    )  # fmt: skip


def _volatility(recent: Recent | None, decision: Decision, policy: Policy) -> Decimal | None:
    if recent is None or not isinstance(policy.sizing, VolatilityTarget):
        return None
    return volatility(recent, decision.symbol, bars_a_year=policy.interval.bars_a_year,
                      conversions=policy.conversions)  # fmt: skip


def _parity(recent: Recent | None, decision: Decision, policy: Policy) -> Decimal | None:
    if recent is None or not isinstance(policy.sizing, RiskParity):
        return None
    return parity_share(recent, decision.symbol, conversions=policy.conversions, traded=policy.traded)


def _win(decision: Decision, side: Side) -> Decimal | None:
    if decision.view is None:
        return None
    up = exact(decision.view.p_up, what="The probability")
    return up if side is Side.BUY else 1 - up


def _pace(memory: RiskMemory, decision: Decision, side: Side, turn: Turn, equity: Decimal) -> Pace:
    at = turn.at
    age = max(ZERO, Decimal((turn.present - decision.bar.closed_at) // MICROSECOND))
    return Pace(
        second=memory.sent_within(SECOND, at),
        minute=memory.sent_within(MINUTE, at),
        day=memory.sent_on(at.date()),
        same=memory.same(decision.symbol, side, at),
        age=age / Decimal(decision.interval.length // MICROSECOND),
        losses=memory.losses,
        rejections=memory.rejections,
        drawdown_frac=memory.drawdown(equity),
    )
