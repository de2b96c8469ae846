"""What the paper venue charges, delays and rejects: in every figure, and the same live as in a backtest."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from evil2root.domain.book.ledger import BORROW, CASH, balances
from evil2root.domain.book.orders import OrderState
from evil2root.domain.core.instrument import AssetClass, instrument_for
from evil2root.domain.core.listings import Session
from evil2root.domain.core.money import ZERO, Money
from evil2root.domain.core.side import Side
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.decision.evidence import Evidence, Holding
from evil2root.domain.decision.intent import Enter, Exit, Intent, Stay, StayKind
from evil2root.domain.execution.costs import Conditions, Costs, Slippage
from evil2root.domain.kernel.policy import Policy
from evil2root.domain.kernel.profiles import make_policy
from evil2root.domain.signals.values import Signal, View
from evil2root.engine.replay import backtest
from tests.builders import FREE
from tests.engine.test_live_engine import start_of, until_told_all
from tests.fakes.market import market
from tests.fakes.trading import Books, Fuse, Killed, an_engine

CASH_IN = Money(Decimal(100_000))


@dataclass(frozen=True, slots=True, kw_only=True)
class Seller:
    """Sells short at bar 2, 8, 14 and so on, and buys back three bars later."""

    name: str = "metronome"

    def features(  # the port's signature
        self, bars: pl.DataFrame, *, interval: Interval, session: Session, newest: int | None = None,  # noqa: ARG002
    ) -> pl.DataFrame:  # fmt: skip
        return bars.select("opened_at", "close").tail(bars.height if newest is None else newest)

    def opinions(self, features: pl.DataFrame) -> list[tuple[tuple[Signal, ...], View | None]]:
        return [((), None)] * features.height

    def intend(self, evidence: Evidence, holding: Holding | None) -> Intent:
        place = evidence.number % 6
        if place == 2 and holding is None:
            return Enter(side=Side.SELL, why="It is time to sell.")
        if place == 5 and holding is not None:
            return Exit(why="It is time to buy back.")
        return Stay(kind=StayKind.NO_OPINION, why="It is not time.")


def selling(costs: Costs, symbols: Sequence[str] = ("AAPL",), **options: str) -> Policy:
    made = make_policy(
        "metronome", {"units": "10", **options}, account="paper", currency="USD", interval=Interval.D1,
        instruments={symbol: instrument_for(symbol) for symbol in symbols},
    )  # fmt: skip
    return replace(made, strategy=Seller(), costs=costs, limits=replace(made.limits, short_allowed=True))


def days(opens: Sequence[float], *, step: timedelta = timedelta(days=1)) -> pl.DataFrame:
    """Bars that open where told and close there too; they stand end to end when `step` is a day."""
    opened = [datetime(2024, 1, 1, tzinfo=UTC) + step * n for n in range(len(opens))]
    closed = [at + timedelta(days=1) for at in opened]
    return pl.DataFrame({
        "opened_at": opened, "closed_at": closed, "open": opens, "high": opens, "low": opens, "close": opens,
        "volume": [1e6] * len(opens),
    }, schema_overrides={"opened_at": pl.Datetime("us", "UTC"), "closed_at": pl.Datetime("us", "UTC")})  # fmt: skip


class TestAShort:
    PRICES = (100.0, 100.0, 100.0, 95.0, 92.0, 90.0, 90.0)
    """Sold at the third open, bought back at the sixth."""

    def test_of_ten_at_a_hundred_closed_at_ninety_raises_cash_by_a_hundred(self) -> None:
        run = backtest(selling(FREE), {"AAPL": days(self.PRICES)}, cash=CASH_IN)

        assert [(f.side, f"{f.price:.0f}", f"{f.quantity:.0f}") for f in run.fills] == [
            (Side.SELL, "100", "10"), (Side.BUY, "90", "10")
        ]  # fmt: skip
        assert run.state.portfolio.cash == CASH_IN + 100

    def test_less_its_fees_and_a_borrow_for_each_day(self) -> None:
        costs = replace(FREE, fee_frac=Decimal("0.001"), borrow_frac=Decimal("0.365"))

        run = backtest(selling(costs), {"AAPL": days(self.PRICES)}, cash=CASH_IN)

        fees = Decimal("1.0") + Decimal("0.9")
        borrow = (Decimal(950) + Decimal(920) + Decimal(900)) / 1000
        assert run.state.portfolio.cash == CASH_IN + 100 - fees - borrow
        assert (run.trades[0].pnl, run.trades[0].borrow) == (100 - fees - borrow, borrow)
        assert run.points[-1].equity == run.state.portfolio.cash

    async def test_has_its_borrow_in_the_ledger_by_day(self) -> None:
        costs, books = replace(FREE, borrow_frac=Decimal("0.365")), Books()
        frames = {"AAPL": days(self.PRICES)}
        start = frames["AAPL"]["opened_at"][0]

        await until_told_all(await an_engine(selling(costs), frames, books, start=start, cash=CASH_IN))

        booked = [e for e in books.entries.values() if e.account == BORROW]
        assert [(e.at.day, e.amount, e.unit) for e in booked] == [
            (4, Decimal("0.95"), "USD"), (5, Decimal("0.92"), "USD"), (6, Decimal("0.9"), "USD"),
        ]  # fmt: skip
        assert balances(books.entries.values())[CASH, "USD"] == CASH_IN + 100 - Decimal("2.77")


DEAR: dict[str, Any] = {
    "fee_per_share": Decimal("0.005"), "fee_minimum": Decimal(1), "borrow_frac": Decimal("0.2"),
    "reject_frac": Decimal("0.3"), "seed": 7,
}  # fmt: skip


def markets(bars: int) -> dict[str, pl.DataFrame]:
    return {"AAPL": market(1, bars=bars, start=90.0), "IBM": market(2, bars=bars, start=40.0)}


@pytest.mark.parametrize("slippage", list(Slippage))
async def test_live_costs_what_the_backtest_costs(slippage: Slippage) -> None:
    told = markets(60)
    rules, start, books = selling(Costs(**DEAR, slippage=slippage), list(told)), start_of(told), Books()
    truth = backtest(rules, told, cash=CASH_IN, start=start)

    await until_told_all(await an_engine(rules, told, books, start=start, cash=CASH_IN))

    assert truth.trades
    assert any(trade.borrow for trade in truth.trades)
    assert any(order.state is OrderState.REJECTED for order in truth.orders.values())
    assert list(books.fills.values()) == truth.fills
    assert books.trades == truth.trades
    assert [p.equity for p in books.points] == [p.equity for p in truth.points]


@pytest.mark.parametrize("after", [False, True])
async def test_a_kill_at_any_write_loses_and_doubles_no_charge(after: bool) -> None:
    told = markets(19)
    rules, start = selling(replace(FREE, borrow_frac=Decimal("0.5")), list(told)), start_of(told)
    truth = backtest(rules, told, cash=CASH_IN, start=start)
    counted = Fuse()
    await until_told_all(await an_engine(rules, told, Books(), start=start, cash=CASH_IN, fuse=counted))
    charged = sum((t.borrow for t in truth.trades), ZERO)
    assert charged > 0

    for write in range(1, counted.seen + 1):
        books = Books()
        with pytest.raises(Killed):
            await until_told_all(
                await an_engine(rules, told, books, start=start, cash=CASH_IN, fuse=Fuse(writes=write, after=after))
            )
        await until_told_all(await an_engine(rules, told, books, start=start, cash=CASH_IN))
        assert balances(books.entries.values())[CASH, "USD"] == truth.state.portfolio.cash, write
        assert books.trades == truth.trades, write


class TestLatency:
    def test_misses_an_open_that_comes_before_its_arrival(self) -> None:
        late = replace(FREE, latency=timedelta(milliseconds=250))
        told = {"AAPL": days(TestAShort.PRICES)}

        prompt, slow = (backtest(selling(costs), told, cash=CASH_IN).fills[0] for costs in (FREE, late))

        assert slow.at - prompt.at == timedelta(days=1)

    def test_changes_nothing_where_the_open_is_hours_away(self) -> None:
        late = replace(FREE, latency=timedelta(milliseconds=250))
        told = {"AAPL": days(TestAShort.PRICES, step=timedelta(days=2))}

        prompt, slow = (backtest(selling(costs), told, cash=CASH_IN).fills for costs in (FREE, late))

        assert slow == prompt


class TestCosts:
    def test_each_asset_class_has_its_fee(self) -> None:
        costs = Costs(fee_equity_frac=Decimal(0), fee_per_share=Decimal("0.01"), fee_crypto_frac=Decimal("0.004"))

        fees = [costs.fee(Decimal(1_000), quantity=Decimal(50), kind=kind) for kind in AssetClass]

        assert fees == [Decimal("0.5"), Decimal(4), Decimal(1)]

    def test_no_fee_is_below_the_minimum(self) -> None:
        costs = Costs(fee_minimum=Decimal(2))

        assert costs.fee(Decimal(10), quantity=Decimal(1), kind=AssetClass.EQUITY) == 2

    @pytest.mark.parametrize(("sign", "price"), [(1, "100.05"), (-1, "99.95")])
    def test_half_of_the_spread_is_against_us(self, sign: int, price: str) -> None:
        costs = Costs(slippage=Slippage.HALF_SPREAD, spread_bps=Decimal(10))

        assert costs.slipped(Decimal(100), sign=sign, quantity=Decimal(1), seen=None) == Decimal(price)

    def test_impact_grows_with_the_root_of_the_quantity(self) -> None:
        costs = Costs(slippage=Slippage.IMPACT, impact_k=Decimal("0.5"))
        seen = Conditions(volatility=Decimal("0.02"), average_volume=Decimal(10_000))

        assert costs.moved_frac(Decimal(100), seen) == Decimal("0.001")
        assert costs.moved_frac(Decimal(400), seen) == Decimal("0.002")

    def test_impact_falls_back_where_nothing_is_known(self) -> None:
        assert Costs(slippage=Slippage.IMPACT).moved_frac(Decimal(100), None) == Decimal("0.0005")

    def test_rejects_the_share_that_was_asked_and_always_the_same(self) -> None:
        costs, other = Costs(reject_frac=Decimal("0.2"), seed=1), Costs(reject_frac=Decimal("0.2"), seed=2)

        drawn = [costs.rejects(f"order-{n}") for n in range(2_000)]

        assert 340 < sum(drawn) < 460
        assert drawn == [costs.rejects(f"order-{n}") for n in range(2_000)]
        assert drawn != [other.rejects(f"order-{n}") for n in range(2_000)]
