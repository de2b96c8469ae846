import math
import statistics
from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from evil2root.domain.market.catalogue.measures import (
    amihud,
    fractional_difference,
    fractional_weights,
    garman_klass,
    parkinson,
    regime,
    trend_strength,
    yang_zhang,
)
from evil2root.domain.market.cross import against_index, calendar, ranks
from evil2root.domain.market.indicators import Floats
from evil2root.domain.market.scaling import Scaler, Scaling
from tests.domain.market.laws import columns_that_see_the_future
from tests.domain.market.series import a_series, poisoned


def arrays(bars: pl.DataFrame) -> dict[str, Floats]:
    return {name: bars[name].to_numpy() for name in ("open", "high", "low", "close", "volume")}


class TestVolatility:
    """Against sums written out in plain Python on one window."""

    def test_parkinson_and_garman_klass(self) -> None:
        b = arrays(a_series(60))
        last = range(40, 60)
        ranges = [math.log(b["high"][t] / b["low"][t]) ** 2 for t in last]
        bodies = [math.log(b["close"][t] / b["open"][t]) ** 2 for t in last]

        found = parkinson(b["high"], b["low"], length=20)[-1]
        with_body = garman_klass(b["open"], b["high"], b["low"], b["close"], length=20)[-1]

        assert found == pytest.approx(math.sqrt(sum(ranges) / 20 / (4 * math.log(2))), rel=1e-12)
        daily = [r / 2 - (2 * math.log(2) - 1) * c for r, c in zip(ranges, bodies, strict=True)]
        assert with_body == pytest.approx(math.sqrt(sum(daily) / 20), rel=1e-12)

    def test_yang_zhang(self) -> None:
        b = arrays(a_series(60))
        o, h, low, c = (np.log(b[name]) for name in ("open", "high", "low", "close"))
        last = range(40, 60)
        gaps, bodies = [o[t] - c[t - 1] for t in last], [c[t] - o[t] for t in last]
        rogers = sum((h[t] - c[t]) * (h[t] - o[t]) + (low[t] - c[t]) * (low[t] - o[t]) for t in last) / 20
        k = 0.34 / (1.34 + 21 / 19)

        found = yang_zhang(b["open"], b["high"], b["low"], b["close"], length=20)[-1]

        variance = statistics.variance(gaps) + k * statistics.variance(bodies) + (1 - k) * rogers
        assert found == pytest.approx(math.sqrt(variance), rel=1e-9)

    def test_every_estimator_finds_the_volatility_that_is_there(self) -> None:
        numbers = np.random.default_rng(5)
        steps = np.cumsum(numbers.normal(0.0, 0.01 / 20, (400, 400)), axis=1)  # 400 bars of 400 steps: 1 % a bar
        paths = np.exp(steps)
        b = (np.ones(400), np.maximum(paths.max(axis=1), 1.0), np.minimum(paths.min(axis=1), 1.0), paths[:, -1])

        assert parkinson(b[1], b[2], length=400)[-1] == pytest.approx(0.01, rel=0.1)
        assert garman_klass(*b, length=400)[-1] == pytest.approx(0.01, rel=0.1)


class TestTheOthers:
    def test_amihud_says_nothing_of_a_market_without_trade(self) -> None:
        b = arrays(a_series(60))
        moves = [abs(b["close"][t] / b["close"][t - 1] - 1) / (b["close"][t] * b["volume"][t]) for t in range(40, 60)]

        assert amihud(b["close"], b["volume"], length=20)[-1] == pytest.approx(1e9 * sum(moves) / 20, rel=1e-9)
        assert np.isnan(amihud(b["close"], np.zeros(60), length=20)).all()

    def test_trend_strength_is_one_on_a_line_and_nothing_where_flat(self) -> None:
        assert trend_strength(np.exp(np.arange(30.0) / 100), length=20)[-1] == pytest.approx(1.0)
        assert np.isnan(trend_strength(np.full(30, 7.0), length=20)).all()

    def test_the_regime_tells_a_quiet_rise_from_a_wild_fall(self) -> None:
        numbers = np.random.default_rng(3)
        quiet = numbers.normal(0.004, 0.004, 400)
        wild = numbers.normal(-0.03, 0.03, 30)

        states = regime(100.0 * np.exp(np.cumsum(np.concatenate((quiet, wild)))), length=20, calm_of=252)

        assert set(states[300:400]) <= {1.0, 3.0}
        assert states[-1] == 2.0

    def test_differencing_once_is_the_log_return_and_not_at_all_the_log_price(self) -> None:
        close = a_series(400)["close"].to_numpy()

        assert fractional_difference(close, order=1.0)[-1] == pytest.approx(math.log(close[-1] / close[-2]), abs=1e-12)
        assert fractional_difference(close, order=0.0)[-1] == pytest.approx(math.log(close[-1]), rel=1e-12)
        assert fractional_weights(0.4)[:3] == pytest.approx([1.0, -0.4, -0.12])


