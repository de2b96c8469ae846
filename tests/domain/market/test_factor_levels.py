"""Adjusting factors scale every price that is decided on: what no split or dividend explains is not believed."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from evil2root.adapters.calendars.exchange import ExchangeCalendars
from evil2root.adapters.market_data.packaged import packaged
from evil2root.domain.core.instrument import instrument_for
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.cleaning import Cleaned, Known, clean
from evil2root.domain.market.sources import RAW_SCHEMA, Fetched

NEW_YORK = ExchangeCalendars().sessions(instrument_for("IBM"))
EVERY = packaged(Interval.D1)["IBM"].stored.with_columns(factor=pl.lit(1.0))
BARS = EVERY.tail(300)
STORED, TOLD = BARS.head(200), BARS.tail(120)
"""Twenty days are told again."""
PRICES = ("open", "high", "low", "close")
AFTER = timedelta(hours=12)
Splits = tuple[tuple[datetime, float], ...]


def factors(rows: pl.DataFrame, by: float, *, until: int | None = None) -> pl.DataFrame:
    """Multiply the factors of the first `until` rows, or of all."""
    here = pl.int_range(pl.len()) < (rows.height if until is None else until)
    return rows.with_columns(factor=pl.when(here).then(pl.col("factor") * by).otherwise("factor"))


def halved(rows: pl.DataFrame, since: datetime) -> pl.DataFrame:
    """Prices after a split of two for one, and twice the volume."""
    after = pl.col("opened_at") >= since
    return rows.with_columns(
        *(pl.when(after).then(pl.col(name) / 2).otherwise(name).alias(name) for name in PRICES),
        volume=pl.when(after).then(pl.col("volume") * 2).otherwise("volume"),
    )


def answer(rows: pl.DataFrame, *, splits: Splits = (), at: datetime | None = None, source: str = "t") -> Fetched:
    return Fetched(
        symbol="IBM", interval=Interval.D1, rows=rows.select(list(RAW_SCHEMA)), source=source,
        fetched_at=at or rows["opened_at"][-1] + AFTER, splits=splits,
    )  # fmt: skip


def cleaned(
    rows: pl.DataFrame, stored: pl.DataFrame = STORED, *, splits: Splits = (), at: datetime | None = None
) -> Cleaned:
    return clean(answer(rows, splits=splits, at=at), NEW_YORK, Known(stored=stored))


def refused(made: Cleaned) -> set[str]:
    """Kinds of what was set aside; nothing may be left."""
    assert made.good.height == 0
    assert made.rescale == 1.0
    assert set(made.quarantined["reason"]) == {"factor"}
    return set(made.quarantined["kind"])


@pytest.mark.parametrize(
    ("by", "kind"), [(0.01, "unit"), (0.5, "split"), (100.0, "unit"), (1e5, "split"), (0.7, "split")]
)
@pytest.mark.parametrize("stored", [STORED, STORED.clear(), BARS.head(180)], ids=["again", "first", "nothing again"])
def test_an_answer_with_every_factor_wrong_is_set_aside_whole(by: float, kind: str, stored: pl.DataFrame) -> None:
    assert refused(cleaned(factors(TOLD, by), stored)) == {kind}


def test_a_dividend_since_rescales_what_is_stored() -> None:
    made = cleaned(factors(TOLD, 0.99, until=60))

    assert (made.good.height, made.rescale) == (120, 0.99)


def test_dividends_of_years_in_which_nothing_was_stored_are_believed() -> None:
    told = EVERY.tail(1300)
    for place in range(100, 1300, 120):
        told = factors(told, 0.96, until=place)
    stored = EVERY.filter(pl.col("opened_at") < told["opened_at"][8])

    made = cleaned(told, stored)

    assert made.good.height == 1300
    assert made.rescale == pytest.approx(0.96**10)
    assert refused(cleaned(factors(TOLD, 0.7, until=100))) == {"split"}


@pytest.mark.parametrize("again", [20, 0])
def test_a_split_rescales_what_is_stored_when_it_is_confirmed_or_the_price_shows_it(again: int) -> None:
    when = TOLD["opened_at"][60]
    told, stored = factors(halved(TOLD, when), 0.5, until=60), BARS.head(180 + again)

    older = (STORED["opened_at"][10], 3.0)
    for splits in (((when, 2.0),), (), (older,)):
        made = cleaned(told, stored, splits=splits)
        assert (made.good.height, made.rescale) == (120, 0.5)


def test_two_splits_and_a_dividend_since_rescale_by_all_three_and_an_older_split_does_not() -> None:
    first, second = TOLD["opened_at"][40], TOLD["opened_at"][70]
    told = factors(factors(halved(halved(TOLD, first), second), 0.5 * 0.98, until=70), 0.5, until=40)
    splits = ((first, 2.0), (second, 2.0))

    assert cleaned(told, splits=splits).rescale == pytest.approx(0.245)
    old = (STORED["opened_at"][-40], 2.0)
    assert refused(cleaned(factors(TOLD, 0.5, until=60), splits=(old,))) == {"split"}


def test_a_confirmed_split_does_not_excuse_a_newest_factor_that_is_not_one() -> None:
    when = TOLD["opened_at"][60]

    made = cleaned(factors(TOLD, 0.5), splits=((when, 2.0),))

    assert (made.good.height, made.rescale) == (0, 1.0)
    assert set(made.quarantined["reason"]) == {"factor", "unconfirmed split"}


def test_history_that_ends_years_ago_has_another_newest_factor() -> None:
    told = factors(TOLD, 0.03)

    assert cleaned(told, STORED.clear(), at=datetime(2026, 1, 5, tzinfo=UTC)).good.height == 120
    assert refused(cleaned(told, factors(STORED, 0.03))) == {"split"}  # now, it has not
    beside = cleaned(told.head(100), TOLD.tail(20), at=datetime(2026, 1, 5, tzinfo=UTC))
    assert refused(beside) == {"split"}


def test_a_split_today_of_which_only_older_bars_are_told_yet_is_believed_once_it_is_confirmed() -> None:
    today = TOLD["opened_at"][-1]
    yesterday = factors(TOLD.head(119), 0.5)

    assert refused(cleaned(yesterday, at=today)) == {"split"}
    made = cleaned(yesterday, splits=((today, 2.0),), at=today)
    assert (made.good.height, made.rescale) == (119, 0.5)


def test_a_factor_that_changes_with_every_bar_is_none() -> None:
    drift = pl.lit(0.998) ** pl.int_range(pl.len())

    assert refused(cleaned(TOLD.with_columns(factor=drift), STORED.clear())) == {"bad_value"}
    assert refused(cleaned(TOLD.with_columns(factor=drift.reverse()), STORED.clear())) == {"bad_value"}


def test_rounding_of_adjusted_prices_is_no_drift() -> None:
    rounded = (pl.col("close") / 100 * 0.97).round(2) / (pl.col("close") / 100) / 0.97

    assert cleaned(TOLD.with_columns(factor=rounded), STORED.clear()).good.height == 120


def test_new_bars_at_a_wrong_level_of_a_restless_series_are_not_believed() -> None:
    walk = np.exp(np.cumsum(np.random.default_rng(7).normal(0, 0.05, BARS.height)))
    restless = BARS.with_columns((pl.col("close") * 0 + walk).alias(name) for name in PRICES)
    told = restless.tail(120).with_columns(factor=pl.when(pl.int_range(120) >= 20).then(0.7).otherwise(1.0))

    assert refused(cleaned(told, restless.head(200))) == {"split"}


def test_single_bars_told_again_with_a_wrong_factor_are_set_aside_alone() -> None:
    told = TOLD.with_columns(factor=pl.when(pl.int_range(120) < 2).then(0.5).otherwise(1.0))

    made = cleaned(told)

    assert (made.good.height, made.rescale) == (118, 1.0)
    assert made.quarantined["opened_at"].to_list() == TOLD["opened_at"].to_list()[:2]


def test_an_answer_from_the_first_stored_bar_until_now_mends_what_was_stored_wrong() -> None:
    wrong = factors(STORED, 0.01)

    assert refused(cleaned(TOLD, wrong)) == {"unit"}
    assert cleaned(BARS, wrong).good["factor"].to_list() == [1.0] * 300
    assert refused(cleaned(factors(BARS, 0.01), STORED)) == {"unit"}


def test_a_split_between_the_stored_bars_and_an_answer_that_repeats_none_is_no_jump() -> None:
    when = TOLD["opened_at"][20]
    split = factors(halved(BARS, when), 0.5, until=200)

    made = cleaned(split.tail(100), split.head(200))

    assert (made.good.height, made.rescale) == (100, 1.0)


@pytest.mark.parametrize(("by", "left"), [(1.0, 120), (0.98, 120), (0.5, 0), (0.01, 0), (None, 120)])
def test_another_source_is_asked_for_its_factors_too(by: float | None, left: int) -> None:
    told = answer(TOLD)
    peer = answer(TOLD.with_columns(factor=pl.lit(by, dtype=pl.Float64)), source="other")

    made = clean(told, NEW_YORK, Known(stored=STORED, peers=(peer,)))

    assert made.good.height == len(made.agreed) == left
    assert set(made.quarantined["kind"]) <= {"split"}
    third = clean(told, NEW_YORK, Known(stored=STORED, peers=(peer, replace(told, source="third"))))
    assert third.good.height == 120


def test_sources_may_differ_about_what_old_bars_are_worth_today() -> None:
    told = answer(TOLD, at=datetime(2018, 1, 5, tzinfo=UTC))
    peers = tuple(replace(told, source="other", rows=factors(told.rows, by)) for by in (0.7, 0.01))

    agreed = [clean(told, NEW_YORK, Known(peers=(peer,))).good.height for peer in peers]

    assert agreed == [120, 0]


def test_a_few_bars_are_held_against_those_beside_them() -> None:
    few = TOLD.tail(5)

    assert cleaned(few, BARS.head(295)).good.height == 5
    assert refused(cleaned(factors(few, 0.5), BARS.head(295))) == {"split"}
    assert cleaned(few.with_columns(factor=pl.lit(None, dtype=pl.Float64)), BARS.head(295)).good.height == 5


@pytest.mark.parametrize("late", ["theirs", "theirs and raw for ever", "ours"])
def test_a_split_that_one_of_two_sources_tells_a_day_later_is_no_crash_and_no_contradiction(late: str) -> None:
    when = BARS["opened_at"][298]
    raw, splits = halved(BARS, when), ((when, 2.0),)
    adjusted = factors(raw, 0.5, until=298)
    first, other = (raw, adjusted) if late == "ours" else (adjusted, raw)
    told = answer(first.tail(12), splits=() if late == "ours" else splits)
    peer = answer(other.tail(12), splits=() if late == "theirs and raw for ever" else splits, source="other")

    made = clean(told, NEW_YORK, Known(stored=BARS.head(298), peers=(peer,)))

    assert made.good["factor"].to_list() == [0.5] * 10 + [1.0] * 2
    assert made.rescale == 0.5
