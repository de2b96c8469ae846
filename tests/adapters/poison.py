"""Some eighty answers of a source of which something is wrong, each beside what it must not lead to."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import polars as pl
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
from evil2root.domain.market.sources import RAW_SCHEMA
from evil2root.engine.observe import Background
from evil2root.engine.replay import backtest

D1 = Interval.D1
REAL = packaged(D1)["IBM"].stored.tail(600)
OTHER = packaged(D1)["GOOG"].stored.tail(600).with_columns(factor=pl.lit(1.0))
"""Without the split of 2014, which the file knows and nobody in 2013 does."""
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


def multiplied(by: float) -> Callable[[pl.Expr], pl.Expr]:
    return lambda column: column * by


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


def of_factors(late: tuple[int, ...]) -> list[Feed]:
    """Raw prices that are true, scaled by an adjusted close that is not."""
    drift = pl.lit(0.99) ** pl.int_range(pl.len())
    kinds = ("unit", "split", "bad_value")
    return [
        *(feed(f"every factor x{by:g}", put(range(N), factor=multiplied(by)), ALL, "unit" if by != 0.5 else "split")
          for by in (0.01, 0.5, 100.0)),
        feed("30 days of factors x0.01", put(late, factor=multiplied(0.01)), at(*late), "unit"),
        feed("drifting factors", TOLD.with_columns(pl.col("factor") * drift), ALL, *kinds),
        feed("factors drifting to the right one", TOLD.with_columns(pl.col("factor") * drift.reverse()), ALL, *kinds),
    ]  # fmt: skip


def of_volumes(late: tuple[int, ...]) -> list[Feed]:
    """Volume that comes with a split, or none that ever was, confirms no move."""
    usual = float(TOLD["volume"].to_numpy()[:50].mean())
    made = []
    for ratio, times_usual in ((4.0, 1.7), (3.0, 2.0), (2.0, 3.0)):
        day = pl.int_range(pl.len()) == late[0]
        rows = put(late, **dict.fromkeys(PRICES, multiplied(1 / ratio)), volume=multiplied(ratio))
        rows = rows.with_columns(volume=pl.when(day).then(usual * ratio * times_usual).otherwise("volume"))
        made.append(feed(f"a split of {ratio:g} on {times_usual:g} times the volume", rows, at(*late), "split"))
    loud = scaled(0.4, (LAST,)).with_columns(
        volume=pl.when(pl.int_range(pl.len()) == LAST).then(1e14).otherwise("volume")
    )
    return [*made, feed("x0.4 on a volume that never was", loud, at(LAST), "spike", "split")]


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
        *of_factors(late),
        *of_volumes(late),
        feed("wick up by 27 %", put((LAST,), high=lambda c: c * 1.27), at(LAST), "spike"),
        feed("wick down by 20 %", put((LAST,), low=lambda c: c * 0.8), at(LAST), "spike"),
        feed("empty", TOLD.clear(), ALL),
        feed("holes", TOLD.filter(pl.int_range(pl.len()) % 3 > 0), at(*(n for n in range(20, N) if n % 3 == 0)), "gap"),
    ]  # fmt: skip


CORPUS = corpus()


async def decisions(engine: AsyncEngine, symbols: tuple[str, ...]) -> list[Decision]:
    """Every decision the kernel makes on what is stored."""
    policy = make_policy("fusion", {"entry_threshold": "0.05", "threshold": "0.5"}, account="t", currency="USD",
                         interval=D1, instruments={s: instrument_for(s) for s in symbols})  # fmt: skip
    frames = {s: await PostgresBars(engine).series(s, D1) for s in symbols}
    marks = {s: Background(sessions=CALENDAR, marks=await PostgresQuality(engine).marks(s, D1)) for s in symbols}
    kept: dict[str, Decision] = {}
    backtest(policy, frames, cash=Money(Decimal(100_000)), keep=lambda d: kept.update({d.id: d}), backgrounds=marks)
    return list(kept.values())
