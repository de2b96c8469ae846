"""The size, line by line: the method's wish, what shrinks it, and the smallest of the caps."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from evil2root.domain.book.protection import Protect
from evil2root.domain.core.side import Side
from evil2root.domain.risk.exposure import Group, risk_of_unit
from evil2root.domain.risk.limits import WIDE, Limits
from evil2root.domain.risk.methods import (
    CapitalShare,
    CashFraction,
    FixedUnits,
    Kelly,
    RiskAtStop,
    RiskParity,
    Sizing,
    VolatilityTarget,
)
from evil2root.domain.risk.sizing import Sized, size
from tests.domain.risk.makers import SHARE, a_company, a_proposal, exposure


def sized(  # noqa: PLR0913 - what a size rests on
    *, limits: Limits = WIDE, method: Sizing | None = None, factor: str = "1", target: str | None = None,
    side: Side = Side.BUY, stop: str | None = "95", **changes: Any,
) -> Sized:  # fmt: skip
    return size(
        a_proposal(side=side, stop=stop, target=target), price=Decimal(100), factor=Decimal(factor),
        exposure=exposure(**changes), method=method or RiskAtStop(risk_per_trade_frac=Decimal("0.02")), limits=limits,
        instrument=SHARE,
    )  # fmt: skip


def only(**limits: Any) -> Limits:
    """One limit on, all others wide."""
    return replace(WIDE, **limits)


class TestSize:
    def test_risks_the_same_share_of_equity_at_the_stop(self) -> None:
        assert sized().quantity == 400  # 100,000 x 2 % / 5

    def test_is_shrunk_by_the_verdict_and_floored_to_the_lot(self) -> None:
        assert sized(factor="0.7333").quantity == 293

    def test_is_never_enlarged_by_confidence(self) -> None:
        assert sized(factor="3").quantity == 400
        assert sized(factor="-1").quantity == 0

    @pytest.mark.parametrize(
        ("limits", "changes", "label", "quantity"),
        [
            (only(per_symbol_frac=Decimal("0.2")), {}, "Symbol cap", 200),
            (only(gross_frac=Decimal(1)), {"gross": Decimal(90_000)}, "Gross cap", 100),
            (only(net_frac=Decimal(1)), {"net": Decimal(95_000)}, "Net cap", 50),
            (only(leverage_max=Decimal(2)), {"gross": Decimal(199_000)}, "Leverage cap", 10),
            (only(sector_frac=Decimal("0.5")),
             {"groups": (Group(kind="sector", name="technology", used=Decimal(40_000)),)}, "Sector cap", 100),
            (only(asset_class_frac=Decimal("0.5")),
             {"groups": (Group(kind="asset class", name="equity", used=Decimal(48_000)),)}, "Asset class cap", 20),
            (only(cluster_frac=Decimal("0.5")), {"company": a_company(cluster_used=Decimal(49_000))}, "Cluster cap", 10),
            (only(heat_frac=Decimal("0.1")), {"heat": Decimal(9_500)}, "Heat cap", 100),
            (only(order_value_frac=Decimal("0.25")), {}, "Order value cap", 250),
            (only(order_units_max=Decimal(7)), {}, "Order units cap", 7),
            (WIDE, {"cash": Decimal(10_015)}, "Cash", 100),
            (WIDE, {"cash": Decimal(10_015), "cash_in_flight": Decimal(5_000)}, "Cash", 50),
            (only(volume_share_frac=Decimal("0.1")), {"day_volume": Decimal(505)}, "Volume share", 50),
            (only(average_volume_frac=Decimal("0.05")), {"average_volume": Decimal(500)}, "Average volume share", 25),
        ],
    )  # fmt: skip
    def test_is_the_smallest_cap_and_marks_it(
        self, limits: Limits, changes: dict[str, Any], label: str, quantity: int
    ) -> None:
        found = sized(limits=limits, **changes)

        assert found.quantity == quantity
        assert [line.label for line in found.lines if line.binds] == [label]

    def test_leaves_a_group_alone_whose_limit_is_off(self) -> None:
        group = Group(kind="currency", name="USD", used=Decimal(10**9))

        assert sized(groups=(group,)).quantity == 400

    def test_takes_no_cash_for_a_short(self) -> None:
        assert sized(side=Side.SELL, stop="105", cash=Decimal(0)).quantity == 400

    def test_refuses_fixed_units_rather_than_shrink_them(self) -> None:
        assert sized(method=FixedUnits(units=Decimal(10)), cash=Decimal(900)).quantity == 0
        assert sized(method=FixedUnits(units=Decimal(10))).quantity == 10

    def test_is_nothing_below_one_lot(self) -> None:
        found = sized(equity=Decimal(100))

        assert found.quantity == 0
        assert "less than one lot" in found.lines[-1].detail


class TestMethods:
    def test_share_cash_and_capital_as_told(self) -> None:
        assert sized(method=CashFraction(cash_frac=Decimal("0.5"))).quantity == 499
        assert sized(method=CapitalShare(capital_frac=Decimal("0.5")), capital=Decimal(10_015)).quantity == 50

    def test_let_a_calm_symbol_weigh_more_than_a_wild_one(self) -> None:
        method = VolatilityTarget(volatility_frac=Decimal("0.05"))

        # 100,000 x 5 % / 25 % = 20,000 of it.
        assert sized(method=method, volatility=Decimal("0.25")).quantity == 200
        assert sized(method=method, volatility=Decimal("0.5")).quantity == 100

    def test_bet_a_quarter_of_kelly_and_never_more_than_the_fixed_risk(self) -> None:
        # Wins 55 % at 1 to 1: 10 % by Kelly, a quarter of it is 2.5 %, the fixed risk 2 %.
        capped = sized(method=Kelly(), target="105", win=Decimal("0.55"))
        # Wins 52 %: 4 % by Kelly, 1 % of equity at a stop 5 away.
        small = sized(method=Kelly(), target="105", win=Decimal("0.52"))

        assert capped.quantity == 400
        assert small.quantity == 200
        assert "share 0.0400" in small.lines[0].detail

    def test_bet_nothing_on_odds_that_lose(self) -> None:
        assert sized(method=Kelly(), target="105", win=Decimal("0.45")).quantity == 0

    def test_share_risk_by_the_inverse_of_volatility(self) -> None:
        # A quarter of a gross limit of 10 times equity, within the symbol's own 10 times: 2,500 units.
        found = sized(method=RiskParity(), parity_share=Decimal("0.25"), cash=Decimal(10**6))

        assert found.lines[0].amount == 250_000
        assert found.quantity == 2_500

    @pytest.mark.parametrize(
        ("method", "changes", "says"),
        [
            (RiskAtStop(), {"stop": None}, "no stop, no size"),
            (VolatilityTarget(), {}, "not known yet, no size"),
            (RiskParity(), {}, "not known yet, no size"),
            (Kelly(), {"target": "105"}, "needs a view, a stop and a target"),
            (Kelly(), {"win": Decimal("0.6")}, "needs a view, a stop and a target"),
        ],
    )
    def test_say_what_they_miss(self, method: Sizing, changes: dict[str, Any], says: str) -> None:
        found = sized(method=method, **changes)

        assert found.quantity == 0
        assert any(says in line.detail for line in found.lines)

    @pytest.mark.parametrize(
        "made",
        [
            lambda: RiskAtStop(risk_per_trade_frac=Decimal(0)),
            lambda: FixedUnits(units=Decimal(0)),
            lambda: CashFraction(cash_frac=Decimal(2)),
            lambda: CapitalShare(capital_frac=Decimal(-1)),
            lambda: VolatilityTarget(volatility_frac=Decimal(0)),
            lambda: Kelly(kelly_frac=Decimal("0.26")),
            lambda: Kelly(risk_per_trade_frac=Decimal(2)),
        ],
    )
    def test_refuse_shares_out_of_bounds(self, made: Any) -> None:
        with pytest.raises(ValueError, match="must be above 0"):
            made()


class TestRiskOfUnit:
    def test_is_the_way_to_the_stop_and_at_most_the_price_for_a_long(self) -> None:
        tenth = Protect(stop=Decimal("0.1"), target=None, relative=True)
        far = Protect(stop=Decimal(500), target=None, relative=False)

        assert risk_of_unit(Decimal(100), Side.BUY, tenth) == 10
        assert risk_of_unit(Decimal(100), Side.BUY, far) == 100
        assert risk_of_unit(Decimal(100), Side.SELL, far) == 500
        assert risk_of_unit(Decimal(100), Side.BUY, None) == 100
