"""Features of what is around a symbol: none knows what was not known then, in whatever series it looks at."""

import math
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from evil2root.domain.core.instrument import instrument_for
from evil2root.domain.core.listings import NEW_YORK
from evil2root.domain.market.around.family import US_NEIGHBOURS, Around, Family, Role, aligned
from evil2root.domain.market.around.registry import AROUND_HASH, AROUND_NAMES, FAMILIES, features_around
from evil2root.domain.market.around.universe import standings
from evil2root.domain.market.features import features
from evil2root.domain.market.fundamentals import CompanyEvent, EventKind, published
from evil2root.domain.market.indicators import Column, Unit
from tests.domain.market.laws import ABSURD, differing_columns
from tests.domain.market.series import ORIGIN, a_series, bars_of, poisoned

ROWS = 300
DAY = timedelta(days=1)
COLUMNS = tuple(column for family in FAMILIES for column in family.columns)


@dataclass(frozen=True, kw_only=True)
class World:
    """Everything there is: the symbol's bars, four series, three other symbols, earnings announced two weeks before."""

    bars: pl.DataFrame
    series: dict[Role, pl.DataFrame]
    others: dict[str, pl.DataFrame]
    events: tuple[CompanyEvent, ...]

    def around(self) -> Around:
        ranks = standings({"OWN": self.bars, **self.others})["OWN"]
        return Around(session=NEW_YORK, events=self.events, series=self.series, ranks=ranks)

    def features(self, families: tuple[Family, ...] = FAMILIES) -> pl.DataFrame:
        return features_around(self.bars, self.around(), families=families)

    def until(self, at: datetime) -> "World":
        """What was known then: of each series the bars that had closed, of the events those announced."""
        return World(
            bars=_past(self.bars, at),
            series={role: _past(bars, at) for role, bars in self.series.items()},
            others={name: _past(bars, at) for name, bars in self.others.items()},
            events=tuple(event for event in self.events if event.known_from <= at),
        )

    def with_absurd_future(self, at: datetime, *, factor: float) -> "World":
        """The same past, and a future of absurd prices, other events, dates called off later, and a newcomer."""
        known = [
            replace(event, known_until=at + DAY) if event.at > at else event
            for event in self.events if event.known_from <= at
        ]  # fmt: skip
        invented = [
            CompanyEvent(kind=kind, at=at + DAY / 2 * i, known_from=at + DAY / 4)
            for kind in EventKind
            for i in range(-4, 9)
        ]
        newcomer = self.bars.filter(pl.col("closed_at") > at)
        return World(
            bars=_poisoned(self.bars, at, factor),
            series={role: _poisoned(bars, at, factor) for role, bars in self.series.items()},
            others={name: _poisoned(bars, at, factor) for name, bars in self.others.items()} | {"NEW": newcomer},
            events=(*known, *invented),
        )


