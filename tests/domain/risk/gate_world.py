"""A world that asks the gate for entries of any size and answers in any order, and keeps its own books to judge it by.

Nothing here is read from what the gate was told: what is held, in flight and sent is counted again from the answers.
"""

from dataclasses import dataclass, field, replace
from datetime import timedelta
from decimal import Decimal

import numpy as np

from evil2root.domain.book.fills import Fill
from evil2root.domain.book.orders import Order, OrderState
from evil2root.domain.book.portfolio import Portfolio
from evil2root.domain.book.protection import Protect
from evil2root.domain.core.instrument import instrument_for
from evil2root.domain.core.money import ZERO, Money, Price, Quantity
from evil2root.domain.core.side import Side
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.decision.proposal import Proposal
from evil2root.domain.kernel.entering import entry_order
from evil2root.domain.kernel.events import FillArrived, OrderAnswered
from evil2root.domain.kernel.exposing import exposure_of
from evil2root.domain.kernel.leaving import send
from evil2root.domain.kernel.policy import Policy
from evil2root.domain.kernel.profiles import make_policy
from evil2root.domain.kernel.record import Decision, Outcome
from evil2root.domain.kernel.state import Carry, State, Turn
from evil2root.domain.kernel.step import step
from evil2root.domain.market.bars import Bar
from evil2root.domain.risk.covariance import shrinkage
from evil2root.domain.risk.gate import Approved, judge_entry
from evil2root.domain.risk.limits import Limits
from evil2root.domain.risk.memory import Sent
from evil2root.domain.risk.recent import PERIODS, Recent
from evil2root.domain.risk.sizing import Sized
from evil2root.domain.risk.tails import tail
from tests.builders import DAY_ONE

SYMBOLS = ("AAPL", "GOOG", "IBM", "JPM", "MSFT", "ZZZZ")
EQUITY = Decimal(100_000)
DAY = timedelta(days=1)


def some_limits(chance: np.random.Generator) -> Limits:
    """Limits tight enough to be met often, each by chance."""

    def share(low: float, high: float) -> Decimal:
        return Decimal(str(round(float(chance.uniform(low, high)), 3)))

    return Limits(
        per_symbol_frac=share(0.1, 0.6), gross_frac=share(0.4, 1.5), net_frac=share(0.3, 1.0),
        leverage_max=share(0.5, 1.5), sector_frac=share(0.2, 0.8), asset_class_frac=share(0.4, 1.4),
        currency_frac=share(0.4, 1.4), cash_reserve_frac=share(0.0, 0.1), positions_max=int(chance.integers(2, 7)),
        order_units_max=Decimal(int(chance.integers(200, 2_000))), order_value_frac=share(0.1, 0.6),
        average_volume_frac=share(0.01, 0.2), volume_share_frac=share(0.01, 0.2), correlation_max=share(0.2, 0.9),
        cluster_frac=share(0.2, 0.9), heat_frac=share(0.02, 0.2), value_at_risk_frac=share(0.005, 0.05),
        shortfall_frac=share(0.01, 0.06), orders_per_second_max=3, orders_per_minute_max=6,
        orders_per_day_max=10, daily_loss_frac=None, losing_streak_max=None, rejections_max=None, drawdown_frac=None,
    )  # fmt: skip


