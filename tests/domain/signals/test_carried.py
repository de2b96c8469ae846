"""What is carried from bar to bar is what the whole series gives, to the last bit; else nothing is carried."""

from collections.abc import Mapping

import numpy as np
import polars as pl
import pytest

from evil2root.adapters.market_data.packaged import packaged
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.days import session_of
from evil2root.domain.market.features import features
from evil2root.domain.market.indicators import Column, Indicator, Unit
from evil2root.domain.signals.calibration import REFIT_BARS, column_names
from evil2root.domain.signals.carried import carry
from evil2root.domain.signals.carried.carry import CARRY_FROM, begun, rows_of
from evil2root.domain.signals.carried.running import Running, numbers_of
from evil2root.domain.signals.inputs import ALL
from evil2root.domain.signals.panel import SOURCES, evidence_table
from evil2root.domain.signals.standing import STANDING
from evil2root.engine.observe import bars_of
from tests.domain.market.laws import differing_columns
from tests.domain.market.series import a_series

PRICES = ("open", "high", "low", "close")


def real(symbol: str, interval: Interval, rows: int) -> pl.DataFrame:
    return packaged(interval)[symbol].adjusted.head(rows)


def with_gaps(bars: pl.DataFrame) -> pl.DataFrame:
    """Single bars, and weeks of them, missing."""
    place = pl.int_range(pl.len())
    return bars.filter((place % 7 != 3) & ((place % 200) < 180))


