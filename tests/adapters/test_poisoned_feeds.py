"""A corpus of poisoned feeds through cleaning, store and kernel: no decision rests on a poisoned row, each is named."""

import gc
import tracemalloc
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from evil2root.adapters.calendars.exchange import ExchangeCalendars
from evil2root.adapters.market_data.packaged import packaged
from evil2root.adapters.postgres.bars import PostgresBars
from evil2root.adapters.postgres.quality import PostgresQuality
from evil2root.domain.core.instrument import instrument_for
from evil2root.domain.core.money import Money
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.kernel.profiles import make_policy
from evil2root.domain.kernel.record import Decision
from evil2root.domain.market.cleaning import Known, clean
from evil2root.domain.market.history import History
from evil2root.domain.market.report import series_quality
from evil2root.domain.market.sources import RAW_SCHEMA, Fetched
from evil2root.engine.observe import Background
from evil2root.engine.replay import backtest

pytestmark = pytest.mark.postgres

D1 = Interval.D1
REAL = packaged(D1)["IBM"].stored.tail(600)
OTHER = packaged(D1)["GOOG"].stored.tail(600)
STORED, NEW = REAL.head(540), REAL.tail(60)
TOLD = REAL.tail(80)
"""The source repeats 20 stored days and brings 60 new ones."""
N = TOLD.height
NOW = datetime(2013, 3, 4, 3, tzinfo=UTC)
CALENDAR = ExchangeCalendars().sessions(instrument_for("IBM"))
PRICES = ("open", "high", "low", "close")
NAN, INF = float("nan"), float("inf")


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """One poisoned answer."""

    name: str
    rows: pl.DataFrame
    poisoned: frozenset[datetime]
    """Openings of new days whose told row must not be decided on."""
    kinds: frozenset[str]
    """Kinds of which the report must name at least one."""
    more: dict[str, Any] = field(default_factory=dict)


def at(*places: int) -> frozenset[datetime]:
    opened = TOLD["opened_at"].to_list()
    return frozenset(opened[place] for place in places)


def put(places: range | tuple[int, ...], **values: Callable[[pl.Expr], pl.Expr] | float | None) -> pl.DataFrame:
    """Change values of the rows at these places."""
    here = pl.int_range(pl.len()).is_in(list(places))
    changes = []
    for name, value in values.items():
        new = value(pl.col(name)) if callable(value) else pl.lit(value, dtype=pl.Float64)
        changes.append(pl.when(here).then(new).otherwise(pl.col(name)).alias(name))
    return TOLD.with_columns(changes)


def times(by: Callable[[pl.Expr], pl.Expr], places: range | tuple[int, ...] = range(N)) -> pl.DataFrame:
    here = pl.int_range(pl.len()).is_in(list(places))
    return TOLD.with_columns(
        pl.when(here).then(by(pl.col("opened_at"))).otherwise(pl.col("opened_at")).alias("opened_at")
    )


def scaled(by: float, places: range | tuple[int, ...]) -> pl.DataFrame:
    return put(places, **dict.fromkeys(PRICES, lambda price: price * by))


def feed(name: str, rows: pl.DataFrame, poisoned: frozenset[datetime], *kinds: str, **more: Any) -> Feed:
    return Feed(name=name, rows=rows, poisoned=poisoned, kinds=frozenset(kinds), more=more)


ALL = at(*range(20, N))
LAST = N - 1


def single_values() -> list[Feed]:
    """One value of the newest day is no price: by column."""
    prices = {
        "nan": NAN,
        "null": None,
        "inf": INF,
        "-inf": -INF,
        "-1": -1.0,
        "0": 0.0,
        "1e308": 1e308,
        "5e-324": 5e-324,
    }
    made = [
        feed(f"{column} {name}", put((LAST,), **{column: value}), at(LAST), "bad_value", "spike")
        for name, value in prices.items()
        for column in ("close", "open" if name in {"nan", "null"} else "low")
    ]
    volumes = {"nan": NAN, "-1": -1.0, "inf": INF, "1e308": 1e308, "null": None}
    made += [feed(f"volume {n}", put((LAST,), volume=value), at(LAST), "bad_value") for n, value in volumes.items()]
    return made


