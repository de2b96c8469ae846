"""Where stops go: break-even, the trails, the time stop. A stop never loosens."""

from dataclasses import replace
from decimal import Decimal
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evil2root.domain.book.orders import Leg
from evil2root.domain.book.positions import Position
from evil2root.domain.core.instrument import instrument_for
from evil2root.domain.core.money import Money, Price, Quantity
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.execution.exits import Exits, Level, TrailKind, reached_r, time_is_up, trailed_stop
from evil2root.domain.kernel.policy import Policy
from evil2root.domain.kernel.profiles import make_policy
from evil2root.domain.kernel.record import Decision
from evil2root.engine.replay import Run, backtest
from tests.builders import DAY_ONE
from tests.engine.test_live_engine import frames
from tests.engine.test_replaying import again

SHARE = instrument_for("AAPL")
BARS = 440


def held(*, short: bool = False, stop: str | None = None) -> Position:
    """Ten units entered at 100, the first stop 5 away."""
    first = Price(Decimal(105 if short else 95))
    return Position(
        symbol="AAPL", quantity=Decimal(-10 if short else 10), average_price=Price(Decimal(100)), opened_at=DAY_ONE,
        decision_id="D-1", entry_quantity=Quantity(Decimal(10)), initial_stop=first,
        stop=first if stop is None else Price(Decimal(stop)),
    )  # fmt: skip


def moved(exits: Exits, best: str, *, atr: float | None = 2.0, short: bool = False, stop: str | None = None) -> Level:
    return trailed_stop(held(short=short, stop=stop), best=Price(Decimal(best)), atr=atr, exits=exits, instrument=SHARE)


NONE = Exits(trail=TrailKind.NONE)
BREAK_EVEN = replace(NONE, break_even_r=Decimal(1))


class TestBreakEven:
    @pytest.mark.parametrize(
        ("short", "best", "stop"), [(False, "104.99", "95"), (False, "105", "100"), (True, "95", "100")]
    )
    def test_moves_the_stop_to_the_entry_once_so_much_is_gained(self, short: bool, best: str, stop: str) -> None:
        assert moved(BREAK_EVEN, best, short=short).stop == Decimal(stop)

    def test_leaves_a_nearer_stop_and_is_off_by_default(self) -> None:
        assert moved(BREAK_EVEN, "120", stop="110") == Level(stop=Price(Decimal(110)), reason="trailing")
        assert moved(NONE, "120").stop == 95

    def test_tells_what_moved_the_stop(self) -> None:
        both = replace(BREAK_EVEN, trail=TrailKind.PERCENT, trail_frac=Decimal("0.08"))

        assert moved(both, "105").reason == "break-even"
        assert moved(both, "120").reason == "trailing"

    def test_knows_no_r_without_a_first_stop(self) -> None:
        bare = replace(held(), initial_stop=None)
        nowhere = replace(held(), initial_stop=Price(Decimal(100)))

        assert [reached_r(one, best=Price(Decimal(110))) for one in (bare, nowhere)] == [None, None]


