"""The facts an entry is judged by: owned, in flight, and what others hold but the account answers for."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from functools import cache

import numpy as np
import pytest

from evil2root.domain.book.external import External
from evil2root.domain.book.orders import Leg, Order, OrderKind, OrderState
from evil2root.domain.book.positions import Position
from evil2root.domain.core.instrument import instrument_for
from evil2root.domain.core.money import Money, Price, Quantity
from evil2root.domain.core.side import Side
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.kernel.exposing import Burden, burden_of, exposure_of
from evil2root.domain.kernel.policy import Policy
from evil2root.domain.kernel.profiles import make_policy
from evil2root.domain.kernel.record import Decision, Outcome
from evil2root.domain.kernel.state import State, Turn
from evil2root.domain.risk.exposure import Exposure, Group
from evil2root.domain.risk.limits import WIDE
from evil2root.domain.risk.methods import RiskParity, Sizing, VolatilityTarget
from evil2root.domain.signals.values import View
from evil2root.engine.replay import Run, backtest
from tests.builders import DAY_ONE, an_order
from tests.domain.risk.gate_world import World
from tests.domain.risk.makers import FIVE_OFF
from tests.engine.test_live_engine import frames
from tests.engine.test_replaying import again


def a_world() -> World:
    return World(np.random.default_rng(1))


def hundred(state: State) -> State:
    """Every symbol at 100."""
    marks = {symbol: Price(Decimal(100)) for symbol in state.portfolio.marks}
    return replace(state, portfolio=replace(state.portfolio, marks=marks))


def held(units: int, *, stop: str | None) -> Position:
    return Position(
        symbol="AAPL", quantity=Decimal(units), average_price=Price(Decimal(90)), opened_at=DAY_ONE, decision_id="D-1",
        entry_quantity=Quantity(Decimal(abs(units))), stop=None if stop is None else Price(Decimal(stop)),
    )  # fmt: skip


def burden(
    *, positions: dict[str, Position] | None = None, orders: dict[str, Order] | None = None,
    external: dict[str, External] | None = None, ignored: dict[str, Decimal] | None = None,
) -> Burden:  # fmt: skip
    state = hundred(a_world().state)
    return burden_of(
        replace(
            state, portfolio=replace(state.portfolio, positions=positions or {}), orders=orders or {},
            carry=replace(state.carry, external=external or {}, ignored=ignored or {}),
        )
    )  # fmt: skip


def seen(*values: object) -> tuple[object, ...]:
    """Numbers as they are, to be compared with whole ones."""
    return values


class TestBurdenOf:
    @pytest.mark.parametrize(
        ("units", "stop", "heat"),
        [(10, "95", 50), (10, "110", 0), (10, None, 1_000), (-10, "105", 50), (-10, None, 1_000)],
    )
    def test_counts_what_is_lost_at_the_stop(self, units: int, stop: str | None, heat: int) -> None:
        found = burden(positions={"AAPL": held(units, stop=stop)})

        assert seen(found.owned, found.gross["AAPL"], found.heat) == (units * 100, abs(units) * 100, heat)

    @pytest.mark.parametrize(
        "state", [OrderState.SENDING, OrderState.UNKNOWN, OrderState.PARTIAL, OrderState.CANCEL_SENT]
    )
    def test_counts_what_may_still_fill_as_filled(self, state: OrderState) -> None:
        order = an_order(Side.BUY, 10, state=state, filled=Quantity(Decimal(4)), protect=FIVE_OFF)

        found = burden(orders={"o": order})

        assert seen(found.signed["AAPL"], found.buying, found.heat) == (600, 600, 30)
        assert found.entering == {"AAPL": Decimal(6)}

    def test_counts_guards_and_exits_as_nothing(self) -> None:
        guard = an_order(Side.SELL, 10, leg=Leg.STOP, kind=OrderKind.STOP, price=Price(Decimal(95)), reduce_only=True)

        assert burden(orders={"o": guard}).gross == {}

    def test_takes_the_price_a_limit_names(self) -> None:
        order = an_order(Side.SELL, 10, kind=OrderKind.LIMIT, price=Price(Decimal(120)))

        found = burden(orders={"o": order})

        assert seen(found.signed["AAPL"], found.buying) == (-1_200, 0)

    def test_counts_orders_at_the_venue_that_are_not_ours(self) -> None:
        def other(name: str, side: Side, left: int | None, price: int | None, symbol: str = "IBM") -> External:
            return External(
                broker_order_id=name, client_order_id="", symbol=symbol, side=side, kind="limit",
                left=None if left is None else Decimal(left), price=None if price is None else Decimal(price),
                created_at=DAY_ONE,
            )  # fmt: skip

        told = (
            other("1", Side.BUY, 5, 80), other("2", Side.SELL, 2, None), other("3", Side.BUY, None, None),
            other("4", Side.BUY, 1, None, symbol="NOBODY"),
        )  # fmt: skip

        found = burden(external={one.broker_order_id: one for one in told})

        assert seen(found.gross, found.signed, found.buying) == ({"IBM": 600}, {"IBM": 200}, 400)
        assert found.entering == {}

    def test_counts_what_somebody_else_holds_at_the_venue(self) -> None:
        found = burden(ignored={"IBM": Decimal(-3), "cash": Decimal(50), "NOBODY": Decimal(1)})

        assert seen(found.gross, found.signed, found.owned) == ({"IBM": 300}, {"IBM": -300}, 0)


def asked(world: World, policy: Policy | None = None, *, side: Side = Side.BUY, seconds: int = 0,
          p_up: float | None = None) -> Exposure:  # fmt: skip
    decision = world._decision("AAPL", side)
    view = None if p_up is None else View(p_up=p_up, log_odds=0.1, agreeing=1, speaking=1)
    turn = Turn(world.state, policy or world.policy, DAY_ONE + timedelta(seconds=seconds))
    return exposure_of(turn, replace(decision, view=view), at_open=False)


def sized_by(world: World, method: Sizing) -> Policy:
    return replace(world.policy, sizing=method)


class TestExposureOf:
    def test_says_what_an_account_that_holds_nothing_may_rest_on(self) -> None:
        found = asked(a_world())

        assert seen(found.gross, found.net, found.positions, found.held, found.heat) == (0, 0, 0, 0, 0)
        assert found.groups == (
            Group(kind="sector", name="technology", used=Decimal(0)),
            Group(kind="asset class", name="equity", used=Decimal(0)),
            Group(kind="currency", name="USD", used=Decimal(0)),
        )
        assert seen(found.average_volume, found.previous_close) == (10_000, 100)
        assert found.company is not None
        assert seen(found.win, found.volatility, found.parity_share) == (None, None, None)

    def test_a_bar_that_is_caught_up_on_is_old_by_the_present(self) -> None:
        world = a_world()
        decision, three_days = world._decision("AAPL", Side.BUY), timedelta(days=3)
        presents = (None, DAY_ONE - three_days, DAY_ONE + three_days)

        turns = [Turn(world.state, world.policy, DAY_ONE, present=present) for present in presents]

        assert seen(*(exposure_of(turn, decision, at_open=False).pace.age for turn in turns)) == (0, 0, 3)

    def test_computes_nothing_that_no_limit_asks_for(self) -> None:
        world = a_world()

        found = asked(world, replace(world.policy, limits=WIDE))

        assert seen(found.company, found.average_volume, found.previous_close, found.last_price) == (None,) * 4
        assert found.groups == ()

    def test_knows_no_returns_after_a_restart(self) -> None:
        world = a_world()
        world.state = replace(world.state, recent=None)

        found = asked(world, sized_by(world, VolatilityTarget()))

        assert seen(found.company, found.average_volume, found.previous_close) == (None, None, None)
        assert found.volatility is None

    def test_leaves_a_young_symbol_without_a_previous_close_and_a_volume(self) -> None:
        world = a_world()
        nothing = np.full((60, 6), np.nan)
        world.state = replace(world.state, recent=replace(world.recent, closes=nothing, volumes=nothing.copy()))

        found = asked(world)

        assert seen(found.average_volume, found.previous_close) == (None, None)

    def test_tells_the_volatility_and_the_parity_share_only_to_who_sizes_by_them(self) -> None:
        world = a_world()

        by_volatility = asked(world, sized_by(world, VolatilityTarget()))
        by_parity = asked(world, sized_by(world, RiskParity()))

        assert by_volatility.volatility is not None
        assert Decimal("0.1") < by_volatility.volatility < Decimal("0.5")
        assert by_volatility.parity_share is None
        assert by_parity.parity_share is not None
        assert Decimal("0.1") < by_parity.parity_share < Decimal("0.25")

    def test_turns_the_view_s_probability_with_the_side(self) -> None:
        assert asked(a_world(), p_up=0.6).win == Decimal("0.6")
        assert asked(a_world(), p_up=0.6, side=Side.SELL).win == Decimal("0.4")

    def test_tells_the_age_of_the_bar_in_bars(self) -> None:
        assert asked(a_world(), seconds=43_200).pace.age == Decimal("0.5")
        assert asked(a_world(), seconds=-5).pace.age == 0


@cache
def run(sizing: str) -> tuple[Policy, Run, tuple[Decision, ...]]:
    told = frames(400)
    policy = make_policy(
        "fusion", {"entry_threshold": "0.05", "threshold": "0.5", "sizing": sizing}, account="paper", currency="USD",
        interval=Interval.D1, instruments={symbol: instrument_for(symbol) for symbol in told},
    )  # fmt: skip
    kept: dict[str, Decision] = {}
    done = backtest(policy, told, cash=Money(Decimal(100_000)), keep=lambda d: kept.update({d.id: d}))
    return policy, done, tuple(kept.values())


@pytest.mark.parametrize("sizing", ["volatility", "kelly", "parity"])
def test_a_size_of_any_method_is_recomputed_from_what_was_stored_and_never_above_fixed_risk_by_kelly(
    sizing: str,
) -> None:
    policy, _, decisions = run(sizing)
    ordered = [d for d in decisions if d.outcome is Outcome.ORDERED]

    assert len(ordered) >= 3
    assert [d.id for d in ordered if not again(d, policy, frames(400)).identical] == []
    if sizing == "kelly":
        for decision in ordered:
            assert decision.proposal is not None
            assert decision.exposure is not None
            units, risk = decision.sizing[-1].quantity, decision.proposal.risk_per_unit
            assert units is not None
            assert risk is not None
            assert units * risk <= Decimal("0.02") * decision.exposure.equity
