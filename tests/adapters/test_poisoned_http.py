"""The corpus of poisoned feeds, and answers that are none, from servers, through the adapters, into the store."""

import json
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import polars as pl
import pytest
from pydantic import SecretStr
from sqlalchemy.ext.asyncio import AsyncEngine

from evil2root.adapters.calendars.exchange import ExchangeCalendars
from evil2root.adapters.market_data.alpaca import AlpacaSource
from evil2root.adapters.market_data.tiingo import TiingoSource
from evil2root.adapters.market_data.wire import Bounds
from evil2root.adapters.postgres.bars import PostgresBars
from evil2root.adapters.postgres.intake import PostgresShelf
from evil2root.adapters.postgres.quality import PostgresQuality
from evil2root.domain.core.instrument import instrument_for
from evil2root.domain.market.bars import BarsUnavailable
from evil2root.domain.market.history import History
from evil2root.domain.market.report import series_quality
from evil2root.domain.market.sources import BarSource
from evil2root.engine.asking import Manners
from evil2root.engine.fail_over import FailOver, Plan
from evil2root.engine.gathering import Gatherer
from tests.adapters.poison import CALENDAR, CORPUS, D1, NOW, OTHER, REAL, STORED, TOLD, Feed, decisions
from tests.fakes.sources import SteppedClock
from tests.servers import alpaca_data, tiingo
from tests.servers.faults import BOMB_BYTES, KINDS
from tests.servers.serving import served

pytestmark = pytest.mark.postgres

CALENDARS = ExchangeCalendars()
START = TOLD["opened_at"][0]
CONTROL = "GOOG"
PATIENT = Manners(requests_a_minute=100_000, tries=1, failures_max=1_000, timeout=timedelta(minutes=2))
"""So that a source with so many faults is not left alone: each of them is to be looked at."""
BOUNDS = Bounds(connect_s=60, read_s=60, total_s=60)
"""A machine that is busy is no poison."""
PEAK_MOST = 48 * 2**20
"""Bytes: twelve times the longest body. A bomb that went off would be five times that."""

FEEDS = [one for one in CORPUS if not one.more and not one.name.startswith("factor ")]
"""What Alpaca can be made to tell: it names no currency, and factors come from a second question."""
OF_VALUES = [one for one in FEEDS if one.rows["opened_at"].equals(TOLD["opened_at"])]
"""What is wrong with numbers only: Tiingo names days, not times."""

BODIES = {
    "columns in place of rows": '{"bars": {"%s": {"t": ["2013-01-02T14:30:00Z"], "c": [1]}}, "next_page_token": null}',
    "a list in place of symbols": '{"bars": [{"t": "2013-01-02T14:30:00Z"}], "next_page_token": null}',
    "another symbol": '{"bars": {"MSFT": []}, "next_page_token": null}',
    "one more symbol": '{"bars": {"%s": [], "MSFT": []}, "next_page_token": null}',
    "a number in place of bars": '{"bars": {"%s": 7}, "next_page_token": null}',
    "a number in place of the next page": '{"bars": {"%s": []}, "next_page_token": 7}',
    "two documents": '{"bars": {}, "next_page_token": null}{"bars": {}}',
    "a comment": '{"bars": {} /* none */, "next_page_token": null}',
    "a page that leads to itself": '{"bars": {"%s": []}, "next_page_token": "again"}',
    "script": "while(1);{}",
}
RENAMED = (
    '{"bars": {"%s": ['
    + '{"time": "2013-01-02T14:30:00Z", "close": 200.0},' * 19
    + '{"T": 0}]}, "next_page_token": null}'
)


def written(one: Feed) -> tuple[list[Any], list[Any]]:
    """Write a feed as Alpaca tells it, raw and adjusted."""
    raw, whole = [], []
    for row in one.rows.iter_rows(named=True):
        at: datetime | None = row["opened_at"]
        made = {"t": None if at is None else at.isoformat(), "o": row["open"], "h": row["high"], "l": row["low"],
                "c": row["close"], "v": row["volume"]}  # fmt: skip
        raw.append(made)
        whole.append(made | {"c": None if row["close"] is None else row["close"] * row["factor"]})
    return raw, whole


