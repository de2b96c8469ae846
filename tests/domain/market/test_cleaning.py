"""Cleaning: what is believed, what is set aside and why. Real series pass whole; single faults are named."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evil2root.adapters.calendars.exchange import ExchangeCalendars
from evil2root.adapters.market_data.packaged import packaged
from evil2root.domain.core.instrument import instrument_for
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.cleaning import Cleaned, Known, clean
from evil2root.domain.market.history import History
from evil2root.domain.market.sources import RAW_SCHEMA, Fetched

NEW_YORK = ExchangeCalendars().sessions(instrument_for("IBM"))
NOW = datetime(2013, 6, 1, tzinfo=UTC)
REAL = packaged(Interval.D1)["IBM"].stored.tail(300)
KNOWN = Known(stored=REAL.head(200))


def told(rows: pl.DataFrame | None = None, **changes: object) -> Fetched:
    """The last 120 real days as a source tells them: 20 of them are stored already."""
    given_rows = REAL.tail(120) if rows is None else rows
    plain = given_rows.select(list(RAW_SCHEMA)).cast(RAW_SCHEMA)
    return replace(Fetched(symbol="IBM", interval=Interval.D1, rows=plain, source="test", fetched_at=NOW), **changes)  # type: ignore[arg-type]


def cleaned(rows: pl.DataFrame | None = None, known: Known = KNOWN, **changes: object) -> Cleaned:
    return clean(told(rows, **changes), NEW_YORK, known)


def changed(place: int, **values: float | None) -> pl.DataFrame:
    """The real rows with one of them changed."""
    rows = REAL.tail(120).with_row_index("n")
    return rows.with_columns(
        pl.when(pl.col("n") == place).then(pl.lit(v, dtype=pl.Float64)).otherwise(pl.col(k)).alias(k)
        for k, v in values.items()
    ).drop("n")


def kinds(made: Cleaned) -> set[tuple[str, str]]:
    return {(issue.kind, issue.action) for issue in made.issues}


@pytest.mark.parametrize("symbol", ["AAPL", "FB", "GOOG", "IBM", "MSFT"])
def test_recorded_history_is_believed_whole(symbol: str) -> None:
    stored = packaged(Interval.D1)[symbol].stored
    answer = Fetched(
        symbol=symbol, interval=Interval.D1, rows=stored.select(list(RAW_SCHEMA)), source="t", fetched_at=NOW
    )

    made = clean(answer, NEW_YORK, Known())

    assert made.quarantined.height == 0
    assert made.good.drop("closed_at").equals(stored.drop("closed_at"))


def test_good_rows_of_a_clean_answer_are_the_told_ones() -> None:
    made = cleaned()

    assert made.is_clean
    assert made.good.equals(REAL.tail(120).with_columns(closed_at=made.good["closed_at"]))


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"close": float("nan")}, "no number"),
        ({"close": None}, "no number"),
        ({"high": float("inf")}, "no number"),
        ({"open": -1.0}, "not positive"),
        ({"low": 0.0}, "not positive"),
        ({"high": 1e308}, "absurd"),
        ({"high": 50.0}, "high below low"),
        ({"volume": -5.0}, "volume"),
        ({"volume": None}, "volume"),
        ({"factor": 0.0}, "factor"),
    ],
)
def test_a_row_that_can_not_be_true_is_set_aside_alone(values: dict[str, float | None], reason: str) -> None:
    made = cleaned(changed(60, **values))

    assert made.quarantined["reason"].to_list() == [reason]
    assert made.good.height == 119
    assert ("bad_value", "quarantined") in kinds(made)


def test_a_bar_that_is_a_hundred_times_the_others_is_a_slip_of_the_unit() -> None:
    row = REAL.tail(120).row(119, named=True)
    made = cleaned(changed(119, **{name: row[name] * 100 for name in ("open", "high", "low", "close")}))

    assert made.good.height == 119
    assert made.quarantined["reason"].to_list() in (["unit"], ["wick"])
    assert made.good["opened_at"][-1] < row["opened_at"]


def scaled(by: float, *, last: int) -> pl.DataFrame:
    rows = REAL.tail(120).with_row_index("n")
    factor = pl.when(pl.col("n") >= 120 - last).then(by).otherwise(1.0)
    return rows.with_columns((pl.col(c) * factor).alias(c) for c in ("open", "high", "low", "close")).drop("n")


@pytest.mark.parametrize(("by", "kind"), [(0.5, "split"), (1 / 3, "split"), (100.0, "unit"), (0.01, "unit")])
@pytest.mark.parametrize("last", [2, 40])
def test_a_level_that_looks_like_a_split_or_a_unit_is_not_believed_however_long_it_stays(
    by: float, kind: str, last: int
) -> None:
    made = cleaned(scaled(by, last=last))

    assert made.good.height == 120 - last
    assert {issue.kind for issue in made.issues if issue.action == "quarantined"} <= {kind, "spike"}


def test_a_split_the_source_confirms_adjusts_what_came_before() -> None:
    when = REAL.tail(40)["opened_at"][0]

    made = cleaned(scaled(0.5, last=40), splits=((when, 2.0),))

    assert made.quarantined.height == 0
    assert ("split", "adjusted") in kinds(made)
    served = History(symbol="IBM", interval=Interval.D1, stored=made.good, origin="t").adjusted["close"]
    assert np.abs(np.diff(np.log(served.to_numpy()))).max() < 0.1


@pytest.mark.parametrize("by", [0.5, 100.0, 1.37])
def test_an_answer_of_other_levels_than_those_stored_is_refused_whole(by: float) -> None:
    made = cleaned(scaled(by, last=120))

    assert made.good.height == 0
    assert made.quarantined.height == 120


def test_another_currency_is_refused_whole() -> None:
    made = cleaned(known=replace(KNOWN, currency="GBP"), currency="GBp")

    assert (made.good.height, made.quarantined["reason"].unique().to_list()) == (0, ["currency"])


def test_times_of_another_zone_are_refused_whole() -> None:
    rows = REAL.tail(120).with_columns(pl.col("opened_at") + timedelta(hours=7))

    made = cleaned(rows)

    assert (made.good.height, made.quarantined["reason"].unique().to_list()) == (0, ["time zone"])
    assert {issue.kind for issue in made.issues} == {"outside_session"}


def test_order_and_repetitions_are_mended_and_told() -> None:
    rows = pl.concat([REAL.tail(120), REAL.tail(3)])[::-1]

    made = cleaned(rows)

    assert made.good.height == 120
    assert {("out_of_order", "sorted"), ("duplicate", "dropped")} <= kinds(made)


def test_two_stories_of_one_day_are_both_set_aside() -> None:
    other = REAL.tail(1).with_columns(pl.col("close") * 1.001, pl.col("high") * 1.002)

    made = cleaned(pl.concat([REAL.tail(120), other]))

    assert made.good.height == 119
    assert made.quarantined["reason"].to_list() == ["told differently"] * 2


def test_a_feed_that_hangs_tells_its_bar_once() -> None:
    last = REAL.tail(120).row(114, named=True)
    names = ("open", "high", "low", "close", "volume")
    rows = REAL.tail(120).with_row_index("n").with_columns(
        pl.when(pl.col("n") > 114).then(pl.lit(last[name])).otherwise(pl.col(name)).alias(name) for name in names
    )  # fmt: skip

    made = cleaned(rows.drop("n"))

    assert made.good.height == 115
    assert ("stale", "quarantined") in kinds(made)


def test_a_lone_spike_is_set_aside_and_the_same_on_great_volume_is_believed() -> None:
    row = REAL.tail(120).row(119, named=True)
    prices = {name: row[name] * 1.3 for name in ("open", "high", "low", "close")}
    alone, loud = cleaned(changed(119, **prices)), cleaned(changed(119, **prices, volume=row["volume"] * 9))

    assert (alone.good.height, loud.good.height) == (119, 120)
    assert ("spike", "none") in kinds(loud)


def test_another_source_confirms_a_move_and_contradicts_one() -> None:
    row = REAL.tail(120).row(119, named=True)
    moved = changed(119, **{name: row[name] * 1.3 for name in ("open", "high", "low", "close")})

    confirmed = cleaned(moved, replace(KNOWN, peers=(told(moved, source="other"),)))
    contradicted = cleaned(moved, replace(KNOWN, peers=(told(source="other"),)))

    assert confirmed.good.height == 120
    assert row["opened_at"] in confirmed.agreed
    assert contradicted.quarantined["reason"].to_list() == ["quorum"]


def test_a_bar_that_is_not_over_is_kept_apart() -> None:
    last = REAL["opened_at"][-1]

    made = cleaned(fetched_at=last + timedelta(hours=2))

    assert made.incomplete["opened_at"].to_list() == [last]
    assert made.good["opened_at"][-1] < last


def test_a_missing_day_is_a_gap_and_a_holiday_is_none() -> None:
    made = cleaned(REAL.tail(120).filter(pl.int_range(pl.len()) != 50))

    (gap,) = [issue for issue in made.issues if issue.kind == "gap"]
    assert (gap.rows, gap.start) == (1, REAL.tail(120)["opened_at"][50])


NUMBERS = st.one_of(
    st.none(), st.floats(allow_nan=True, allow_infinity=True), st.sampled_from([0.0, -1.0, 1e308, 190.0])
)
TIMES = st.one_of(
    st.none(), st.datetimes(datetime(1960, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.sampled_from(REAL["opened_at"].to_list()),
)  # fmt: skip
ROWS = st.lists(st.tuples(TIMES, NUMBERS, NUMBERS, NUMBERS, NUMBERS, NUMBERS, NUMBERS), max_size=40)


@given(ROWS, st.booleans())
@settings(max_examples=120, deadline=None)
def test_whatever_is_told_every_row_is_somewhere_and_good_ones_are_bars(
    rows: list[tuple[object, ...]], knows: bool
) -> None:
    frame = pl.DataFrame(rows, schema=RAW_SCHEMA, orient="row")

    made = clean(told(frame), NEW_YORK, KNOWN if knows else Known())

    dropped = sum(issue.rows for issue in made.issues if issue.action == "dropped")
    assert made.good.height + made.incomplete.height + made.quarantined.height + dropped == len(rows)
    History(symbol="IBM", interval=Interval.D1, stored=made.good, origin="t")  # refuses what is no bar
    opens: Callable[[datetime], bool] = set(packaged(Interval.D1)["IBM"].stored["opened_at"].to_list()).__contains__
    assert all(opens(at) or NEW_YORK.is_open(at) for at in made.good["opened_at"].to_list())
