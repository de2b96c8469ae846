"""Bars in one table, beside tables partitioned by interval and by time: does dividing pay?

Four shapes with the same columns and key are loaded with the same packed rows (daily bars of many symbols, minutes of
a few) and asked the same, in turns: the newest bars of one symbol, all daily bars by the walk along the key, a week of minutes
of all symbols, and the removal of the oldest fifth of the minutes. The best of the rounds, medians where many were asked.
"""

import asyncio
import shutil
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import asyncpg
import numpy as np
import polars as pl

from evil2root.adapters.postgres.bars_bulk import NAMED, copied
from evil2root.adapters.postgres.connection import connected
from evil2root.adapters.postgres.embedded import start
from evil2root.adapters.postgres.migrate import upgrade
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.history import STORED_SCHEMA, History

DAILY, DAYS, BY_MINUTE, MINUTES, ROUNDS, ASKED = 500, 2_520, 20, 60_000, 2, 200
FIRST_MINUTE = datetime(2024, 1, 1, tzinfo=UTC)
CUT = FIRST_MINUTE + timedelta(minutes=MINUTES // 5)

KEY = "PRIMARY KEY (symbol, interval, opened_at)"
COLUMNS = "(LIKE bars INCLUDING DEFAULTS)"
SHAPES = {
    "one table": f"CREATE TABLE shaped {COLUMNS}; ALTER TABLE shaped ADD {KEY}",
    "one table and BRIN": f"CREATE TABLE shaped {COLUMNS}; ALTER TABLE shaped ADD {KEY}; "
    "CREATE INDEX shaped_brin ON shaped USING brin (opened_at)",
    "by interval": f"CREATE TABLE shaped {COLUMNS} PARTITION BY LIST (interval); ALTER TABLE shaped ADD {KEY}; "
    "CREATE TABLE shaped_d PARTITION OF shaped FOR VALUES IN ('1d'); CREATE TABLE shaped_m PARTITION OF shaped DEFAULT",
    "by interval and month": f"CREATE TABLE shaped {COLUMNS} PARTITION BY LIST (interval); ALTER TABLE shaped ADD {KEY}; "
    "CREATE TABLE shaped_d PARTITION OF shaped FOR VALUES IN ('1d'); "
    "CREATE TABLE shaped_m PARTITION OF shaped FOR VALUES IN ('1m') PARTITION BY RANGE (opened_at); "
    + "; ".join(
        f"CREATE TABLE shaped_m{month} PARTITION OF shaped_m FOR VALUES FROM ('2024-0{month}-01Z') TO ('2024-0{month + 1}-01Z')"
        for month in range(1, 6)
    ),
}
NEWEST = (
    "SELECT * FROM (SELECT * FROM shaped WHERE symbol = $1 AND interval = $2 AND opened_at >= $3 AND opened_at < $4 "
    "AND closed_at <= $4 ORDER BY opened_at DESC LIMIT 500) AS newest ORDER BY opened_at"
)
ALL = (
    "SELECT place, own.* FROM unnest($1::text[]) WITH ORDINALITY AS asked (symbol, place), LATERAL (SELECT * FROM shaped b "
    "WHERE b.symbol = asked.symbol AND interval = $2 ORDER BY opened_at OFFSET 0) AS own"
)
WEEK = "SELECT sum(volume) FROM shaped WHERE interval = '1m' AND opened_at >= $1 AND opened_at < $2"
EARLIEST, LATEST = datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)


def histories() -> list[History]:
    """Seeded walks."""
    numbers, made = np.random.default_rng(7), []
    for interval, symbols, bars, step, first in (
        (Interval.D1, DAILY, DAYS, timedelta(days=1), datetime(2010, 1, 1, 14, 30, tzinfo=UTC)),
        (Interval.M1, BY_MINUTE, MINUTES, timedelta(minutes=1), FIRST_MINUTE),
    ):
        opened = pl.datetime_range(first, first + step * (bars - 1), step, eager=True, time_unit="us")
        for number in range(symbols):
            close = 100 * np.exp(np.cumsum(numbers.normal(0, 0.01, bars)).clip(-3, 3))
            stored = pl.DataFrame(
                {"opened_at": opened, "closed_at": opened + step / 2, "open": close, "high": close * 1.01,
                 "low": close * 0.99, "close": close, "volume": np.full(bars, 1e6), "factor": np.ones(bars)},
                schema=STORED_SCHEMA,
            )  # fmt: skip
            made.append(History(symbol=f"S{number:03}", interval=interval, stored=stored, origin="a benchmark"))
    return made