def halting(bars: pl.DataFrame) -> pl.DataFrame:
    """Stretches without volume, and others without a price change."""
    place = np.arange(bars.height)
    still, idle = (place // 40) % 5 == 2, (place // 50) % 3 == 1
    columns = {name: np.where(still, 100.0, bars[name].to_numpy()) for name in PRICES}
    return bars.with_columns(**columns, volume=np.where(idle, 0.0, bars["volume"].to_numpy()))


def standing(bars: pl.DataFrame, *, seed: int) -> pl.DataFrame:
    """Places among others, on some bars none."""
    numbers = np.random.default_rng(seed)
    ranks = np.where(numbers.random(bars.height) < 0.2, np.nan, numbers.integers(0, 9, bars.height) / 8.0)
    return bars.with_columns(pl.Series(STANDING, ranks, nan_to_null=True))


INTERVALS = {"EURUSD=X": Interval.H1}


def interval_of(name: str) -> Interval:
    return INTERVALS.get(name, Interval.D1)


def many(rows: int) -> Mapping[str, pl.DataFrame]:
    series = {
        "AAPL": real("AAPL", Interval.D1, rows),
        "GAPS": with_gaps(real("IBM", Interval.D1, 2 * rows)).head(rows),
        "EURUSD=X": real("EURUSD=X", Interval.H1, rows),
        "HALTING": halting(a_series(rows, seed=4)),
        "TINY": a_series(rows, seed=5, level=1e-12),
        "TICKS": a_series(rows, seed=6, shape="ticks"),
    }
    return {name: standing(frame, seed=seed) for seed, (name, frame) in enumerate(series.items())}


def carried_rows(series: Mapping[str, pl.DataFrame], *, first: int) -> Mapping[str, pl.DataFrame]:
    """Rows of every bar from `first` on, of all series together, as the engine makes them."""
    bars = {name: bars_of(frame, symbol=name, interval=interval_of(name)) for name, frame in series.items()}
    states = []
    for name, frame in series.items():
        _, state = begun(frame.head(first), bars[name][first - 1], sources=SOURCES)
        assert state is not None, f"{name} is not carried"
        states.append(state)
    pieces = []
    for place in range(first, min(frame.height for frame in series.values())):
        for state, (name, told) in zip(states, bars.items(), strict=True):
            state.take(told[place], standing=series[name][STANDING][place])
        pieces.append(rows_of(states, sources=SOURCES))
    table = pl.concat(pieces)
    return {name: table.gather_every(len(states), at) for at, name in enumerate(series)}


def assert_the_same(series: Mapping[str, pl.DataFrame], *, first: int) -> None:
    for name, rows in carried_rows(series, first=first).items():
        truth = evidence_table(series[name], interval=interval_of(name), session=session_of(name))
        truth = truth.slice(first, rows.height)
        assert differing_columns(rows, truth) == [], name
        assert rows.equals(truth), name


def test_every_bar_is_that_of_the_whole_series_over_several_fits() -> None:
    series = many(1_100)

    assert_the_same(series, first=1_100 - 2 * REFIT_BARS - 20)

    slopes = [column_names(source.name)[0] for source in SOURCES]
    newest = [
        evidence_table(frame, newest=1, interval=interval_of(name), session=session_of(name)).select(slopes).row(0)
        for name, frame in series.items()
    ]
    assert any(slope is not None for row in newest for slope in row), "the test has to reach bars on which a fit speaks"


def test_every_bar_is_that_of_the_whole_series_from_the_first_one_that_is_carried_on() -> None:
    series = {name: frame for name, frame in many(CARRY_FROM + 70).items() if name != "EURUSD=X"}

    assert_the_same(series, first=CARRY_FROM + 1)


@pytest.mark.long
def test_every_bar_of_a_window_is_that_of_the_whole_series() -> None:
    assert_the_same(many(3_000), first=900)


class TestNothingIsCarried:
    def test_on_few_bars(self) -> None:
        bars = a_series(CARRY_FROM)

        row, state = begun(bars, bars_of(bars.tail(1), symbol="X", interval=Interval.D1)[0], sources=SOURCES)

        assert state is None
        assert row.equals(evidence_table(bars, newest=1, interval=Interval.D1, session=session_of("X")))

    def test_when_a_single_value_differs_from_the_whole_series(self, monkeypatch: pytest.MonkeyPatch) -> None:
        class OffByABit(Running):
            def take(self, numbers: tuple[float, ...]) -> list[float]:  # type: ignore[override]
                made = super().take(numbers)
                return [*made[:-1], float(np.nextafter(made[-1], 2.0))]

        bars = a_series(CARRY_FROM + 50)
        newest = bars_of(bars.tail(1), symbol="X", interval=Interval.D1)[0]
        assert begun(bars, newest, sources=SOURCES)[1] is not None
        monkeypatch.setattr(carry, "Running", OffByABit)

        row, state = begun(bars, newest, sources=SOURCES)

        assert state is None
        assert row.equals(evidence_table(bars, newest=1, interval=Interval.D1, session=session_of("X")))

    @pytest.mark.parametrize("factor", [5e3, 2e-4])
    def test_past_a_price_a_thousand_times_away(self, factor: float) -> None:
        bars = a_series(CARRY_FROM + 50)
        far = bars.tail(1).with_columns(pl.col(*PRICES) * factor)
        running = Running(bars, ALL)

        with pytest.raises(ValueError, match="too far"):
            running.take(numbers_of(bars_of(far, symbol="X", interval=Interval.D1)[0]))
        with pytest.raises(ValueError, match="too far apart"):
            Running(pl.concat([bars, far]), ALL)

    def test_for_an_indicator_that_nobody_wrote_a_step_for(self) -> None:
        new = Indicator(
            name="new", compute=lambda close: close, inputs=("close",),
            columns=(Column(name="new", unit=Unit.PRICE, warm_up=0),),
        )  # fmt: skip

        with pytest.raises(ValueError, match="Nobody has written"):
            Running(a_series(400), (new,))


def test_an_input_without_a_step_would_be_noticed() -> None:
    """A new input has to be carried too: else every bar goes the long way, and only the clock would tell."""
    bars = a_series(CARRY_FROM + 20)

    row = Running(bars.head(bars.height - 1), ALL).take(
        numbers_of(bars_of(bars.tail(1), symbol="X", interval=Interval.D1)[0])
    )

    truth = features(bars, indicators=ALL).tail(1).drop("opened_at", "closed_at", "close").row(0)
    assert [None if value != value else value for value in row] == list(truth)  # noqa: PLR0124 - NaN
