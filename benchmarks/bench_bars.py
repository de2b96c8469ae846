"""Stored bars beside what PostgreSQL itself takes: loading, reading all, reading the newest of one symbol.

The floors are measured in the same run: a bare binary COPY of packed bytes into a table made like `bars`, keys and all,
and a bare binary COPY TO into nothing. Best of three; the newest bars: median of 200, out of 5 million rows.
"""

import asyncio
import shutil
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import numpy as np
import polars as pl
from sqlalchemy.ext.asyncio import AsyncEngine

from evil2root.adapters.postgres.bars import EARLIEST, LATEST, SELECT, PostgresBars
from evil2root.adapters.postgres.bars_bulk import NAMED, BulkBars, copied
from evil2root.adapters.postgres.connection import connected
from evil2root.adapters.postgres.embedded import start
from evil2root.adapters.postgres.engine import make_engine
from evil2root.adapters.postgres.migrate import upgrade
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.history import STORED_SCHEMA, History

SYMBOLS, BARS, ROUNDS = 500, 2_520, 3
FILLED_BARS, NEWEST, ASKED = 10_000, 500, 200


def histories(bars: int, *, changed: bool = False) -> list[History]:
    """Seeded walks on a daily grid."""
    generator = np.random.default_rng(7)
    opened = [datetime(1990, 1, 1, 14, 30, tzinfo=UTC) + timedelta(days=n) for n in range(bars)]
    times = pl.DataFrame({"opened_at": opened, "closed_at": [at + timedelta(hours=6.5) for at in opened]})
    made = []
    for number in range(SYMBOLS):
        close = 100 * np.exp(np.cumsum(generator.normal(0, 0.01, bars))) + (0.001 if changed else 0)
        columns = {"open": close, "high": close * 1.01, "low": close * 0.99, "close": close}
        stored = times.with_columns(
            **{k: pl.Series(v) for k, v in columns.items()}, volume=pl.lit(1e6), factor=pl.lit(1.0)
        )
        made.append(
            History(symbol=f"S{number:03}", interval=Interval.D1, stored=stored.select(STORED_SCHEMA.names())
                    .cast(STORED_SCHEMA), origin="a benchmark")
        )  # fmt: skip
    return made


async def seconds(work: Callable[[], Awaitable[object]]) -> float:
    began = time.perf_counter()
    await work()
    return time.perf_counter() - began


async def best_load(raw: "asyncpg.Connection[Any]", table: str, work: Callable[[], Awaitable[object]]) -> float:
    taken = []
    for _ in range(ROUNDS):
        await raw.execute(f"TRUNCATE {table}")
        await raw.execute("CHECKPOINT")
        taken.append(await seconds(work))
    return min(taken)


async def loads(raw: "asyncpg.Connection[Any]", bulk: BulkBars, given: list[History]) -> dict[str, tuple[float, float]]:
    """Loading, with the table empty; again; and one new bar a symbol."""
    await raw.execute("CREATE TABLE bare (LIKE bars INCLUDING ALL)")
    packed = [piece async for piece in copied([(history, history.stored) for history in given])]

    async def bare() -> None:
        async def pieces() -> Any:
            for piece in packed:
                yield piece

        await raw.copy_to_table("bare", source=pieces(), columns=NAMED, format="binary")

    floor = await best_load(raw, "bare", bare)
    ours = await best_load(raw, "bars", lambda: bulk.load(given))
    await raw.execute("DROP TABLE bare")
    again = await seconds(lambda: bulk.load(given, replace=True))
    return {"load 1,260,000 bars": (ours, floor), "the same bars again": (again, floor)}


async def reads(raw: "asyncpg.Connection[Any]", bulk: BulkBars) -> tuple[float, float]:
    await raw.execute("VACUUM ANALYZE bars")

    async def swallow(_: bytes) -> None: ...

    async def bare() -> None:
        await raw.copy_from_table("bars", columns=NAMED, output=swallow, format="binary")

    names = [f"S{number:03}" for number in range(SYMBOLS)]
    floor = min([await seconds(bare) for _ in range(ROUNDS)])
    ours = min([await seconds(lambda: bulk.table(names, Interval.D1)) for _ in range(ROUNDS)])
    return ours, floor


async def newest(raw: "asyncpg.Connection[Any]", engine: AsyncEngine) -> None:
    """Fill up to 5 million rows and ask for the newest bars of symbols taken at random."""
    await raw.execute("TRUNCATE bars")
    given = histories(FILLED_BARS)
    for place in range(0, SYMBOLS, 100):
        await BulkBars(engine).load(given[place : place + 100])
    del given
    await raw.execute("VACUUM ANALYZE bars")
    rows = await raw.fetchval("SELECT count(*) FROM bars")
    store, generator, taken = PostgresBars(engine), np.random.default_rng(11), []
    for _ in range(ASKED):
        symbol = f"S{generator.integers(SYMBOLS):03}"
        taken.append(await seconds(lambda symbol=symbol: store.stored(symbol, Interval.D1, limit=NEWEST)))
    print(f"\nnewest {NEWEST} bars of one symbol out of {rows:,}: median {statistics.median(taken) * 1e3:.2f} ms, "
          f"p95 {sorted(taken)[int(ASKED * 0.95)] * 1e3:.2f} ms (at most 5 ms at the median)")  # fmt: skip
    plan = await raw.fetch(f"EXPLAIN (ANALYZE, BUFFERS) {SELECT}", "S123", "1d", EARLIEST, LATEST, NEWEST)
    print("\n".join(f"  {line[0]}" for line in plan))


async def measure(dsn: str) -> None:
    await upgrade(dsn)
    engine = make_engine(dsn)
    async with connected(dsn) as raw:
        await raw.execute("SET search_path TO evil2root")
        given, bulk = histories(BARS), BulkBars(engine)
        found = await loads(raw, bulk, given)
        found["read all of them into polars"] = await reads(raw, bulk)
        print(f"{'':32}{'ours, s':>10}{'bare COPY, s':>14}{'times':>8}")
        for name, (ours, floor) in found.items():
            print(f"{name:32}{ours:10.2f}{floor:14.2f}{ours / floor:8.2f}")
        await newest(raw, engine)
    await engine.dispose()


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