def corpus() -> list[Feed]:
    last5 = tuple(range(N - 5, N))
    late = tuple(range(N - 30, N))
    hang = TOLD.row(N - 6, named=True)
    hung = {name: hang[name] for name in (*PRICES, "volume")}
    rows = TOLD.select(list(RAW_SCHEMA))
    return [
        *single_values(),
        feed("all prices nan", put(range(N), **dict.fromkeys(PRICES, NAN)), ALL, "bad_value"),
        feed("all prices null", put(range(N), **dict.fromkeys(PRICES)), ALL, "bad_value"),
        feed("high below low", put((LAST,), high=50.0), at(LAST), "bad_value"),
        feed("low above high", put((LAST,), low=900.0), at(LAST), "bad_value"),
        feed("high and low swapped", put(last5, high=lambda c: c * 0 + 190.0, low=lambda c: c * 0 + 210.0),
             at(*last5), "bad_value"),
        feed("close outside the range", put((LAST,), close=lambda c: c * 1.5), at(LAST), "bad_value", "spike"),
        feed("future", times(lambda t: t + timedelta(days=3650), (LAST,)), at(LAST), "bad_value"),
        feed("far future", times(lambda t: t + timedelta(days=365 * 7000), (LAST,)), at(LAST), "bad_value"),
        feed("all 1970", times(lambda _: pl.lit(datetime(1970, 1, 1, tzinfo=UTC), dtype=RAW_SCHEMA["opened_at"])), ALL,
             "bad_value", "outside_session", "duplicate"),
        feed("no times", TOLD.with_columns(opened_at=pl.lit(None, dtype=RAW_SCHEMA["opened_at"])), ALL, "bad_value"),
        feed("a Sunday", times(lambda t: t + timedelta(days=2), (LAST,)), at(LAST), "outside_session"),
        feed("all days at noon", times(lambda t: t.dt.truncate("1d") + timedelta(hours=12)), ALL, "outside_session"),
        feed("zone slipped by 5 h", times(lambda t: t + timedelta(hours=5)), ALL, "outside_session"),
        feed("zone slipped by -7 h", times(lambda t: t - timedelta(hours=7)), ALL, "outside_session"),
        feed("a day late", TOLD.with_columns(pl.col(c).shift(1, fill_value=200.0) for c in (*PRICES, "volume")), ALL,
             "outside_session", "bad_value"),
        feed("wrong symbol", rows.with_columns(OTHER.tail(N)[c] for c in (*PRICES, "volume", "factor")), ALL,
             "bad_value", "split", "unit"),
        feed("half price", scaled(0.5, range(N)), ALL, "split"),
        feed("half price from today", scaled(0.5, (LAST,)), at(LAST), "split"),
        feed("half price for 30 days", scaled(0.5, late), at(*late), "split"),
        feed("a third for 30 days", scaled(1 / 3, late), at(*late), "split"),
        feed("double for 30 days", scaled(2.0, late), at(*late), "split"),
        feed("a split of 10 nobody confirms", scaled(0.1, late), at(*late), "split"),
        feed("x100", scaled(100.0, range(N)), ALL, "unit"),
        feed("x100 today", scaled(100.0, (LAST,)), at(LAST), "unit", "spike"),
        feed("x100 for a week", scaled(100.0, last5), at(*last5), "unit", "spike"),
        feed("x0.01 for 30 days", scaled(0.01, late), at(*late), "unit", "spike"),
        feed("x1000 for 30 days", scaled(1000.0, late), at(*late), "unit", "spike"),
        feed("x37 for 30 days", scaled(37.0, late), at(*late), "spike"),
        feed("pence", TOLD, ALL, "unit", currency="GBp"),
        feed("euros", scaled(0.75, range(N)), ALL, "unit", currency="EUR"),
        feed("euros that nobody names", scaled(0.75, range(N)), ALL, "bad_value", "split"),
        feed("spike up", scaled(1.4, (LAST,)), at(LAST), "spike", "split"),
        feed("spike down", scaled(0.7, (LAST,)), at(LAST), "spike", "split"),
        feed("spike in the middle", scaled(1.4, (50,)), at(50), "spike", "split"),
        feed("two days of spike", scaled(1.3, (50, 51)), at(50, 51), "spike"),
        feed("wick up", put((LAST,), high=lambda c: c * 3), at(LAST), "spike"),
        feed("wick down", put((LAST,), low=lambda c: c / 3), at(LAST), "spike"),
        feed("open astray", put((LAST,), open=lambda c: c * 2, high=lambda c: c * 2), at(LAST), "spike"),
        feed("hangs", put(last5, **hung), at(*last5[2:]), "stale"),
        feed("hangs for 30 days", put(late, **{n: TOLD.row(late[0] - 1, named=True)[n] for n in (*PRICES, "volume")}),
             at(*late[2:]), "stale"),
        feed("two stories of today", pl.concat([TOLD, scaled(1.01, (LAST,)).tail(1)]), at(LAST), "duplicate"),
        feed("two stories of every day", pl.concat([TOLD, scaled(1.01, range(N))]), ALL, "duplicate"),
        feed("told twice", pl.concat([TOLD, TOLD]), frozenset(), "duplicate"),
        feed("shuffled", TOLD.sample(fraction=1.0, shuffle=True, seed=7), frozenset(), "out_of_order"),
        feed("backwards", TOLD[::-1], frozenset(), "out_of_order"),
        feed("shuffled prices", rows.with_columns(TOLD.sample(fraction=1.0, shuffle=True, seed=3)[c] for c in PRICES),
             frozenset(), "bad_value", "spike"),
        feed("factor zero", put(range(N), factor=0.0), ALL, "bad_value"),
        feed("factor infinite", put((LAST,), factor=INF), at(LAST), "bad_value"),
        feed("empty", TOLD.clear(), ALL),
        feed("holes", TOLD.filter(pl.int_range(pl.len()) % 3 > 0), at(*(n for n in range(20, N) if n % 3 == 0)), "gap"),
    ]  # fmt: skip


