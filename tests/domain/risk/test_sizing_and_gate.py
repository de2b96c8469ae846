"""The size, line by line, and the gate no order passes that breaks a limit."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evil2root.domain.book.protection import Protect
from evil2root.domain.core.instrument import instrument_for
from evil2root.domain.core.money import Price
from evil2root.domain.core.side import Side
from evil2root.domain.decision.proposal import Proposal
from evil2root.domain.risk.breaker import Breaker, BreakerState
from evil2root.domain.risk.gate import Approved, Refused, judge_entry, judge_exit
from evil2root.domain.risk.limits import Limits
from evil2root.domain.risk.sizing import Exposure, FixedUnits, RiskAtStop, Sized, Sizing, size
from tests.builders import DAY_ONE, an_order

SHARE = instrument_for("AAPL")
WIDE = Limits(per_symbol_frac=Decimal(10), gross_frac=Decimal(10), cash_reserve_frac=Decimal(0), volume_share_frac=None)


def a_proposal(*, side: Side = Side.BUY, entry: str = "100", stop: str | None = "95") -> Proposal:
    return Proposal(
        decision_id="D-1", symbol="AAPL", side=side, entry=Price(Decimal(entry)),
        stop=None if stop is None else Price(Decimal(stop)), target=None,
        protect=Protect(stop=Decimal(5), target=None, relative=False), made_at=DAY_ONE,
        good_until=DAY_ONE + timedelta(minutes=1),
    )  # fmt: skip


def exposure(**changes: Any) -> Exposure:
    values: dict[str, Any] = {
        "equity": Decimal(100_000), "cash": Decimal(100_000), "cash_in_flight": Decimal(0), "gross": Decimal(0),
        "symbol": Decimal(0), "positions": 0, "day_loss_frac": Decimal(0), "day_volume": Decimal(10_000),
        "fee_frac": Decimal("0.001"), "slippage_frac": Decimal("0.0005"),
    }  # fmt: skip
    return Exposure(**{**values, **changes})


def sized(*, limits: Limits = WIDE, method: Sizing | None = None, factor: str = "1", **changes: Any) -> Sized:
    return size(
        a_proposal(), price=Decimal(100), factor=Decimal(factor), exposure=exposure(**changes),
        method=method or RiskAtStop(risk_per_trade_frac=Decimal("0.02")), limits=limits, instrument=SHARE,
    )  # fmt: skip


class TestSize:
    def test_risks_the_same_share_of_equity_at_the_stop(self) -> None:
        assert sized().quantity == 400  # 100,000 x 2 % / 5

    def test_is_shrunk_by_the_verdict_and_floored_to_the_lot(self) -> None:
        assert sized(factor="0.7333").quantity == 293

    @pytest.mark.parametrize(
        ("limits", "changes", "label", "quantity"),
        [
            (Limits(cash_reserve_frac=Decimal(0), volume_share_frac=None), {}, "Symbol cap", 200),
            (Limits(per_symbol_frac=Decimal(1), cash_reserve_frac=Decimal(0), volume_share_frac=None),
             {"gross": Decimal(90_000)}, "Gross cap", 100),
            (WIDE, {"cash": Decimal(10_015)}, "Cash", 100),
            (WIDE, {"cash": Decimal(10_015), "cash_in_flight": Decimal(5_000)}, "Cash", 50),
            (Limits(per_symbol_frac=Decimal(1), cash_reserve_frac=Decimal(0)), {"day_volume": Decimal(505)},
             "Volume share", 50),
        ],
    )  # fmt: skip
    def test_is_the_smallest_cap_and_marks_it(
        self, limits: Limits, changes: dict[str, Any], label: str, quantity: int
    ) -> None:
        found = sized(limits=limits, **changes)

        assert found.quantity == quantity
        assert [line.label for line in found.lines if line.binds] == [label]

    def test_refuses_fixed_units_rather_than_shrink_them(self) -> None:
        assert sized(method=FixedUnits(units=Decimal(10)), cash=Decimal(900)).quantity == 0
        assert sized(method=FixedUnits(units=Decimal(10))).quantity == 10

    def test_is_nothing_below_one_lot(self) -> None:
        found = sized(equity=Decimal(100))

        assert found.quantity == 0
        assert "less than one lot" in found.lines[-1].detail


class TestJudgeEntry:
    def judged(self, quantity: int = 10, *, side: Side = Side.BUY, breaker: Breaker | None = None,
               limits: Limits | None = None, **changes: Any) -> Approved | Refused:  # fmt: skip
        return judge_entry(
            an_order(side, quantity), price=Decimal(100), exposure=exposure(**changes), limits=limits or Limits(),
            breaker=breaker or Breaker(), instrument=SHARE,
        )  # fmt: skip

    def test_lets_through_what_breaks_nothing(self) -> None:
        assert isinstance(self.judged(), Approved)

    @pytest.mark.parametrize(
        ("changes", "says"),
        [
            ({"symbol": Decimal(19_500)}, "Symbol exposure 20500 against 20000"),
            ({"gross": Decimal(99_500)}, "Gross exposure 100500 against 100000"),
            ({"positions": 10}, "Positions 11 against 10"),
            ({"cash": Decimal(2_500)}, "Cash 1001.5 against 500"),
            ({"day_loss_frac": Decimal("0.05")}, "Daily loss 0.05 against 0.05"),
        ],
    )
    def test_refuses_with_the_number_and_the_limit(self, changes: dict[str, Any], says: str) -> None:
        answer = self.judged(**changes)

        assert isinstance(answer, Refused)
        assert answer.reason.startswith(says)

    def test_lets_nothing_in_while_halted(self) -> None:
        answer = self.judged(breaker=Breaker(state=BreakerState.HALTED, reason="odd prices"))

        assert isinstance(answer, Refused)
        assert "odd prices" in answer.reason

    def test_refuses_a_short_where_it_is_not_allowed(self) -> None:
        assert isinstance(self.judged(side=Side.SELL), Approved)
        assert isinstance(self.judged(side=Side.SELL, limits=Limits(short_allowed=False)), Refused)

    @given(
        equity=st.integers(1, 10**6), cash=st.integers(-(10**5), 10**6), gross=st.integers(0, 10**6),
        symbol=st.integers(0, 10**5), price=st.integers(1, 5_000), factor=st.integers(0, 100),
    )  # fmt: skip
    def test_never_approves_beyond_a_limit(  # noqa: PLR0913 - what the limits are about
        self, equity: int, cash: int, gross: int, symbol: int, price: int, factor: int
    ) -> None:
        limits, seen = (
            Limits(),
            exposure(equity=Decimal(equity), cash=Decimal(cash), gross=Decimal(gross), symbol=Decimal(symbol)),
        )
        found = size(
            a_proposal(entry=str(price), stop=str(Decimal(price) / 2)), price=Decimal(price),
            factor=Decimal(factor) / 100, exposure=seen, method=RiskAtStop(), limits=limits, instrument=SHARE,
        )  # fmt: skip
        if found.quantity == 0:
            return

        answer = judge_entry(
            an_order(Side.BUY, int(found.quantity)), price=Decimal(price), exposure=seen, limits=limits,
            breaker=Breaker(), instrument=SHARE,
        )  # fmt: skip

        # What was sized within the caps passes the gate, and stays within them.
        assert isinstance(answer, Approved)
        notional = found.quantity * price
        assert symbol + notional <= Decimal("0.2") * equity
        assert gross + notional <= equity
        assert notional * Decimal("1.0015") <= cash - Decimal("0.02") * equity


class TestJudgeExit:
    def test_refuses_what_is_not_held(self) -> None:
        assert isinstance(judge_exit(an_order(Side.SELL, 10, reduce_only=True), position=None), Refused)
