"""The simulated venue: what happens to orders on a bar. Pure; the paper broker and the backtest both run it.

A bar is played in three phases, each over all symbols that have a bar at that moment: `exits` and `entries` at the
open, `inside` for the rest. What a rule leaves open is settled in favour of the worse outcome for us.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType

from evil2root.domain.book.charges import Charge
from evil2root.domain.book.fills import Fill
from evil2root.domain.book.orders import Leg, Order, OrderKind
from evil2root.domain.core.ids import execution_id
from evil2root.domain.core.instrument import Instrument
from evil2root.domain.core.money import ONE, ZERO, Money, Price, Quantity, exact
from evil2root.domain.core.side import Side
from evil2root.domain.execution.costs import Conditions, Costs
from evil2root.domain.market.bars import Bar
from evil2root.domain.numerics import levels

LAST_MOMENT = timedelta(seconds=1)
"""Fills inside a bar are stamped this long before its close: some moment of the bar, after its open."""


DRILL = "rejected by chance, as the settings ask (reject_frac)"

NO_CONDITIONS: Mapping[str, Conditions] = MappingProxyType({})
NO_RATES: Mapping[str, Decimal] = MappingProxyType({})


class Phase(StrEnum):
    """The part of a bar that is being played."""

    EXITS = "exits"
    ENTRIES = "entries"
    INSIDE = "inside"


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """The venue's rules."""

    venue: str = "paper"
    instruments: Mapping[str, Instrument]
    costs: Costs
    target_gap_first: bool = True
    foreign: frozenset[str] = frozenset()
    """Symbols that are quoted in another currency than the account's: they trade only at a known rate."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dropped:
    """The venue canceled an order, or what was left of it."""

    client_order_id: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VenueAccount:
    """One account at the simulated venue: its own cash, positions and working orders."""

    account: str
    cash: Money
    positions: Mapping[str, Decimal] = field(default_factory=dict)
    working: Mapping[str, Order] = field(default_factory=dict)
    """By client order id, in the order they came."""
    taken: Mapping[str, tuple[str, Decimal]] = field(default_factory=dict)
    """By symbol: the bar (opening time) and how much of its volume we took."""

    lent_on: Mapping[str, date] = field(default_factory=dict)
    """By symbol that is short: the day up to which its borrow was charged, at first the day it was sold."""
    charges: Mapping[str, Charge] = field(default_factory=dict)
    """The last charge of each symbol: whoever lost the news can be told again."""

    @property
    def idle(self) -> bool:
        """Can nothing happen to it? No order works and no unit is lent."""
        return not self.working and not any(held < 0 for held in self.positions.values())

    def held(self, symbol: str) -> Decimal:
        """Signed units held."""
        return self.positions.get(symbol, ZERO)


def accepted(account: VenueAccount, order: Order) -> VenueAccount:
    """Take an order in. Sending the same id again changes nothing."""
    if order.client_order_id in account.working:
        return account
    return replace(account, working={**account.working, order.client_order_id: order})


def canceled(account: VenueAccount, client_order_id: str) -> VenueAccount:
    """Take an order out; an unknown id changes nothing."""
    return replace(account, working={k: v for k, v in account.working.items() if k != client_order_id})


def amended(account: VenueAccount, order: Order) -> VenueAccount:
    """Give a working order a new price and quantity; an unknown id changes nothing."""
    held = account.working.get(order.client_order_id)
    if held is None:
        return account
    # A triggered stop goes on as a market order: it has no price left to amend.
    price = None if held.kind is OrderKind.MARKET else order.price
    changed = replace(held, price=price, quantity=order.quantity)
    return replace(account, working={**account.working, order.client_order_id: changed})


def play(  # noqa: PLR0913 - the account, the moment, the rules, and what was known before
    account: VenueAccount,
    phase: Phase,
    bars: Mapping[str, Bar],
    terms: Terms,
    *,
    rates: Mapping[str, Decimal] = NO_RATES,
    seen: Mapping[str, Conditions] = NO_CONDITIONS,
) -> tuple[VenueAccount, tuple[Fill | Dropped | Charge, ...]]:
    """Play one phase of the bars that close together; returns the account after it and what happened, in order.

    `rates` tell the account's currency for a price of 1, by symbol that is quoted in another; `seen`
    how symbols traded up to the bar before.
    """
    happened: list[Fill | Dropped | Charge] = []
    if phase is Phase.EXITS:
        account, charges = _lent(account, bars, terms, rates)
        happened += charges
    late = terms.costs.latency
    for order in _sequence(account, phase):
        bar = bars.get(order.symbol)
        if bar is None or (order.live_from is not None and bar.opened_at < order.live_from):
            continue
        if late and not order.is_guard and bar.opened_at < order.created_at + late:
            continue
        price = _price(order, bar, phase, terms)
        rate = rates.get(order.symbol) if order.symbol in terms.foreign else ONE
        if price is None or rate is None:
            continue
        account, events = _execute(account, order, price, bar, phase, terms, rate, seen.get(order.symbol))
        happened += events
    return account, tuple(happened)


def _lent(
    account: VenueAccount, bars: Mapping[str, Bar], terms: Terms, rates: Mapping[str, Decimal]
) -> tuple[VenueAccount, list[Charge]]:
    """Charge shorts for the days that began since they were charged last, at the open of the first bar of a day."""
    charges: list[Charge] = []
    if not terms.costs.borrow_frac:
        return account, charges
    for symbol, bar in bars.items():
        held, since = account.held(symbol), account.lent_on.get(symbol)
        rate = rates.get(symbol) if symbol in terms.foreign else ONE
        today = bar.opened_at.date()
        if held >= 0 or since is None or rate is None or today <= since:
            continue
        value = -held * exact(bar.open, what="A bar's price") * rate
        days = (today - since).days
        charge = Charge(
            symbol=symbol, amount=terms.costs.borrow(value, days=days), days=days, at=bar.opened_at,
            ref=f"borrow:{terms.venue}:{account.account}:{symbol}:{today.isoformat()}",
        )  # fmt: skip
        charges.append(charge)
        account = replace(
            account, cash=Money(account.cash - charge.amount), lent_on={**account.lent_on, symbol: today},
            charges={**account.charges, symbol: charge},
        )  # fmt: skip
    return account, charges


def _sequence(account: VenueAccount, phase: Phase) -> list[Order]:
    """Return the orders that may act in a phase: exits before protective levels, stops before targets."""
    orders = list(account.working.values())
    if phase is Phase.ENTRIES:
        return [o for o in orders if not o.reduce_only]
    closing = [o for o in orders if o.reduce_only]
    rank = {OrderKind.STOP: 1, OrderKind.TARGET: 2}
    closing.sort(key=lambda o: rank.get(o.kind, 0))
    if phase is Phase.EXITS:
        return closing
    return closing + [o for o in orders if not o.reduce_only and o.kind is not OrderKind.MARKET]


def _price(order: Order, bar: Bar, phase: Phase, terms: Terms) -> Decimal | None:
    """Return the undisturbed price `order` fills at in this phase, or none."""
    open_, high, low = (exact(x, what="A bar's price") for x in (bar.open, bar.high, bar.low))
    at_open = phase is not Phase.INSIDE
    if order.price is None:
        return open_ if at_open else None
    guards_long = order.side is Side.SELL
    match order.kind:
        case OrderKind.STOP if at_open:
            return open_ if levels.stop_passed_at_open(guards_long, open_, order.price) else None
        case OrderKind.STOP:
            touched = levels.stop_touched(guards_long, high, low, order.price)
            return levels.stop_price(guards_long, open_, order.price) if touched else None
        case OrderKind.TARGET if at_open:
            first = terms.target_gap_first and levels.target_passed_at_open(guards_long, open_, order.price)
            return open_ if first else None
        case OrderKind.TARGET:
            touched = levels.target_touched(guards_long, high, low, order.price)
            return levels.target_price(guards_long, open_, order.price) if touched else None
        case OrderKind.LIMIT | OrderKind.STOP_ENTRY:
            return _entry_price(order, order.price, (open_,) if at_open else (high, low), terms)
        case OrderKind.MARKET:
            return open_ if at_open else None


def _entry_price(order: Order, level: Decimal, reached: tuple[Decimal, ...], terms: Terms) -> Decimal | None:
    """Return the price a limit or stop entry fills at, given the open, or the extremes of the bar."""
    at_open = len(reached) == 1
    tick = terms.instruments[order.symbol].tick or ZERO
    if order.kind is OrderKind.LIMIT:
        # Touching is not enough: somebody else stood before us in the queue.
        through = min(reached) <= level - tick if order.side is Side.BUY else max(reached) >= level + tick
    else:
        through = max(reached) >= level if order.side is Side.BUY else min(reached) <= level
    if not through:
        return None
    return reached[0] if at_open else level


def _execute(  # noqa: PLR0913 - the venue, the order, the price, the bar and its phase, the rules, the rate
    account: VenueAccount,
    order: Order,
    raw: Decimal,
    bar: Bar,
    phase: Phase,
    terms: Terms,
    rate: Decimal,
    seen: Conditions | None,
) -> tuple[VenueAccount, list[Fill | Dropped]]:
    instrument = terms.instruments[order.symbol]
    takes = order.kind not in (OrderKind.LIMIT, OrderKind.TARGET)
    wanted = order.left
    held = account.held(order.symbol)
    if order.reduce_only:
        room = max(ZERO, -order.side.sign * held)
        if room == 0:
            return canceled(account, order.client_order_id), [
                Dropped(client_order_id=order.client_order_id, why="nothing left to close")
            ]
        wanted = Quantity(min(wanted, room))
    costs, kind = terms.costs, instrument.asset_class
    quantity = min(wanted, _volume_left(account, bar, instrument, costs))
    slipped = costs.slipped(raw, sign=order.side.sign, quantity=quantity, seen=seen) if takes else raw
    price = instrument.worse(slipped, side=order.side) if takes else Price(slipped)
    why = ""
    if order.side is Side.BUY and not order.reduce_only:
        affordable = instrument.quantity(account.cash / (price * rate * (1 + costs.rate(kind)) + costs.per_unit(kind)))
        if affordable < quantity:
            quantity, why = affordable, f"the cash {account.cash} buys {affordable} at {price}"
    quantity = instrument.quantity(Decimal(quantity))
    if quantity == 0:
        if why:
            return canceled(account, order.client_order_id), [Dropped(client_order_id=order.client_order_id, why=why)]
        return account, []
    fill = Fill(
        venue=terms.venue, account=account.account, symbol=order.symbol, side=order.side, quantity=quantity,
        execution_id=execution_id(client_order_id=order.client_order_id, bar=bar.opened_at, part=_PARTS[phase]),
        client_order_id=order.client_order_id, price=price, rate=rate,
        fee=costs.fee(quantity * price * rate, quantity=quantity, kind=kind),
        at=bar.opened_at if phase is not Phase.INSIDE else max(bar.opened_at, bar.closed_at - LAST_MOMENT),
        slippage=Money(abs(price - raw) * quantity * rate),
    )  # fmt: skip
    after = _booked(account, order, fill, bar)
    events: list[Fill | Dropped] = [fill]
    if why:
        after = canceled(after, order.client_order_id)
        events.append(Dropped(client_order_id=order.client_order_id, why=why))
    return after, events


_PARTS = {Phase.EXITS: 1, Phase.ENTRIES: 2, Phase.INSIDE: 3}


def _volume_left(account: VenueAccount, bar: Bar, instrument: Instrument, costs: Costs) -> Decimal:
    if costs.volume_share_frac is None or not instrument.has_volume:
        return Decimal("Infinity")
    when, taken = account.taken.get(bar.symbol, ("", ZERO))
    if when != bar.opened_at.isoformat():
        taken = ZERO
    return max(ZERO, costs.volume_share_frac * exact(bar.volume, what="A bar's volume") - taken)


def _booked(account: VenueAccount, order: Order, fill: Fill, bar: Bar) -> VenueAccount:
    when, taken = account.taken.get(bar.symbol, ("", ZERO))
    so_far = taken if when == bar.opened_at.isoformat() else ZERO
    positions = {**account.positions, fill.symbol: account.held(fill.symbol) + fill.side.sign * fill.quantity}
    filled = Quantity(order.filled + fill.quantity)
    working = dict(account.working)
    if filled == order.quantity:
        del working[order.client_order_id]
    else:
        # What a triggered stop or target could not fill goes on as a market order: its price has been.
        triggered = order.leg in (Leg.STOP, Leg.TARGET) or order.kind is OrderKind.STOP_ENTRY
        kind, level = (OrderKind.MARKET, None) if triggered else (order.kind, order.price)
        working[order.client_order_id] = replace(order, filled=filled, kind=kind, price=level)
    return replace(
        account,
        cash=Money(account.cash + fill.cash),
        positions={s: q for s, q in positions.items() if q != 0},
        working=working,
        lent_on=_lending(account, fill, positions[fill.symbol]),
        taken={**account.taken, fill.symbol: (bar.opened_at.isoformat(), so_far + fill.quantity)},
    )


def _lending(account: VenueAccount, fill: Fill, held: Decimal) -> Mapping[str, date]:
    """Return since when units are lent, after a fill that leaves `held`."""
    if held < 0 <= account.held(fill.symbol):
        return {**account.lent_on, fill.symbol: fill.at.date()}
    return {s: day for s, day in account.lent_on.items() if s != fill.symbol or held < 0}