def days(one: Feed) -> list[Any]:
    """Write a feed as Tiingo tells it."""
    return [
        {"date": f"{row['opened_at'].date()}T00:00:00.000Z", "adjClose": None if row["close"] is None else row["close"] * row["factor"],
         "divCash": 0.0, "splitFactor": 1.0, **{name: row[name] for name in ("open", "high", "low", "close", "volume")}}
        for row in one.rows.iter_rows(named=True)
    ]  # fmt: skip


def gatherer(engine: AsyncEngine, source: BarSource) -> Gatherer:
    clock = SteppedClock(NOW)
    teller = FailOver([source], clock=clock, plan=Plan(manners={source.name: PATIENT}))
    return Gatherer(teller=teller, calendars=CALENDARS, shelf=PostgresShelf(engine))


async def gathered(engine: AsyncEngine, source: BarSource, symbol: str, before: pl.DataFrame = STORED) -> None:
    await PostgresBars(engine).add(History(symbol=symbol, interval=D1, stored=before, origin="before"))
    await gatherer(engine, source).gather(instrument_for(symbol), D1, start=START, end=NOW)


async def astray(engine: AsyncEngine, symbol: str, one: Feed) -> list[Any]:
    """Return what should not be stored, or not go unnamed."""
    truth = dict(zip(REAL["opened_at"], REAL["close"] * REAL["factor"], strict=True))
    stored = await PostgresBars(engine).series(symbol, D1)
    wrong: list[Any] = [
        (one.name, opened, close)
        for opened, close in zip(stored["opened_at"], stored["close"], strict=True)
        if opened in one.poisoned or (abs(close / truth[opened] - 1) > 1e-9 and one.name != "shuffled prices")
    ]
    history = History(symbol=symbol, interval=D1, stored=await PostgresBars(engine).stored(symbol, D1), origin="")
    found = await PostgresQuality(engine).issues(symbol, D1)
    kinds = {issue.kind for issue in series_quality(history, sessions=CALENDAR, found=found).issues}
    return wrong + ([] if not one.kinds or kinds & one.kinds else [(one.name, "not named", kinds)])


@asynccontextmanager
async def alpaca() -> AsyncIterator[tuple[alpaca_data.AlpacaData, AlpacaSource]]:
    server = alpaca_data.AlpacaData()
    server.tells_all = True
    async with served(server) as address:
        source = AlpacaSource(address, SecretStr(alpaca_data.KEY), SecretStr(alpaca_data.SECRET), clock=SteppedClock(NOW),
                              calendars=CALENDARS, bounds=BOUNDS)  # fmt: skip
        control = Feed(name="control", rows=OTHER.tail(80), poisoned=frozenset(), kinds=frozenset())
        raw, whole = written(control)
        server.put(CONTROL, "1Day", raw, whole=whole)
        yield server, source
        await source.close()


SPOILT = {"wrong symbol", "x100 today", "all prices nan"}
"""Feeds beside which another symbol is decided on."""


def test_there_are_sixty_feeds_and_more_of_different_names() -> None:
    names = [*(one.name for one in FEEDS), *(f"answer: {kind}" for kind in (*KINDS, *BODIES)), "renamed fields"]

    assert len(set(names)) == len(names) >= 90
    assert len(FEEDS) >= 60
    assert len(OF_VALUES) >= 45