CORPUS = corpus()


def told(rows: pl.DataFrame, symbol: str = "IBM", **more: Any) -> Fetched:
    plain = rows.select(list(RAW_SCHEMA)).cast(RAW_SCHEMA)
    return replace(Fetched(symbol=symbol, interval=D1, rows=plain, source="poison", fetched_at=NOW), **more)


async def taken_in(engine: AsyncEngine, answer: Fetched, stored: pl.DataFrame) -> None:
    """Clean an answer beside what is stored, and store both sides of it."""
    instrument = instrument_for(answer.symbol)
    cleaned = clean(answer, CALENDAR, Known(stored=stored, currency=instrument.currency))
    good = History(symbol=answer.symbol, interval=D1, stored=cleaned.good, origin=answer.source)
    await PostgresBars(engine).add(good)
    await PostgresQuality(engine).keep(cleaned)


async def decisions(engine: AsyncEngine, symbols: tuple[str, ...]) -> list[Decision]:
    """Every decision the kernel makes on what is stored."""
    policy = make_policy("fusion", {"entry_threshold": "0.05", "threshold": "0.5"}, account="t", currency="USD",
                         interval=D1, instruments={s: instrument_for(s) for s in symbols})  # fmt: skip
    frames = {s: await PostgresBars(engine).series(s, D1) for s in symbols}
    marks = {s: Background(sessions=CALENDAR, marks=await PostgresQuality(engine).marks(s, D1)) for s in symbols}
    kept: dict[str, Decision] = {}
    backtest(policy, frames, cash=Money(Decimal(100_000)), keep=lambda d: kept.update({d.id: d}), backgrounds=marks)
    return list(kept.values())


def test_the_corpus_has_sixty_feeds_of_different_names() -> None:
    assert len({one.name for one in CORPUS}) == len(CORPUS) >= 60


