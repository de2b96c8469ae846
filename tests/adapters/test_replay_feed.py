"""The replay feed: recorded bars told in order, once, from where it stopped, at the asked speed."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from evil2root.adapters.market_data.replay import WARM_UP_BARS, ReplayFeed, load_histories
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.bars import BarsUnavailable
from evil2root.domain.market.history import STORED_SCHEMA, History
from evil2root.domain.market.sources import BarGroup

START = datetime(2024, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def a_history(symbol: str = "BTC-USD", *, hours: Sequence[int] = range(6), factor: float = 1.0) -> History:
    opened = [START + timedelta(hours=hour) for hour in hours]
    price = [100.0 + hour for hour in hours]
    table = {
        "opened_at": opened, "closed_at": [at + timedelta(hours=1) for at in opened], "open": price,
        "high": [p + 1 for p in price], "low": [p - 1 for p in price], "close": price, "volume": [50.0] * len(price),
        "factor": [factor] * len(price),
    }  # fmt: skip
    return History(
        symbol=symbol,
        interval=Interval.H1,
        stored=pl.DataFrame(table, schema=STORED_SCHEMA),
        origin=f"made for {symbol}",
    )


def a_feed(*histories: History, speed: float = 0.0, loop: bool = False) -> ReplayFeed:
    return ReplayFeed({h.symbol: h for h in histories}, speed=speed, loop=loop)


async def told(feed: ReplayFeed, *, after: datetime | None = START, most: int = 1_000_000) -> list[BarGroup]:
    groups: list[BarGroup] = []
    async for group in feed.groups(after):
        groups.append(group)
        if len(groups) == most:
            break
    return groups


def hour(number: int) -> datetime:
    return START + timedelta(hours=number)


class TestGroups:
    async def test_hold_what_closes_together_in_the_watchlist_s_order(self) -> None:
        feed = a_feed(a_history("ETH-USD", hours=[1, 2, 3]), a_history("BTC-USD", hours=[0, 1, 3, 4]))

        groups = await told(feed)

        assert [(g.closed_at, [b.symbol for b in g.bars]) for g in groups] == [
            (hour(1), ["BTC-USD"]),
            (hour(2), ["ETH-USD", "BTC-USD"]),
            (hour(3), ["ETH-USD"]),
            (hour(4), ["ETH-USD", "BTC-USD"]),
            (hour(5), ["BTC-USD"]),
        ]

    async def test_go_on_after_the_cursor_without_a_gap_or_a_repeat(self) -> None:
        feed = a_feed(a_history(hours=range(10)))
        whole = await told(feed)

        for stopped in range(1, 10):
            first = await told(feed, most=stopped)
            assert first + await told(feed, after=first[-1].closed_at) == whole

    async def test_carry_adjusted_prices(self) -> None:
        (group, *_) = await told(a_feed(a_history(factor=0.25)))

        assert (group.bars[0].open, group.bars[0].volume) == (25.0, 200.0)

    async def test_end_when_history_does(self) -> None:
        feed = a_feed(a_history())

        assert await told(feed, after=hour(6)) == []
        assert feed.total(hour(6)) == 0

    async def test_of_a_loop_never_share_a_time_and_keep_their_weekday(self) -> None:
        kept: list[tuple[datetime, int]] = []

        async def keep(histories: Sequence[History]) -> None:
            kept.extend((h.stored["opened_at"][0], h.stored.height) for h in histories)

        feed = ReplayFeed({"BTC-USD": a_history(hours=range(200))}, speed=0, loop=True, keep=keep)

        groups = await told(feed, most=450)

        times = [group.closed_at for group in groups]
        assert times == sorted(set(times))
        assert times[200] == times[0] + feed.round_length
        assert times[200].weekday() == times[0].weekday()
        assert groups[200].bars[0].close == groups[0].bars[0].close
        assert kept == [(START + feed.round_length, 200), (START + 2 * feed.round_length, 200)]
        assert await told(feed, after=times[250], most=100) == groups[251:351]
        assert feed.total() is None


class TestPace:
    async def test_is_bars_a_second_for_each_symbol(self) -> None:
        loop = asyncio.get_running_loop()
        apart = a_feed(
            a_history("BTC-USD", hours=range(0, 10, 2)), a_history("ETH-USD", hours=range(1, 11, 2)), speed=50
        )

        began = loop.time()
        await told(apart)

        # Five bars of each: four waits of 20 ms, however many symbols there are.
        assert 0.08 <= loop.time() - began < 0.6

    async def test_lets_the_rest_of_the_program_run_however_fast(self) -> None:
        ticks = 0

        async def tick() -> None:
            nonlocal ticks
            while True:
                ticks += 1
                await asyncio.sleep(0)

        ticking = asyncio.create_task(tick())
        await told(a_feed(a_history(hours=range(100))))
        ticking.cancel()

        assert ticks >= 100

    async def test_stops_at_once_when_cancelled(self) -> None:
        feed = a_feed(a_history(), speed=0.001)
        reading = asyncio.create_task(told(feed))
        await asyncio.sleep(0.01)

        reading.cancel()

        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(reading, timeout=1)


class TestStart:
    async def test_of_a_fresh_account_leaves_the_warm_up_to_history(self) -> None:
        feed = a_feed(a_history("BTC-USD", hours=range(700)), a_history("ETH-USD", hours=range(600, 700)))

        groups = await told(feed, after=None)

        assert feed.starts_after == hour(WARM_UP_BARS)
        assert groups[0].closed_at == hour(WARM_UP_BARS + 1)
        assert {s: frame.height for s, frame in feed.history(feed.starts_after).items()} == {
            "BTC-USD": WARM_UP_BARS,
            "ETH-USD": 0,
        }
        assert feed.total() == sum(len(group.bars) for group in groups) == 380 + 100

    async def test_tells_the_second_half_of_a_short_history(self) -> None:
        assert a_feed(a_history(hours=range(10))).starts_after == hour(5)
        assert len(await told(a_feed(a_history(hours=[0])), after=None)) == 1

    def test_needs_bars(self) -> None:
        with pytest.raises(BarsUnavailable, match="at least one bar"):
            a_feed()
        with pytest.raises(ValueError, match="speed is nan"):
            a_feed(a_history(), speed=float("nan"))

    def test_says_where_the_bars_come_from(self) -> None:
        assert a_feed(a_history()).origin == "BTC-USD: made for BTC-USD"


class TestLoading:
    def test_takes_every_packaged_symbol_or_the_watchlist_in_its_order(self) -> None:
        everything = load_histories(path=None, watchlist=(), interval=Interval.D1, now=NOW)
        chosen = load_histories(path=None, watchlist=("MSFT", "AAPL"), interval=Interval.D1, now=NOW)

        assert list(everything) == ["AAPL", "FB", "GOOG", "IBM", "MSFT"]
        assert list(chosen) == ["MSFT", "AAPL"]

    def test_names_what_the_history_has_not_got(self) -> None:
        with pytest.raises(BarsUnavailable, match="no 1d bars of TSLA; it has AAPL, FB, GOOG, IBM, MSFT"):
            load_histories(path=None, watchlist=("AAPL", "TSLA"), interval=Interval.D1, now=NOW)

    def test_reads_a_folder_of_one_s_own(self, tmp_path: Path) -> None:
        text = "time,open,high,low,close,volume\n2024-01-02T10:00:00Z,1,2,0.5,1.5,10\n"
        (tmp_path / "BTC-USD_1h.csv").write_text(text)
        (tmp_path / "EURUSD=X_1h.csv").write_text(text)
        (tmp_path / "AAPL_1d.csv").write_text("not looked at")
        (tmp_path / "notes.txt").write_text("neither")

        found = load_histories(path=tmp_path, watchlist=(), interval=Interval.H1, now=NOW)

        assert list(found) == ["BTC-USD", "EURUSD=X"]