@dataclass(slots=True)
class World:
    """One account, its venue and its clock, played by chance."""

    chance: np.random.Generator
    policy: Policy = field(init=False)
    state: State = field(init=False)
    recent: Recent = field(init=False)
    held: dict[str, Decimal] = field(default_factory=dict)
    flying: dict[str, tuple[Order, Decimal]] = field(default_factory=dict)
    """Entries that may still fill, and how much of each."""
    cash: Decimal = EQUITY
    sent: list[Sent] = field(default_factory=list)
    asked: int = 0
    approved: int = 0
    seconds: float = 0.0

    def __post_init__(self) -> None:
        made = make_policy(
            "fusion", {}, account="paper", currency="USD", interval=Interval.D1,
            instruments={symbol: instrument_for(symbol) for symbol in SYMBOLS},
        )  # fmt: skip
        self.policy = replace(made, limits=some_limits(self.chance))
        shape = (PERIODS, len(SYMBOLS))
        moves = self.chance.normal(0, 0.012, (PERIODS, 1)) + self.chance.normal(0, 0.012, shape)
        self.recent = Recent(
            symbols=SYMBOLS, periods=np.arange(PERIODS), returns=moves,
            closes=np.full(shape, 100.0), volumes=np.full(shape, 10_000.0),
        )  # fmt: skip
        marks = {symbol: Price(Decimal(int(self.chance.integers(95, 106)))) for symbol in SYMBOLS}
        # Less cash than equity: the rest is where these symbols are not, so that cash binds before exposure does.
        self.cash = EQUITY * int(self.chance.integers(20, 101)) / 100
        money = Money(EQUITY)
        carry = Carry(equity=money, capital=money, day_equity=money, marks=marks, day=DAY_ONE.date())
        portfolio = Portfolio(cash=Money(self.cash), marks=marks)
        self.state = State(portfolio=portfolio, carry=carry, recent=self.recent)

    def live(self, orders: int) -> None:
        """Ask for so many entries, with answers, prices and time moving in between."""
        while self.asked < orders:
            dice = self.chance.random()
            if dice < 0.55:
                self.ask()
            elif dice < 0.8:
                self.pass_time()
            elif self.flying:
                self.answer()

    def pass_time(self) -> None:
        """Let seconds or a day go by; on a new day everything held is gone, by whatever way."""
        self.seconds += float(self.chance.choice([0.4, 1.0, 20.0, 60.0, 90_000.0]))
        if self.chance.random() < 0.3:
            self.cash += sum((units * self.state.portfolio.marks[s] for s, units in self.held.items()), ZERO)
            self.held = {}
            emptied = replace(self.state.portfolio, positions={}, cash=Money(self.cash))
            guards = {k: o for k, o in self.state.orders.items() if not o.reduce_only}
            self.state = replace(self.state, portfolio=emptied, orders=guards)

    def ask(self) -> None:
        """Put one entry of chance size, near a limit as often as not, to the gate, and hold its yes against our books."""
        self.asked += 1
        symbol = str(self.chance.choice(SYMBOLS))
        side = Side.BUY if self.chance.random() < 0.7 else Side.SELL
        at = DAY_ONE + timedelta(seconds=self.seconds)
        turn = Turn(self.state, self.policy, at)
        decision = self._decision(symbol, side)
        proposal = decision.proposal
        assert proposal is not None
        price = Decimal(proposal.entry)
        order = entry_order(decision, proposal, Sized(quantity=self._quantity(symbol, price), lines=()),
                            policy=self.policy, at=at)  # fmt: skip
        order = replace(order, client_order_id=f"{symbol}-{self.asked}")
        answer = judge_entry(
            order, price=price, exposure=exposure_of(turn, decision, at_open=False), limits=self.policy.limits,
            breaker=self.state.carry.breaker, instrument=self.policy.instruments[symbol],
        )  # fmt: skip
        if isinstance(answer, Approved):
            self.approved += 1
            self.require(order, price)
            send(turn, answer)
            one = Sent(symbol=symbol, side=side, quantity=order.quantity, at=at)
            turn.carry(risk=turn.state.carry.risk.remembering(one))
            self.state = turn.state
            self.sent = [*(s for s in self.sent if s.at.date() == at.date() or at - s.at < DAY), one]
            self.flying[order.client_order_id] = order, order.quantity

    def _quantity(self, symbol: str, price: Decimal) -> Quantity:
        """A size by chance, or the last one a limit of this symbol allows, or one more."""
        limits, way = self.policy.limits, self.chance.random()
        if way < 0.5:
            return Quantity(Decimal(int(10 ** self.chance.uniform(0, 2.9))))
        owned = abs(self.held.get(symbol, ZERO)) * self.state.portfolio.marks[symbol]
        rooms = (limits.per_symbol_frac * EQUITY - owned, (limits.order_value_frac or ZERO) * EQUITY,
                 self.cash - limits.cash_reserve_frac * EQUITY)  # fmt: skip
        room = rooms[int(self.chance.integers(0, len(rooms)))] // price
        return Quantity(max(Decimal(1), room + int(self.chance.integers(0, 2))))

    def _decision(self, symbol: str, side: Side) -> Decision:
        mark = self.state.portfolio.marks[symbol]
        closed = DAY_ONE + timedelta(seconds=self.seconds)
        bar = Bar(
            symbol=symbol, interval=Interval.D1, opened_at=closed - timedelta(hours=6), closed_at=closed,
            open=float(mark), high=float(mark), low=float(mark), close=float(mark), volume=10_000.0,
        )  # fmt: skip
        far = Decimal(int(self.chance.integers(1, 12)))
        protect = Protect(stop=far, target=None, relative=False)
        proposal = Proposal(
            decision_id=f"D-{self.asked}", symbol=symbol, side=side, entry=mark, stop=Price(mark - side.sign * far),
            target=None, protect=protect, made_at=closed, good_until=closed,
        )  # fmt: skip
        return Decision(
            id=f"D-{self.asked}", sequence=self.asked, account="paper", strategy="fusion", symbol=symbol,
            interval=Interval.D1, at=closed, bar=bar, number=1, window_from=bar.opened_at, features={}, sources=(),
            view=None, holding=None, wants="enter", side=side, why="", outcome=Outcome.WAITING, why_not=None,
            proposal=proposal,
        )  # fmt: skip

    def answer(self) -> None:
        """Deliver one of the answers that are owed, whichever comes first: late, partial, unknown or not at all."""
        name = str(self.chance.choice(list(self.flying)))
        order, left = self.flying[name]
        at = DAY_ONE + timedelta(seconds=self.seconds)
        known = self.state.orders[name]
        dice = self.chance.random()
        if dice < 0.5:
            part = left if self.chance.random() < 0.6 else Decimal(int(self.chance.integers(1, int(left) + 1)))
            self._fill(order, part, left)
        elif dice < 0.7 and known.state in (OrderState.SENDING, OrderState.UNKNOWN) and known.filled == 0:
            self._tell(OrderAnswered(client_order_id=name, state=OrderState.REJECTED, why="no", at=at))
            del self.flying[name]
        elif known.state in (OrderState.SENDING, OrderState.ACCEPTED):
            to = OrderState.UNKNOWN if self.chance.random() < 0.5 else OrderState.ACCEPTED
            self._tell(OrderAnswered(client_order_id=name, state=to, why="", at=at))

    def _fill(self, order: Order, part: Decimal, left: Decimal) -> None:
        name, mark = order.client_order_id, self.state.portfolio.marks[order.symbol]
        fill = Fill(
            venue="crowd", account="paper", execution_id=f"{name}/{left}", client_order_id=name, symbol=order.symbol,
            side=order.side, quantity=Quantity(part), price=mark, fee=Money(ZERO), slippage=Money(ZERO),
            at=DAY_ONE + timedelta(seconds=self.seconds),
        )  # fmt: skip
        self._tell(FillArrived(fill=fill))
        signed = order.side.sign * part
        self.held[order.symbol] = self.held.get(order.symbol, ZERO) + signed
        if not self.held[order.symbol]:
            del self.held[order.symbol]
        self.cash -= signed * mark
        if part == left:
            del self.flying[name]
        else:
            self.flying[name] = order, left - part

    def _tell(self, event: OrderAnswered | FillArrived) -> None:
        self.state, _ = step(self.state, event, self.policy)

    def require(self, order: Order, price: Decimal) -> None:
        """Hold an approval against every limit, from our own books: owned, plus all that may still fill, plus this."""
        limits, marks = self.policy.limits, self.state.portfolio.marks
        gross: dict[str, Decimal] = {s: abs(units) * marks[s] for s, units in self.held.items()}
        signed: dict[str, Decimal] = {s: units * marks[s] for s, units in self.held.items()}
        buying = ZERO
        for other, left in [*self.flying.values(), (order, order.quantity)]:
            value = left * marks[other.symbol]
            gross[other.symbol] = gross.get(other.symbol, ZERO) + value
            signed[other.symbol] = signed.get(other.symbol, ZERO) + other.side.sign * value
            buying += value if other.side is Side.BUY else ZERO
        notional, total = order.quantity * price, sum(gross.values(), ZERO)
        before = sum(signed.values(), ZERO) - order.side.sign * notional
        net = abs(sum(signed.values(), ZERO))
        assert gross[order.symbol] <= limits.per_symbol_frac * EQUITY, "symbol"
        assert total <= limits.gross_frac * EQUITY, "gross"
        assert net <= (limits.net_frac or ZERO) * EQUITY or net <= abs(before), "net"
        assert total <= (limits.leverage_max or ZERO) * EQUITY, "leverage"
        assert total <= min(limits.asset_class_frac or ZERO, limits.currency_frac or ZERO) * EQUITY, "class, currency"
        sector = self.policy.instruments[order.symbol].sector
        peers = [s for s in gross if self.policy.instruments[s].sector == sector]
        alone = sector == "unknown"
        assert alone or sum(gross[s] for s in peers) <= (limits.sector_frac or ZERO) * EQUITY, "sector"
        assert len(gross) <= limits.positions_max or len(gross) == len(self.held), "positions"
        if order.side is Side.BUY:
            assert buying * Decimal("1.0015") <= self.cash - limits.cash_reserve_frac * EQUITY, "cash"
        assert notional <= (limits.order_value_frac or ZERO) * EQUITY, "order value"
        assert order.quantity <= (limits.order_units_max or ZERO), "order units"
        shares = (limits.volume_share_frac or ZERO, limits.average_volume_frac or ZERO)
        assert order.quantity <= min(shares) * 10_000, "volume"
        self._require_pace(order)
        self._require_company(order, signed, gross)

    def _require_pace(self, order: Order) -> None:
        limits, at = self.policy.limits, DAY_ONE + timedelta(seconds=self.seconds)
        ages = [at - one.at for one in self.sent]
        assert sum(age < timedelta(seconds=1) for age in ages) < (limits.orders_per_second_max or 0), "second"
        assert sum(age < timedelta(minutes=1) for age in ages) < (limits.orders_per_minute_max or 0), "minute"
        today = sum(one.at.date() == at.date() for one in self.sent)
        assert today < (limits.orders_per_day_max or 0), "day"
        same = [
            one for one in self.sent
            if (one.symbol, one.side, one.quantity) == (order.symbol, order.side, order.quantity)
        ]  # fmt: skip
        assert all(at - one.at >= timedelta(minutes=1) for one in same), "duplicate"

    def _require_company(self, order: Order, signed: dict[str, Decimal], gross: dict[str, Decimal]) -> None:
        """Recompute tails, correlation, cluster and heat the slow and obvious way."""
        limits, moves = self.policy.limits, self.recent.returns
        places = [SYMBOLS.index(symbol) for symbol in signed]
        money = np.array([float(value) for value in signed.values()])
        at_risk, shortfall = tail((np.expm1(moves[:, places]) * money).sum(axis=1))
        assert at_risk <= float((limits.value_at_risk_frac or ZERO) * EQUITY) + 0.02, "value at risk"
        assert shortfall <= float((limits.shortfall_frac or ZERO) * EQUITY) + 0.02, "shortfall"
        new = order.quantity * self.state.portfolio.marks[order.symbol]
        own = signed[order.symbol] - order.side.sign * new
        others = {s: v for s, v in signed.items() if s != order.symbol and v}
        known = [*others, *([order.symbol] if own else [])]
        columns = [SYMBOLS.index(s) for s in (*known, order.symbol)]
        table = moves[:, columns]
        unit = (table - table.mean(axis=0)) / table.std(axis=0)
        kept = 1 - shrinkage(unit)
        alike = {
            s: kept * float(unit[:, n] @ unit[:, -1]) / PERIODS * order.side.sign * (1 if v > 0 else -1)
            for n, (s, v) in enumerate(others.items())
        }
        weight = float(sum(abs(v) for v in others.values()))
        if weight:
            mean = sum(alike[s] * float(abs(v)) for s, v in others.items()) / weight
            assert mean <= float(limits.correlation_max or ZERO) + 1e-6, "correlation"
        cluster = sum((gross[s] for s, one in alike.items() if one > 0.7 + 1e-9), gross[order.symbol])
        assert cluster <= (limits.cluster_frac or ZERO) * EQUITY, "cluster"
        heat = self.state.portfolio.risk_at_stops
        for other, left in [*self.flying.values(), (order, order.quantity)]:
            assert other.protect is not None
            assert other.protect.stop is not None
            heat = Money(heat + left * other.protect.stop)
        assert heat <= (limits.heat_frac or ZERO) * EQUITY, "heat"