async def test_no_decision_rests_on_a_poisoned_row_and_each_feed_is_named(engine: AsyncEngine) -> None:
    bars, quality = PostgresBars(engine), PostgresQuality(engine)
    truth = dict(zip(REAL["opened_at"], REAL["close"] * REAL["factor"], strict=True))
    unnamed, wrong = [], []
    tracemalloc.start()
    for number, one in enumerate(CORPUS):
        symbol = f"P{number}"
        await bars.add(History(symbol=symbol, interval=D1, stored=STORED, origin="before"))
        await taken_in(engine, told(one.rows, symbol, **one.more), STORED)
        stored = await bars.series(symbol, D1)
        for opened, close in zip(stored["opened_at"], stored["close"], strict=True):
            if opened in one.poisoned or (close != truth[opened] and one.name != "shuffled prices"):
                wrong.append((one.name, opened, close))
        kinds = {issue.kind for issue in await quality.issues(symbol, D1)}
        history = History(symbol=symbol, interval=D1, stored=await bars.stored(symbol, D1), origin="")
        kinds |= {issue.kind for issue in series_quality(history, sessions=CALENDAR, found=()).issues}
        if one.kinds and not kinds & one.kinds:
            unnamed.append((one.name, kinds))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert (wrong, unnamed) == ([], [])
    assert peak < 64 * 2**20


async def test_the_control_symbol_is_decided_on_as_if_its_neighbour_were_sound(engine: AsyncEngine) -> None:
    await PostgresBars(engine).add(History(symbol="GOOG", interval=D1, stored=OTHER, origin="control"))
    alone = await decisions(engine, ("GOOG",))

    await PostgresBars(engine).add(History(symbol="IBM", interval=D1, stored=STORED, origin="before"))
    for one in CORPUS:
        if one.poisoned == ALL:
            await taken_in(engine, told(one.rows, **one.more), STORED)
    both = await decisions(engine, ("GOOG", "IBM"))

    seen = [(d.at, d.features, d.view, d.passport) for d in both if d.symbol == "GOOG"]
    assert seen == [(d.at, d.features, d.view, d.passport) for d in alone]
    assert {d.bar.opened_at for d in both if d.symbol == "IBM"} == set(STORED["opened_at"].to_list())


async def test_a_series_with_too_many_rows_set_aside_is_refused_by_the_gate_until_it_is_whole(
    engine: AsyncEngine,
) -> None:
    await PostgresBars(engine).add(History(symbol="IBM", interval=D1, stored=STORED, origin="before"))
    holes = put(tuple(range(25, N, 3)), close=NAN)
    await taken_in(engine, told(holes), STORED)

    made = [d for d in await decisions(engine, ("IBM",)) if d.exposure is not None]

    judged = [
        (d.passport.missing, [c for c in d.checks if c.name.startswith("missing of")]) for d in made if d.passport
    ]
    assert judged
    assert all(check.holds == (missing <= 4) for missing, checks in judged for check in checks)
    late = [
        d.passport.missing for d in await decisions(engine, ("IBM",)) if d.passport and d.at > NOW - timedelta(days=30)
    ]
    assert min(late) > 4


async def test_an_answer_of_a_million_rows_stays_within_bounds() -> None:
    rows = pl.concat([put(range(N), close=NAN)] * 12_500).select(list(RAW_SCHEMA))
    gc.collect()
    cleaned = clean(told(rows), CALENDAR, Known(stored=STORED))

    assert cleaned.quarantined.height == 10_000
    assert sum(issue.rows for issue in cleaned.issues if issue.action == "quarantined") == rows.height
    assert np.isfinite(cleaned.good["close"].to_numpy()).all()


async def test_fetching_twice_adds_nothing_and_a_restatement_keeps_the_old_value(engine: AsyncEngine) -> None:
    bars, quality = PostgresBars(engine), PostgresQuality(engine)
    answer = told(put((LAST,), close=NAN))
    await taken_in(engine, answer, STORED.clear())
    before = (await quality.quarantined("IBM", D1)).height, len(await quality.issues("IBM", D1))
    await taken_in(engine, answer, STORED.clear())
    known_at = datetime.now(UTC)  # noqa: TID251 - the database stamps by the machine's clock
    first = await bars.stored("IBM", D1)

    other = first.with_columns(pl.col("volume") + 1)
    await bars.add(History(symbol="IBM", interval=D1, stored=other, origin="poison"), replace=True)

    assert ((await quality.quarantined("IBM", D1)).height, len(await quality.issues("IBM", D1))) == before == (1, 1)
    assert (await quality.as_of("IBM", D1, known_at=known_at)).equals(first)
    assert (await bars.stored("IBM", D1))["volume"].to_list() == other["volume"].to_list()
