"""Every limit of the gate: the limit itself passes, the smallest step beyond it does not, and says why."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from evil2root.domain.book.orders import OrderKind, OrderState
from evil2root.domain.core.instrument import instrument_for
from evil2root.domain.core.money import Price, Quantity
from evil2root.domain.core.side import Side
from evil2root.domain.risk.breaker import Breaker, BreakerState, Cause, tripped
from evil2root.domain.risk.check import Unit
from evil2root.domain.risk.exposure import Group, Pace
from evil2root.domain.risk.gate import Approved, Refused, approved_before, judge_entry, judge_exit
from evil2root.domain.risk.limits import BOUNDS, WIDE, Limits
from tests.builders import DAY_ONE, an_order
from tests.domain.risk.makers import FIVE_OFF, SHARE, a_company, exposure


def judged(  # noqa: PLR0913 - what an entry is judged by
    quantity: int | str = 10, *, side: Side = Side.BUY, price: str = "100", breaker: Breaker | None = None,
    limits: Limits | None = None, order: dict[str, Any] | None = None, **changes: Any,
) -> Approved | Refused:  # fmt: skip
    asked = replace(
        an_order(side, 1, protect=FIVE_OFF), quantity=Quantity(Decimal(quantity)), **(order or {})
    )  # fmt: skip
    return judge_entry(
        asked, price=Decimal(price), exposure=exposure(**changes), limits=limits or Limits(),
        breaker=breaker or Breaker(), instrument=SHARE,
    )  # fmt: skip


def only(**limits: Any) -> Limits:
    return replace(WIDE, short_allowed=True, **limits)


TECHNOLOGY = Group(kind="sector", name="technology", used=Decimal(49_000))
LOSING = (-100.0,) * 2 + (-60.0,) + (5.0,) * 57
"""A month of 60 bars: the worst three lose 100, 100 and 60, so 60 is at risk and the shortfall is 86.67."""

EDGES: list[tuple[str, Limits, dict[str, Any], dict[str, Any], str]] = [
    ("symbol exposure", only(per_symbol_frac=Decimal("0.2")), {"symbol": Decimal(19_000)},
     {"symbol": Decimal("19000.01")}, "Symbol exposure 20000.01 against 20000"),
    ("gross exposure", only(gross_frac=Decimal(1)), {"gross": Decimal(99_000)}, {"gross": Decimal("99000.01")},
     "Gross exposure 100000.01 against 100000"),
    ("net exposure", only(net_frac=Decimal(1)), {"net": Decimal(99_000)}, {"net": Decimal("99000.01")},
     "Net exposure 100000.01 against 100000"),
    ("leverage", only(leverage_max=Decimal(2)), {"gross": Decimal(199_000)}, {"gross": Decimal(200_000)},
     "Leverage 2.01 against 2"),
    ("sector exposure, technology", only(sector_frac=Decimal("0.5")), {"groups": (TECHNOLOGY,)},
     {"groups": (replace(TECHNOLOGY, used=Decimal("49000.01")),)}, "Sector exposure, technology 50000.01 against 50000"),
    ("positions", only(positions_max=10), {"positions": 9}, {"positions": 10}, "Positions 11 against 10"),
    ("cash", WIDE, {"cash": Decimal("1001.5")}, {"cash": Decimal("1001.49")}, "Cash 1001.5 against 1001.49"),
    ("cash", WIDE, {"cash": Decimal(1001), "asked_at_open": True}, {"cash": Decimal(1000), "asked_at_open": True},
     "Cash 1001 against 1000"),
    ("cash", only(cash_reserve_frac=Decimal("0.02")), {"cash": Decimal("3001.5")}, {"cash": Decimal(2_500)},
     "Cash 1001.5 against 500"),
    ("cluster exposure", only(cluster_frac=Decimal("0.5")), {"company": a_company(cluster_used=Decimal(49_000))},
     {"company": a_company(cluster=("IBM", "MSFT"), cluster_used=Decimal("49000.01"))}, "close some of IBM, MSFT"),
    ("correlation with what is held", only(correlation_max=Decimal("0.8")),
     {"company": a_company(correlation=Decimal("0.8"))}, {"company": a_company(correlation=Decimal("0.800000001"))},
     "Correlation with what is held"),
    ("loss if every stop is hit", only(heat_frac=Decimal("0.1")), {"heat": Decimal(9_950)},
     {"heat": Decimal("9950.01")}, "Loss if every stop is hit 10000.01 against 10000"),
    ("value at risk, one bar", only(value_at_risk_frac=Decimal("0.0006")), {"company": a_company(held=LOSING)},
     {"company": a_company(held=(-100.0, -100.0, -60.01, *LOSING[3:]))}, "Value at risk, one bar 60.01 against 60"),
    ("expected shortfall, one bar", only(shortfall_frac=Decimal("0.0008666667")),
     {"company": a_company(held=LOSING)}, {"company": a_company(held=(-101.0, *LOSING[1:]))},
     "Expected shortfall, one bar 87 against 86.6667"),
    ("largest order value", only(order_value_frac=Decimal("0.01")), {}, {"equity": Decimal(99_999)},
     "Largest order value 1000 against 999.99"),
    ("share of the last bar's volume", only(volume_share_frac=Decimal("0.1")), {"day_volume": Decimal(100)},
     {"day_volume": Decimal(99)}, "Share of the last bar's volume 10 against 9.9"),
    ("share of the average volume", only(average_volume_frac=Decimal("0.05")), {"average_volume": Decimal(200)},
     {"average_volume": Decimal(199)}, "Share of the average volume 10 against 9.95"),
    ("price against the last one", only(price_collar_frac=Decimal("0.1")), {"last_price": Decimal(100) / Decimal("1.1")},
     {"last_price": Decimal("90.9")}, "Price against the last one 0.1001 against 0.1"),
    ("price against the previous close", only(price_collar_frac=Decimal("0.1")), {"previous_close": Decimal("111.11")},
     {"previous_close": Decimal("111.12")}, "Price against the previous close 0.1001 against 0.1"),
    ("price against the previous close", only(price_collar_frac=Decimal("0.1")), {}, {"previous_close": None},
     "Price against the previous close: no price is known"),
    ("opens, reduces nothing", WIDE, {"held": Decimal(5)}, {"held": Decimal(-1)}, "close what is held on the other side"),
    ("no repetition within 60 s", only(duplicate_s=60), {"pace": Pace(same=(Decimal(9),))},
     {"pace": Pace(same=(Decimal(9), Decimal(10)))}, "No repetition within 60 s: the same entry was sent a moment ago"),
    ("entries this second", only(orders_per_second_max=10), {"pace": Pace(second=9)}, {"pace": Pace(second=10)},
     "Entries this second 11 against 10"),
    ("entries this minute", only(orders_per_minute_max=30), {"pace": Pace(minute=29)}, {"pace": Pace(minute=30)},
     "Entries this minute 31 against 30"),
    ("entries this day", only(orders_per_day_max=200), {"pace": Pace(day=199)}, {"pace": Pace(day=200)},
     "Entries this day 201 against 200"),
    ("age of the bar, in bars", only(stale_bars_max=Decimal(1)), {"pace": Pace(age=Decimal(1))},
     {"pace": Pace(age=Decimal("1.0001"))}, "Age of the bar, in bars 1.0001 against 1"),
    ("daily loss", only(daily_loss_frac=Decimal("0.05")), {"day_loss_frac": Decimal("0.0499")},
     {"day_loss_frac": Decimal("0.05")}, "Daily loss 0.05 against 0.05"),
    ("drawdown", only(drawdown_frac=Decimal("0.3")), {"pace": Pace(drawdown_frac=Decimal("0.2999"))},
     {"pace": Pace(drawdown_frac=Decimal("0.3"))}, "Drawdown 0.3 against 0.3"),
    ("losses in a row", only(losing_streak_max=8), {"pace": Pace(losses=7)}, {"pace": Pace(losses=8)},
     "Losses in a row 8 against 8"),
    ("rejections in a row", only(rejections_max=5), {"pace": Pace(rejections=4)}, {"pace": Pace(rejections=5)},
     "Rejections in a row 5 against 5"),
]  # fmt: skip


class TestJudgeEntry:
    def test_lets_through_what_breaks_nothing_and_shows_every_limit(self) -> None:
        answer = judged(groups=(TECHNOLOGY,))

        assert isinstance(answer, Approved)
        assert len(answer.checks) == 30
        assert len({check.name for check in answer.checks}) == 30

    @pytest.mark.parametrize(("name", "limits", "at", "beyond", "says"), EDGES)
    def test_passes_the_limit_itself_and_nothing_beyond(
        self, name: str, limits: Limits, at: dict[str, Any], beyond: dict[str, Any], says: str
    ) -> None:
        passed, refused = judged(limits=limits, **at), judged(limits=limits, **beyond)

        assert isinstance(passed, Approved), passed
        assert name in {check.name for check in passed.checks}
        assert isinstance(refused, Refused)
        assert [check.name for check in refused.checks if not check.holds] == [name]
        assert says in refused.reason

    @pytest.mark.parametrize("name", ["correlation_max", "cluster_frac", "value_at_risk_frac", "shortfall_frac"])
    def test_refuses_while_the_returns_a_limit_needs_are_not_known(self, name: str) -> None:
        answer = judged(limits=only(**{name: Decimal(1)}), company=None)

        assert isinstance(answer, Refused)
        assert "wait for the next close" in answer.reason

    @pytest.mark.parametrize(("rate", "passes"), [("0.01", True), ("20", True), ("20.01", False)])
    def test_counts_heat_in_the_account_s_currency(self, rate: str, *, passes: bool) -> None:
        answer = judged(100, limits=only(heat_frac=Decimal("0.1"), per_symbol_frac=Decimal(10)), rate=Decimal(rate),
                        cash=Decimal(10**9))  # fmt: skip
        assert isinstance(answer, Approved) == passes

    def test_has_nothing_to_say_where_no_volume_is_known(self) -> None:
        limits = only(volume_share_frac=Decimal(0), average_volume_frac=Decimal(0))

        assert isinstance(judged(limits=limits, day_volume=None, average_volume=None), Approved)

    def test_does_not_throw_unknown_sectors_together(self) -> None:
        assert isinstance(judged(limits=only(sector_frac=Decimal(0))), Approved)

    def test_lets_a_short_bring_the_net_nearer_to_nothing(self) -> None:
        limits = only(net_frac=Decimal(1))

        assert isinstance(judged(limits=limits, side=Side.SELL, net=Decimal(150_000)), Approved)
        assert isinstance(judged(limits=limits, side=Side.BUY, net=Decimal(150_000)), Refused)
        assert isinstance(judged(limits=limits, side=Side.SELL, net=Decimal("-99000.01")), Refused)

    def test_counts_no_new_place_for_a_symbol_that_is_held(self) -> None:
        assert isinstance(judged(positions=10, held=Decimal(1)), Approved)

    def test_refuses_parts_of_lots_and_of_ticks(self) -> None:
        limit = {"kind": OrderKind.LIMIT, "price": Price(Decimal("99.99"))}
        crooked = {"kind": OrderKind.LIMIT, "price": Price(Decimal("99.995"))}

        assert isinstance(judged(order=limit), Approved)
        for answer in (judged(order=crooked), judged("10.5")):
            assert isinstance(answer, Refused)
            assert "multiple of" in answer.reason

    def test_lets_nothing_in_without_equity(self) -> None:
        answer = judged(limits=only(leverage_max=Decimal(100)), equity=Decimal(0))

        assert isinstance(answer, Refused)
        assert "Symbol exposure" in answer.reason
        assert "leverage" in answer.reason

    def test_refuses_more_units_than_one_order_may_have(self) -> None:
        limits = only(order_units_max=Decimal(10))

        assert isinstance(judged(10, limits=limits), Approved)
        assert isinstance(judged(11, limits=limits), Refused)

    def test_refuses_an_entry_that_is_marked_as_reducing(self) -> None:
        assert isinstance(judged(order={"reduce_only": True}), Refused)

    def test_refuses_less_than_the_instrument_s_minimum(self) -> None:
        tight = replace(SHARE, minimum_notional=Decimal(100))

        for price, kind in (("100", Approved), ("99.99", Refused)):
            answer = judge_entry(
                an_order(Side.BUY, 1), price=Decimal(price), exposure=exposure(), limits=WIDE, breaker=Breaker(),
                instrument=tight,
            )  # fmt: skip
            assert isinstance(answer, kind)

    def test_needs_no_tick_where_there_is_none(self) -> None:
        order = an_order(Side.BUY, 1, kind=OrderKind.LIMIT, price=Price(Decimal("99.99999")))

        answer = judge_entry(
            order, price=Decimal(100), exposure=exposure(), limits=WIDE, breaker=Breaker(),
            instrument=replace(SHARE, tick=None),
        )  # fmt: skip

        assert isinstance(answer, Approved)

    def test_lets_nothing_in_while_halted(self) -> None:
        answer = judged(breaker=Breaker(state=BreakerState.HALTED, reason="odd prices"))

        assert isinstance(answer, Refused)
        assert "odd prices" in answer.reason

    def test_refuses_a_short_where_it_is_not_allowed(self) -> None:
        coin = instrument_for("BTC-USD")

        assert isinstance(judged(side=Side.SELL), Approved)
        assert isinstance(judged(side=Side.SELL, limits=Limits(short_allowed=False)), Refused)
        answer = judge_entry(
            an_order(Side.SELL, 1), price=Decimal(100), exposure=exposure(), limits=only(), breaker=Breaker(),
            instrument=coin,
        )  # fmt: skip
        assert isinstance(answer, Refused)

    def test_tells_what_its_numbers_are(self) -> None:
        answer = judged(groups=(TECHNOLOGY,))

        units = {check.name: check.unit for check in answer.checks}
        assert (units["gross exposure"], units["drawdown"], units["positions"], units["breaker"]) == (
            Unit.MONEY, Unit.SHARE, Unit.COUNT, Unit.FLAG
        )  # fmt: skip


class TestJudgeExit:
    def test_refuses_what_is_not_held(self) -> None:
        assert isinstance(judge_exit(an_order(Side.SELL, 10, reduce_only=True), position=None), Refused)


class TestApprovedBefore:
    def test_gives_back_only_what_was_being_sent(self) -> None:
        assert approved_before(an_order(Side.BUY, 1)).order.quantity == 1
        with pytest.raises(ValueError, match="only one that was being sent"):
            approved_before(an_order(Side.BUY, 1, state=OrderState.ACCEPTED))


class TestLimits:
    @pytest.mark.parametrize(("name", "least", "most"), BOUNDS)
    def test_refuse_what_is_out_of_bounds_by_name(self, name: str, least: str, most: str) -> None:
        kind: Any = int if isinstance(getattr(Limits(), name), int) else Decimal

        for wrong in (kind(least) - 1, kind(most) + 1):
            with pytest.raises(ValueError, match=f"{name} is {wrong}; it must be from {least} to {most}"):
                Limits(**{name: wrong})

    def test_are_all_bounded(self) -> None:
        assert {name for name, _, _ in BOUNDS} | {"short_allowed"} == set(Limits.__dataclass_fields__)

    def test_know_whether_they_rest_on_returns(self) -> None:
        assert Limits().needs_returns
        assert not WIDE.needs_returns


class TestBreaker:
    def test_says_how_it_ends(self) -> None:
        paused = tripped(Cause.LOSING_STREAK, "8 losses", at=DAY_ONE)
        halted = tripped(Cause.DRAWDOWN, "a third gone", at=DAY_ONE)

        assert (paused.state, paused.ends) == (BreakerState.REDUCING, "at the next day, or when a person resumes")
        assert (halted.state, halted.ends) == (BreakerState.HALTED, "when a person resumes")
        assert Breaker().ends == ""