async def took(work: Callable[[], Awaitable[object]]) -> float:
    began = time.perf_counter()
    await work()
    return time.perf_counter() - began


async def shape(raw: "asyncpg.Connection[Any]", made: str, packed: list[bytes]) -> dict[str, float]:
    async def load() -> None:
        async def pieces() -> Any:
            for piece in packed:
                yield piece

        await raw.copy_to_table("shaped", source=pieces(), columns=NAMED, format="binary")

    await raw.execute("DROP TABLE IF EXISTS shaped CASCADE")
    await raw.execute(made)
    await raw.execute("CHECKPOINT")
    loaded = await took(load)
    await raw.execute("VACUUM ANALYZE shaped")
    numbers = np.random.default_rng(11)
    asked: dict[str, list[float]] = {"1d": [], "1m": []}
    for interval, symbols in (("1d", DAILY), ("1m", BY_MINUTE)):
        for _ in range(ASKED):
            symbol = f"S{numbers.integers(symbols):03}"
            asked[interval].append(await took(partial(raw.fetch, NEWEST, symbol, interval, EARLIEST, LATEST)))
    names = [f"S{number:03}" for number in range(DAILY)]

    async def swallow(_: bytes) -> None: ...

    everything = [
        await took(lambda: raw.copy_from_query(ALL, names, "1d", output=swallow, format="binary")) for _ in range(3)
    ]
    week = [await took(lambda: raw.fetchval(WEEK, CUT, CUT + timedelta(days=7))) for _ in range(5)]
    size = await raw.fetchval(
        "SELECT sum(pg_total_relation_size(relid)) FROM pg_partition_tree('shaped')"
    ) or await raw.fetchval("SELECT pg_total_relation_size('shaped')")
    removal = await took(lambda: raw.execute("DELETE FROM shaped WHERE interval = '1m' AND opened_at < $1", CUT))
    return {
        "load, s": loaded, "newest 500 of a day's, ms": statistics.median(asked["1d"]) * 1e3,
        "newest 500 of minutes, ms": statistics.median(asked["1m"]) * 1e3, "all daily bars, s": min(everything),
        "a week of all minutes, ms": min(week) * 1e3, "remove a fifth of minutes, s": removal, "size, MiB": float(size) / 2**20,
    }  # fmt: skip


async def measure(dsn: str) -> None:
    await upgrade(dsn)
    given = histories()
    packed = [piece async for piece in copied([(history, history.stored) for history in given])]
    found: dict[str, dict[str, float]] = {}
    async with connected(dsn) as raw:
        await raw.execute("SET search_path TO evil2root")
        for name, made in [*SHAPES.items()] * ROUNDS:
            told = await shape(raw, made, packed)
            before = found.setdefault(name, told)
            found[name] = {what: min(value, before[what]) for what, value in told.items()}
            plan = await raw.fetch(f"EXPLAIN {NEWEST}", "S003", "1m", EARLIEST, LATEST)
            print(f"{name}\n" + "\n".join(f"  {line[0]}" for line in plan[:9]), flush=True)
    print(f"\n{DAILY * DAYS + BY_MINUTE * MINUTES:,} bars{'':19}" + "".join(f"{name:>24}" for name in found))
    for what in next(iter(found.values())):
        print(f"{what:32}" + "".join(f"{values[what]:24.2f}" for values in found.values()))


def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="e2r-bench-"))
    server, running = start(folder)
    try:
        asyncio.run(measure(running.dsn))
    finally:
        server.stop()
        shutil.rmtree(folder)


if __name__ == "__main__":
    main()
