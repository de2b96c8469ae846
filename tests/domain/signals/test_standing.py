"""A symbol's place among the others: from what was known at the bar's opening, live as over whole series."""

from datetime import datetime, timedelta

import numpy as np
import polars as pl
import pytest

from evil2root.domain.core.listings import NEW_YORK
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.bars import Bar
from evil2root.domain.signals.inputs import RANK, WARM_UP, inputs
from evil2root.domain.signals.momentum import Momentum
from evil2root.domain.signals.standing import (
    FRESH,
    LENGTH,
    STANDING,
    SYMBOLS_MIN,
    Standings,
    returns_by,
    with_standing,
    with_standings,
)
from evil2root.engine.observe import bars_of
from tests.domain.market.laws import differing_columns
from tests.domain.market.series import a_series

ROWS = 220


def a_universe(rows: int = ROWS, *, symbols: int = 7) -> dict[str, pl.DataFrame]:
    """Random walks; one begins later, one lacks bars, one lacks a month of them, one opens and closes at other hours."""
    frames = {f"S{n}": a_series(rows, seed=n) for n in range(symbols)}
    frames["S1"] = frames["S1"].tail(rows - 40)
    frames["S2"] = frames["S2"].filter(pl.int_range(pl.len()) % 9 != 4)
    frames["S5"] = frames["S5"].filter(~pl.int_range(pl.len()).is_between(165, 185))
    frames["S3"] = frames["S3"].with_columns(pl.col("opened_at", "closed_at") + timedelta(hours=3))
    return frames


def by_hand(frames: dict[str, pl.DataFrame], symbol: str, row: int) -> float | None:
    """The definition, bar by bar."""
    opened = frames[symbol]["opened_at"][row]
    known = {}
    for name, frame in frames.items():
        over = frame.filter(pl.col("closed_at") <= opened)
        if over.height > LENGTH and over["closed_at"][-1] >= opened - FRESH:
            known[name] = over["close"][-1] / over["close"][-1 - LENGTH] - 1.0
    if symbol not in known or len(known) < SYMBOLS_MIN:
        return None
    lower = sum(value < known[symbol] for value in known.values())
    same = sum(value == known[symbol] for value in known.values())
    return float((lower + (same - 1) / 2) / (len(known) - 1))


def test_every_standing_is_that_of_the_definition() -> None:
    frames = a_universe()

    for symbol, frame in with_standings(frames).items():
        told = [by_hand(frames, symbol, row) for row in range(frame.height)]
        assert frame[STANDING].to_list() == told
        assert frame.drop(STANDING).equals(frames[symbol])


def test_bar_by_bar_gives_what_whole_series_give() -> None:
    frames = a_universe()
    begun = frames["S0"]["closed_at"][150]
    # One series is told from its first bar on, the others are loaded up to some moment.
    loaded = {s: f.filter(pl.col("closed_at") <= begun) if s != "S4" else f.clear() for s, f in frames.items()}
    live = Standings(loaded, symbols=tuple(frames))
    told: dict[str, list[float | None]] = {symbol: [] for symbol in frames}
    waiting: dict[datetime, list[Bar]] = {}
    for symbol, frame in frames.items():
        for bar in bars_of(frame.slice(loaded[symbol].height), symbol=symbol, interval=Interval.D1):
            waiting.setdefault(bar.closed_at, []).append(bar)
    for _, group in sorted(waiting.items()):
        for bar, standing in zip(group, live.of(group), strict=True):
            told[bar.symbol].append(standing)
        live.add(group)

    for symbol, frame in with_standings(frames).items():
        rows = slice(LENGTH + 40 if symbol == "S4" else 0, None)
        assert told[symbol][rows] == frame[STANDING].to_list()[loaded[symbol].height :][rows]
        assert len(told[symbol][rows]) > 20


@pytest.mark.parametrize("cut", [LENGTH + 1, 160])
def test_nothing_that_closes_later_is_in_it(cut: int) -> None:
    frames = a_universe()
    whole = with_standings(frames)
    at = frames["S0"]["opened_at"][cut]
    rng = np.random.default_rng(5)
    for factor in (1.0, 1e6):
        past = {
            s: f.with_columns(
                close=pl.when(pl.col("closed_at") > at).then(pl.col("close") * factor * rng.random()).otherwise("close")
            )
            for s, f in frames.items()
        }
        again = with_standings(past, of=("S0",))["S0"]
        assert differing_columns(again.head(cut + 1).select(STANDING), whole["S0"].head(cut + 1).select(STANDING)) == []