class TestAgainstAnIndex:
    def test_finds_a_planted_beta(self) -> None:
        index = a_series(200, seed=1)
        moves = np.diff(np.log(index["close"].to_numpy()), prepend=np.log(100.0))
        own = index.with_columns(close=pl.Series(100.0 * np.exp(np.cumsum(1.5 * moves))))

        row = against_index(own, index).row(-1)

        assert row == pytest.approx((1.5, 1.0, 0.0), abs=1e-9)

    @pytest.mark.parametrize("cut", [20, 120])
    def test_never_looks_ahead_in_either_series(self, cut: int) -> None:
        own, index = a_series(160, seed=1), a_series(160, seed=2)

        assert columns_that_see_the_future(lambda bars: against_index(bars, index), own, cut=cut) == set()
        hidden = against_index(own.head(cut), poisoned(index, since=cut, factor=1e9))
        assert hidden.equals(against_index(own, index).head(cut))

    def test_an_index_bar_that_closes_later_is_not_used(self) -> None:
        own = a_series(80)
        later = a_series(80, seed=2).with_columns(pl.col("closed_at") + pl.duration(minutes=1))

        found = against_index(own, later, length=20)

        assert found["beta_20"].null_count() == 21  # the first bar has no index yet

    def test_an_index_that_has_ended_stands_beside_nothing_after_a_week(self) -> None:
        own, index = a_series(80), a_series(80, seed=2)

        found = against_index(own, index.head(50), length=20)

        since = own["closed_at"] - index["closed_at"][49] > timedelta(days=7)
        assert since.any()
        assert found.filter(since)["beta_20"].is_null().all()
        assert found.filter(~since)["beta_20"].null_count() == 20


class TestRanks:
    def test_orders_the_universe_at_each_moment(self) -> None:
        bars = a_series(3)
        universe = {
            name: bars.select("closed_at").with_columns(x=pl.Series(values))
            for name, values in {"A": [1.0, 5.0, 2.0], "B": [2.0, 4.0, 2.0], "C": [3.0, 3.0, 9.0]}.items()
        }

        made = ranks(universe, ["x"])

        assert made["A"]["rank_x"].to_list() == [0.0, 1.0, 0.25]
        assert made["C"]["rank_x"].to_list() == [1.0, 0.0, 1.0]

    def test_one_alone_has_no_rank(self) -> None:
        bars = a_series(2).select("closed_at", x="close")

        assert ranks({"A": bars}, ["x"])["A"]["rank_x"].to_list() == [None, None]

    def test_does_not_look_ahead(self) -> None:
        universe = {name: a_series(30, seed=seed) for name, seed in (("A", 1), ("B", 2))}
        past = {name: bars.head(12) for name, bars in universe.items()}

        assert ranks(past, ["close"])["A"].equals(ranks(universe, ["close"])["A"].head(12))


def test_the_calendar_reads_a_bar_s_own_date() -> None:
    row = calendar(a_series(40)).row(31, named=True)  # 2001-02-01, a Thursday

    assert row["weekday_sin"] == pytest.approx(math.sin(2 * math.pi * 3 / 7))
    assert row["month_cos"] == pytest.approx(math.cos(2 * math.pi / 12))
    assert (row["month_day"], row["pause_days"]) == (0.0, pytest.approx(17.5 / 24))


class TestAScaler:
    def test_standard_makes_mean_zero_and_deviation_one_of_the_training_rows(self) -> None:
        training = pl.DataFrame({"x": [1.0, 2.0, 3.0, None, 4.0], "flat": [7.0] * 5})

        scaler = Scaler.fitted(training, kind=Scaling.STANDARD)

        assert scaler.scaled(training)["x"].mean() == pytest.approx(0.0)
        assert scaler.scaled(training)["x"].std(ddof=0) == pytest.approx(1.0)
        assert scaler.scaled(training)["flat"].to_list() == [0.0] * 5

    def test_min_max_may_leave_the_range_on_rows_it_has_not_seen(self) -> None:
        scaler = Scaler.fitted(pl.DataFrame({"x": [2.0, 4.0]}), kind=Scaling.MIN_MAX)

        assert scaler.scaled(pl.DataFrame({"x": [2.0, 3.0, 6.0, None]}))["x"].to_list() == [0.0, 0.5, 2.0, None]

    @pytest.mark.parametrize("kind", Scaling)
    def test_comes_back_from_json_to_the_last_bit(self, kind: Scaling) -> None:
        scaler = Scaler.fitted(a_series(50).select("close", "volume"), kind=kind)

        again = Scaler.of_json(scaler.as_json())

        assert (again, again.hash) == (scaler, scaler.hash)

    def test_refuses_what_it_can_t_fit_or_read(self) -> None:
        with pytest.raises(ValueError, match="0 values to fit"):
            Scaler.fitted(pl.DataFrame({"x": [None, None]}, schema={"x": pl.Float64}), kind=Scaling.STANDARD)
        with pytest.raises(ValueError, match="A scaler has kind"):
            Scaler.of_json({"kind": "standard"})
        with pytest.raises(ValueError, match="scales above zero"):
            Scaler(kind=Scaling.STANDARD, columns=("x",), offset=(0.0,), scale=(0.0,), rows=2)
        with pytest.raises(ValueError, match="give one each"):
            Scaler(kind=Scaling.STANDARD, columns=("x",), offset=(), scale=(1.0,), rows=2)