def a_world(rows: int = ROWS, *, shape: str = "walk", later: timedelta = timedelta(0)) -> World:
    """`later`: how long after the symbol's the other series close."""
    quarters = [ORIGIN + DAY * (20 + 63 * i) for i in range(rows // 63 + 2)]
    events = [
        CompanyEvent(kind=kind, at=at + timedelta(hours=shift), known_from=at - 14 * DAY)
        for at in quarters for kind, shift in ((EventKind.EARNINGS, 7), (EventKind.EX_DIVIDEND, 0))
    ]  # fmt: skip
    return World(
        bars=a_series(rows, shape=shape),
        series={
            role: a_series(rows, seed=20 + i).with_columns(pl.col("closed_at") + later) for i, role in enumerate(Role)
        },
        others={f"S{seed}": a_series(rows, seed=seed) for seed in (11, 12, 13)}, events=tuple(events),
    )  # fmt: skip


def _past(bars: pl.DataFrame, at: datetime) -> pl.DataFrame:
    return bars.filter(pl.col("closed_at") <= at)


def _poisoned(bars: pl.DataFrame, at: datetime, factor: float) -> pl.DataFrame:
    return poisoned(bars, since=_past(bars, at).height, factor=factor)


def seen_ahead(world: World, *, cut: int, families: tuple[Family, ...] = FAMILIES) -> set[str]:
    """Columns whose rows before `cut` change when what came later is hidden or made absurd."""
    at = world.bars["closed_at"][cut - 1]
    past = world.features(families).head(cut)
    seen = set(differing_columns(past, world.until(at).features(families)))
    for factor in ABSURD:
        other = world.with_absurd_future(at, factor=factor).features(families)
        seen |= set(differing_columns(past, other.head(cut)))
    return seen


class TestTheLaw:
    @pytest.mark.parametrize("cut", [1, 25, 75, 280])
    @pytest.mark.parametrize("shape", ["walk", "steps"])
    @pytest.mark.parametrize("later", [timedelta(0), timedelta(hours=3)])
    def test_none_sees_the_future_of_anything(self, shape: str, cut: int, later: timedelta) -> None:
        assert seen_ahead(a_world(shape=shape, later=later), cut=cut) == set()

    def test_catches_a_family_that_looks_at_unannounced_dates_and_one_that_joins_forward(self) -> None:
        def dates(bars: pl.DataFrame, around: Around) -> dict[str, np.ndarray]:
            at = min((e.at for e in around.events if e.at > bars["closed_at"][0]), default=ORIGIN)
            return {"leak": np.full(bars.height, at.timestamp())}

        def forward(bars: pl.DataFrame, around: Around) -> dict[str, np.ndarray]:
            joined = bars.select("closed_at").join_asof(
                around.series[Role.INDEX].select("closed_at", "close"), on="closed_at", strategy="forward",
                allow_exact_matches=False,
            )  # fmt: skip
            return {"leak": joined["close"].fill_null(float("nan")).to_numpy()}

        column = Column(name="leak", unit=Unit.RATIO, warm_up=0)

        for compute in (dates, forward):
            leaking = Family(name="leak", version=1, compute=compute, columns=(column,))
            assert seen_ahead(a_world(60), cut=3, families=(leaking,)) == {"leak"}


class TestEveryColumn:
    def test_speaks_right_after_its_warm_up_and_not_before(self) -> None:
        table = a_world().features()

        first = {
            c.name: table[c.name].is_not_null().arg_max() for c in COLUMNS if not c.name.startswith(("earn", "ex_"))
        }
        assert first == {c.name: c.warm_up for c in COLUMNS if c.name in first}
        assert [name for name, row in first.items() if table[name].slice(row or 0).null_count()] == []

    def test_is_null_where_nothing_is_around(self) -> None:
        table = features_around(a_series(80), Around())

        needs = [
            name for name in AROUND_NAMES if name.startswith(("index", "vix", "rate", "sector", "rank", "earn", "ex_"))
        ]
        assert len(needs) == 25
        assert table.select(needs).null_count().sum_horizontal()[0] == 80 * len(needs)

    @pytest.mark.parametrize("rows", [0, 1, 2, 5])
    def test_is_null_or_finite_and_in_its_range_on_a_few_rows(self, rows: int) -> None:
        table = a_world(rows).features()

        assert table.height == rows
        for column in COLUMNS:
            told = table[column.name].drop_nulls()
            assert told.is_finite().all()
            assert told.is_between(column.low, column.high).all()

    def test_has_a_name_of_its_own_in_a_set_that_has_one(self) -> None:
        assert len(set(AROUND_NAMES)) == len(AROUND_NAMES)
        assert len(AROUND_HASH) == 16
        assert "v2" in replace(FAMILIES[0], version=2).formula


class TestEvents:
    def test_count_from_when_they_were_announced_until_they_were_called_off(self) -> None:
        bars = a_series(30)
        closed = bars["closed_at"].to_list()
        moved = CompanyEvent(kind=EventKind.EARNINGS, at=closed[20], known_from=closed[5], known_until=closed[10])
        final = CompanyEvent(kind=EventKind.EARNINGS, at=closed[24], known_from=closed[10])

        told = features_around(bars, Around(events=(moved, final)))

        assert told["earnings_in_days"].to_list()[4:12] == [None, 15.0, 14.0, 13.0, 12.0, 11.0, 14.0, 13.0]
        assert told["earnings_in_days"].to_list()[22:] == [2.0, 1.0] + [None] * 6
        assert told["earnings_since_days"].to_list()[23:27] == [None, 0.0, 1.0, 2.0]
        assert told["earnings_since_bars"].to_list()[23:27] == [None, 0.0, 1.0, 2.0]

    def test_before_the_first_bar_are_days_ago_and_an_unknown_number_of_bars(self) -> None:
        bars = a_series(3)
        event = CompanyEvent(kind=EventKind.EX_DIVIDEND, at=ORIGIN - 30 * DAY, known_from=ORIGIN - 60 * DAY)

        told = features_around(bars, Around(events=(event,)))

        assert told["ex_dividend_since_days"][0] == pytest.approx(30 + 6.5 / 24)
        assert told["ex_dividend_since_bars"].null_count() == 3

    def test_far_away_are_not_told(self) -> None:
        event = CompanyEvent(kind=EventKind.EARNINGS, at=ORIGIN + 500 * DAY, known_from=ORIGIN)

        assert features_around(a_series(3), Around(events=(event,)))["earnings_in_days"].null_count() == 3

    def test_need_zones_and_a_time_at_which_they_are_known(self) -> None:
        with pytest.raises(ValueError, match="no time zone"):
            CompanyEvent(kind=EventKind.SPLIT, at=datetime(2026, 1, 1), known_from=ORIGIN)  # noqa: DTZ001
        with pytest.raises(ValueError, match="never"):
            CompanyEvent(kind=EventKind.SPLIT, at=ORIGIN, known_from=ORIGIN, known_until=ORIGIN)


class TestTimes:
    def bars(self, *opened: datetime, minutes: int) -> pl.DataFrame:
        price = np.full(len(opened), 10.0)
        made = bars_of(opening=price, high=price, low=price, close=price, volume=price)
        at = pl.Series(opened).cast(pl.Datetime("us", "UTC"))
        return made.with_columns(opened_at=at, closed_at=at + timedelta(minutes=minutes))

    def test_tell_the_part_of_the_session_on_both_sides_of_a_clock_change(self) -> None:
        winter, summer = datetime(2026, 3, 6, 14, 30, tzinfo=UTC), datetime(2026, 3, 9, 13, 30, tzinfo=UTC)
        bars = self.bars(winter, winter + timedelta(hours=3), summer, summer + timedelta(hours=6), minutes=30)

        told = features_around(bars, Around(session=NEW_YORK))

        assert told["session_part"].to_list() == pytest.approx([0.5 / 6.5, 3.5 / 6.5, 0.5 / 6.5, 1.0])
        assert told["session_third"].to_list() == [0.0, 1.0, 0.0, 2.0]

    def test_round_the_clock_a_day_ends_at_midnight(self) -> None:
        midnight = datetime(2026, 3, 6, tzinfo=UTC)
        bars = self.bars(midnight, midnight + timedelta(hours=18), minutes=360)

        told = features_around(bars, Around(session=instrument_for("BTC-USD").session))

        assert told["session_part"].to_list() == [0.25, 1.0]

    def test_tell_weekdays_and_the_end_of_the_month_of_the_market_s_own_day(self) -> None:
        sydney = instrument_for("BHP.AX").session
        bars = self.bars(*(datetime(2026, 1, day, 23, tzinfo=UTC) for day in (26, 27, 28, 29)), minutes=360)

        told = features_around(bars, Around(session=sydney))

        assert told["weekday"].to_list() == [1.0, 2.0, 3.0, 4.0]  # Tuesday the 27th to Friday the 30th
        assert told["month_weekdays_left"].to_list() == [3.0, 2.0, 1.0, 0.0]
        assert told["month_end"].to_list() == [0.0, 1.0, 1.0, 1.0]


class TestNeighbours:
    def test_close_no_later_than_the_bar_and_grow_old(self) -> None:
        bars = a_series(20)
        other = a_series(5, seed=3).with_columns(pl.col("closed_at") + pl.duration(minutes=1))

        told = aligned(bars, other, days_max=7)

        assert np.isnan(told[0])
        assert told[1:6].tolist() == other["close"].to_list()
        assert told[11] == other["close"][4]
        assert np.isnan(told[12:]).all()

    def test_tell_levels_as_fractions_and_moves_beyond_the_sector(self) -> None:
        bars = a_series(80)
        series = {Role.VOLATILITY: 0.2, Role.RATE: 0.04, Role.SECTOR: 1.0, Role.INDEX: 1.0}
        around = Around(series={role: bars.with_columns(close=pl.lit(100.0 * level)) for role, level in series.items()})

        last = features_around(bars, around).row(-1, named=True)

        close = bars["close"]
        assert (last["vix"], last["rate"], last["rate_change_20"]) == (0.2, 0.04, 0.0)
        assert last["sector_excess_5"] == pytest.approx(math.log(close[-1] / close[-6]))
        assert last["index_beta_60"] is None  # an index that stands still has none

    def test_are_named_by_role_and_sector(self) -> None:
        assert US_NEIGHBOURS.of(Role.VOLATILITY, sector="energy") == "^VIX"
        assert US_NEIGHBOURS.of(Role.SECTOR, sector="energy") == "XLE"
        assert US_NEIGHBOURS.of(Role.SECTOR, sector="unknown") is None


def test_a_symbol_is_ranked_among_the_others_of_its_moment() -> None:
    world = a_world(60)

    told = world.features()["rank_ret_5"]

    own, *others = (features(bars)["ret_5"][40] for bars in (world.bars, *world.others.values()))
    assert told[40] == sum(other < own for other in others) / 3


def test_a_fact_s_report_is_the_first_one_after_its_period() -> None:
    days = [date(2026, 2, 1), date(2026, 5, 2), date(2026, 8, 1)]

    assert published(date(2026, 3, 31), days) == date(2026, 5, 2)
    assert published(date(2025, 9, 30), days) is None