def test_among_fewer_than_five_nobody_has_a_place() -> None:
    frames = {f"S{n}": a_series(ROWS, seed=n) for n in range(SYMBOLS_MIN - 1)}

    assert all(frame[STANDING].null_count() == ROWS for frame in with_standings(frames).values())
    assert Standings(frames, symbols=tuple(frames)).of(
        bars_of(frames["S0"].tail(1), symbol="S0", interval=Interval.D1)
    ) == [None]


def test_who_is_watched_and_not_compared_has_no_place_and_takes_none() -> None:
    frames, names = a_universe(), tuple(f"S{n}" for n in range(6))
    told = with_standings(frames, among=names)
    alone = with_standings({name: frames[name] for name in names})
    live = Standings(frames, symbols=names)

    assert told["S6"][STANDING].null_count() == ROWS
    assert all(told[name].equals(alone[name]) for name in names)
    assert live.of(bars_of(frames["S6"].tail(1), symbol="S6", interval=Interval.D1)) == [None]


def test_one_window_has_the_places_of_the_whole_series() -> None:
    frames = a_universe()
    whole = with_standings(frames)["S0"]
    for start in (0, 150):
        window = frames["S0"].slice(start)
        opened = window["opened_at"].to_physical().to_numpy()
        others = [returns_by(opened, frame) for name, frame in frames.items() if name != "S0"]
        assert with_standing(window, frames["S0"], others).equals(whole.slice(start))


def test_a_series_that_stands_still_for_more_than_a_week_is_not_compared() -> None:
    frames = {f"S{n}": a_series(ROWS, seed=n) for n in range(SYMBOLS_MIN)}
    frames["S4"] = frames["S4"].head(180)
    ranks = with_standings(frames)["S0"][STANDING].to_list()
    last = frames["S4"]["closed_at"][-1]
    told = [rank is not None for rank in ranks[181:]]

    assert told == [at <= last + FRESH for at in frames["S0"]["opened_at"][181:]]


def test_the_place_is_an_input_with_the_warm_up_it_states() -> None:
    frame = with_standings({f"S{n}": a_series(ROWS, seed=n) for n in range(SYMBOLS_MIN)})["S0"]
    read = inputs(frame, interval=Interval.D1, session=NEW_YORK)[RANK]

    assert read.to_list() == frame[STANDING].to_list()
    assert read.null_count() == WARM_UP[RANK] == LENGTH + 1
    assert inputs(frame.drop(STANDING), interval=Interval.D1, session=NEW_YORK)[RANK].null_count() == ROWS


class TestMomentum:
    @staticmethod
    def a_row(rank: float | None, *, sign: float = 1.0) -> pl.DataFrame:
        row = {"ret_20": 0.03 * sign, "ret_60": 0.06 * sign, "ret_120": 0.09 * sign, "vol_20": 0.01, RANK: rank}
        return pl.DataFrame({name: pl.Series([value], dtype=pl.Float64) for name, value in row.items()})

    @pytest.mark.parametrize("sign", [1.0, -1.0])
    def test_the_strongest_gains_what_the_weakest_loses(self, sign: float) -> None:
        weigh = Momentum().weigh
        without, middle, best, worst = (weigh(self.a_row(rank, sign=sign)).scores[0] for rank in (None, 0.5, 1.0, 0.0))

        assert without == middle
        assert best - middle == pytest.approx(0.25)
        assert middle - worst == pytest.approx(0.25)

    def test_it_says_so(self) -> None:
        row = self.a_row(0.75).row(0, named=True)

        assert Momentum().phrases(row)[-1] == "ahead of 75% of the others over 120 bars"

    @pytest.mark.parametrize("sign", [1.0, -1.0])
    def test_a_place_silences_a_weak_trend_and_never_turns_it_around(self, sign: float) -> None:
        row = self.a_row(0.0 if sign > 0.0 else 1.0, sign=sign).with_columns(vol_20=pl.lit(0.05))

        assert Momentum().weigh(row).scores[0] == 0.0

    def test_it_never_speaks_for_the_place_alone(self) -> None:
        row = self.a_row(1.0).with_columns(ret_60=pl.lit(-0.02))

        assert np.isnan(Momentum().weigh(row).scores[0])