@pytest.mark.parametrize("step", [4, pytest.param(1, marks=pytest.mark.long)])
async def test_nothing_poisoned_from_alpaca_is_believed_and_each_feed_is_named(engine: AsyncEngine, step: int) -> None:
    wrong: list[Any] = []
    chosen = [(n, one) for n, one in enumerate(FEEDS) if n % step == 0 or one.name in SPOILT]
    async with alpaca() as (server, source):
        for number, one in chosen:
            raw, whole = written(one)
            server.put(f"P{number}", "1Day", raw, whole=whole)
            await gathered(engine, source, f"P{number}")
            wrong += await astray(engine, f"P{number}", one)
        await gathered(engine, source, CONTROL, OTHER.head(STORED.height))

    assert wrong == []
    control = await PostgresBars(engine).series(CONTROL, D1)
    assert control["close"].to_list() == pytest.approx((OTHER["close"] * OTHER["factor"]).to_list())
    alone = await decisions(engine, (CONTROL,))
    spoilt = [number for number, one in chosen if one.name in SPOILT]
    assert len(spoilt) == len(SPOILT)
    beside = await decisions(engine, (CONTROL, *(f"P{number}" for number in spoilt)))
    seen = [(d.at, d.features, d.view, d.passport) for d in beside if d.symbol == CONTROL]
    assert seen == [(d.at, d.features, d.view, d.passport) for d in alone]
    poisoned = {f"P{number}": FEEDS[number].poisoned for number in spoilt}
    assert not [d for d in beside if d.bar.opened_at in poisoned.get(d.symbol, frozenset())]


async def test_nothing_poisoned_from_tiingo_is_believed_and_each_feed_is_named(engine: AsyncEngine) -> None:
    wrong: list[Any] = []
    server = tiingo.TiingoServer()
    async with served(server) as address:
        source = TiingoSource(
            address, SecretStr(tiingo.KEY), clock=SteppedClock(NOW), calendars=CALENDARS, bounds=BOUNDS
        )
        for number, one in enumerate(OF_VALUES):
            server.days[f"P{number}"] = days(one)
            await gathered(engine, source, f"P{number}")
            wrong += await astray(engine, f"P{number}", one)
        await source.close()

    assert wrong == []


async def test_answers_that_are_none_store_nothing_say_why_and_leave_the_control_alone(engine: AsyncEngine) -> None:
    async with alpaca() as (server, source):
        await PostgresBars(engine).add(History(symbol="IBM", interval=D1, stored=STORED, origin="before"))
        asking = gatherer(engine, source)
        said: dict[str, str] = {}
        tracemalloc.start()
        for kind in (*KINDS, *BODIES):
            server.instead["IBM"] = BODIES[kind].replace("%s", "IBM") if kind in BODIES else kind
            source._wire.bounds = Bounds(total_s=0.3) if kind == "drip" else BOUNDS
            with pytest.raises(BarsUnavailable) as caught:
                await asking.gather(instrument_for("IBM"), D1, start=START, end=NOW)
            said[kind] = str(caught.value)
            if kind in {"busy", "banned"}:
                asking = gatherer(engine, source)  # who wants to be asked less is left alone
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        await gathered(engine, source, CONTROL, OTHER.head(STORED.height))

    assert [kind for kind, words in said.items() if "alpaca: " not in words or len(words) > 600] == []
    assert "left alone" not in "".join(said.values())
    found = await PostgresQuality(engine).issues("IBM", D1)
    assert {issue.kind for issue in found} == {"silent", "unreadable"}, "answers that brought no rows are named"
    assert all(issue.detail.startswith("alpaca: ") and issue.rows > 0 for issue in found)
    assert len(found) < 10, "and not each time"
    assert (await PostgresBars(engine).stored("IBM", D1)).equals(STORED.sort("opened_at"))
    assert (await PostgresBars(engine).stored(CONTROL, D1)).height == OTHER.height
    assert server.faults.sent_bytes < BOMB_BYTES // 10
    assert peak < PEAK_MOST


async def test_fields_that_were_renamed_leave_rows_that_nobody_believes(engine: AsyncEngine) -> None:
    async with alpaca() as (server, source):
        server.instead["IBM"] = json.dumps(json.loads(RENAMED.replace("%s", "IBM")))
        await gathered(engine, source, "IBM")

    assert (await PostgresBars(engine).stored("IBM", D1)).height == STORED.height
    found = [(issue.kind, issue.rows, issue.action) for issue in await PostgresQuality(engine).issues("IBM", D1)]
    assert found == [("bad_value", 20, "quarantined")]