class TestTrails:
    @pytest.mark.parametrize(
        ("trail", "best", "stop"),
        [
            (TrailKind.PERCENT, "100.99", "95"), (TrailKind.PERCENT, "101", "100.5"),
            (TrailKind.ATR, "100.99", "95"), (TrailKind.ATR, "110", "106"),
            (TrailKind.CHANDELIER, "100.5", "96.5"), (TrailKind.CHANDELIER, "110", "106"),
        ],
    )  # fmt: skip
    def test_follow_the_best_price(self, trail: TrailKind, best: str, stop: str) -> None:
        assert moved(Exits(trail=trail), best).stop == pytest.approx(Decimal(stop), abs=Decimal("0.01"))

    def test_mirror_for_a_short(self) -> None:
        assert moved(Exits(trail=TrailKind.CHANDELIER), "90", short=True).stop == 94

    @pytest.mark.parametrize("trail", [TrailKind.ATR, TrailKind.CHANDELIER])
    def test_wait_for_an_atr(self, trail: TrailKind) -> None:
        assert moved(Exits(trail=trail), "110", atr=None).stop == 95

    def test_never_go_to_nothing_or_below(self) -> None:
        assert moved(Exits(trail=TrailKind.CHANDELIER), "110", atr=500.0).stop == 95

    def test_need_a_stop(self) -> None:
        with pytest.raises(ValueError, match="has no stop to trail"):
            trailed_stop(replace(held(), stop=None), best=Price(Decimal(1)), atr=None, exits=NONE, instrument=SHARE)

    @given(
        trail=st.sampled_from(TrailKind), short=st.booleans(), even=st.none() | st.integers(1, 30),
        bests=st.lists(st.integers(1, 40_000), min_size=1, max_size=12), atr=st.none() | st.floats(0.01, 50),
    )  # fmt: skip
    def test_never_loosen(
        self, trail: TrailKind, short: bool, even: int | None, bests: list[int], atr: float | None
    ) -> None:
        exits = Exits(trail=trail, break_even_r=None if even is None else Decimal(even) / 10)
        position = held(short=short)

        for best in bests:
            price = Price(Decimal(best) / 100)
            stop = trailed_stop(position, best=price, atr=atr, exits=exits, instrument=SHARE).stop
            assert position.stop is not None
            assert stop <= position.stop if short else stop >= position.stop
            position = replace(position, stop=stop)


class TestTimeStop:
    TEN = replace(NONE, time_stop_bars=10)

    @pytest.mark.parametrize(
        ("bars", "reached", "over"),
        [
            (9, "0.1", False),
            (10, "0.49", True),
            (10, "0.5", False),
            (30, "-0.2", True),
            (None, "0", False),
            (10, None, False),
        ],
    )
    def test_counts_bars_and_the_best_move(self, bars: int | None, reached: str | None, over: bool) -> None:
        found = time_is_up(bars, None if reached is None else Decimal(reached), self.TEN)

        assert (found is not None) is over

    def test_is_off_by_default(self) -> None:
        assert time_is_up(10_000, Decimal(0), Exits()) is None


@cache
def run(**options: str) -> tuple[Policy, Run, tuple[Decision, ...]]:
    told = frames(BARS)
    policy = make_policy(
        "fusion", {"entry_threshold": "0.05", "threshold": "0.5", "trail": "none", **options}, account="paper",
        currency="USD", interval=Interval.D1, instruments={symbol: instrument_for(symbol) for symbol in told},
    )  # fmt: skip
    kept: dict[str, Decision] = {}
    done = backtest(policy, told, cash=Money(Decimal(100_000)), keep=lambda d: kept.update({d.id: d}))
    return policy, done, tuple(kept.values())


class TestInRuns:
    @pytest.mark.parametrize(
        ("options", "reason"),
        [
            ({"time_stop_bars": "5"}, "time"),
            ({"break_even_r": "0.3"}, "break-even"),
            ({"trail": "chandelier"}, "trailing"),
            ({"trail": "atr"}, "trailing"),
        ],
    )
    def test_end_trades_and_are_recomputed_from_what_was_stored(self, options: dict[str, str], reason: str) -> None:
        policy, done, decisions = run(**options)

        assert reason in {trade.exit_reason for trade in done.trades}
        told = frames(BARS)
        looked_at = [d for n, d in enumerate(decisions) if n % 20 == 0 or d.order_ids]
        assert [d.id for d in looked_at if not again(d, policy, told).identical] == []

    def test_leave_after_five_closes_and_forget_what_is_gone(self) -> None:
        _, done, decisions = run(time_stop_bars="5")

        left = [d for d in decisions if d.why.startswith("Time stop")]
        assert left
        assert all(d.holding is not None and d.holding.bars is not None and d.holding.bars >= 5 for d in left)
        assert set(done.state.carry.risk.begun) <= set(done.state.portfolio.positions)

    def test_end_at_the_entry_price(self) -> None:
        _, done, _ = run(break_even_r="0.3")

        stops = [o for o in done.orders.values() if o.leg is Leg.STOP and o.reason == "break-even"]
        assert stops
        for order in stops:
            entry = next(o for o in done.orders.values() if o.leg is Leg.ENTRY and o.decision_id == order.decision_id)
            assert order.price is not None
            assert entry.average_price is not None
            assert abs(order.price - entry.average_price) <= Decimal("0.0001")
