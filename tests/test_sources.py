"""The table of market-data providers, and what it makes of the settings."""

import asyncio
from dataclasses import replace
from pathlib import Path

import polars as pl
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from evil2root.adapters.calendars.exchange import ExchangeCalendars
from evil2root.adapters.market_data.packaged import packaged
from evil2root.adapters.postgres.bars import PostgresBars
from evil2root.adapters.system_clock import SystemClock
from evil2root.domain.core.timeframe import Interval
from evil2root.main import sources
from evil2root.main.failure import Failure
from evil2root.main.feeds import check_kept, present, watched
from evil2root.main.looking import providers
from evil2root.main.sources import PROVIDERS, opened_sources, stream_of
from evil2root.main.starting import begun
from evil2root.settings import Settings, SettingsProblem, load
from evil2root.settings.tree import LIVE_SOURCES, UNREAL_SOURCES
from tests.servers.alpaca_data import KEY, SECRET
from tests.servers.alpaca_stream import AlpacaStreamServer
from tests.servers.serving import served

KEYS = {"ALPACA__API_KEY": "k", "ALPACA__API_SECRET": "s", "TIINGO__API_KEY": "t"}


def read(**values: str) -> Settings:
    return load(environment={f"EVIL2ROOT_{name}": value for name, value in values.items()}, folder=Path("/nowhere"))


class TestTheTable:
    def test_has_what_the_settings_say_is_built(self) -> None:
        assert {*PROVIDERS, "replay"} == {*LIVE_SOURCES, *UNREAL_SOURCES}

    async def test_makes_the_named_sources_in_their_order(self, tmp_path: Path) -> None:
        settings = read(MARKET_DATA="folder", FOLDER__PATH=str(tmp_path))

        async with opened_sources(settings, clock=SystemClock(), calendars=ExchangeCalendars()) as live:
            assert live.sources.name == "folder"
            assert live.stream is None

    @pytest.mark.parametrize(
        ("named", "stream"), [("yfinance,alpaca", "yfinance"), ("tiingo,alpaca", "alpaca"), ("tiingo", None)]
    )
    def test_listens_to_the_first_source_that_has_a_stream(self, named: str, stream: str | None) -> None:
        settings = read(
            MARKET_DATA=named, ALPACA__API_KEY="k", ALPACA__API_SECRET="s", TIINGO__API_KEY="t", ALPACA__FEED="iex"
        )

        found = stream_of(settings, clock=SystemClock(), calendars=ExchangeCalendars())

        assert (None if found is None else found.name) == stream

    async def test_a_feed_of_the_present_listens_for_its_symbols(self, engine: AsyncEngine) -> None:
        server, clock, calendars = AlpacaStreamServer(), SystemClock(), ExchangeCalendars()
        async with served(server) as address:
            settings = read(
                MARKET_DATA="alpaca", ALPACA__API_KEY=KEY, ALPACA__API_SECRET=SECRET, ALPACA__DATA_URL=address,
                ALPACA__FEED="iex", WATCHLIST="AAPL,BTC-USD",
            )  # fmt: skip
            async with opened_sources(settings, clock=clock, calendars=calendars) as live:
                market = present(settings, engine, live, calendars)
                assert market.listen is not None
                listening = asyncio.ensure_future(market.listen())
                async with asyncio.timeout(20):
                    await server.subscribed.wait()
                listening.cancel()

        assert server.asked[0]["bars"] == ["AAPL"]  # coins are told elsewhere

    async def test_says_what_a_source_lacks(self) -> None:
        with pytest.raises(SettingsProblem, match=r"MARKET_DATA names folder\. EVIL2ROOT_FOLDER__PATH is not set"):
            async with opened_sources(read(MARKET_DATA="folder"), clock=SystemClock(), calendars=ExchangeCalendars()):
                pass

    def test_a_start_that_lacks_something_ends_before_it_starts_a_database(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("EVIL2ROOT_DATA_DIR", str(tmp_path / "data"))
        monkeypatch.setenv("EVIL2ROOT_MARKET_DATA", "tiingo")

        with pytest.raises(Failure, match="EVIL2ROOT_TIINGO__API_KEY is not set"), begun({}, port=0, say=print):
            pass

        assert not (tmp_path / "data").exists()

    def test_a_start_whose_package_is_not_installed_ends_as_early(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("EVIL2ROOT_DATA_DIR", str(tmp_path / "data"))
        monkeypatch.setenv("EVIL2ROOT_MARKET_DATA", "yfinance")
        monkeypatch.setattr(sources, "find_spec", lambda _: None)

        with pytest.raises(Failure, match="setup --with yfinance"), begun({}, port=0, say=print):
            pass

        assert not (tmp_path / "data").exists()


class TestTheDoctor:
    async def test_says_a_line_of_a_source_that_answers(self) -> None:
        (found,) = await providers(read(MARKET_DATA="simulated", WATCHLIST="BTC-USD", INTERVAL="1h"))

        assert (found.part, found.state) == ("simulated", "ok")
        assert found.says.startswith("reachable, 5 1h bars of BTC-USD in ")

    async def test_says_what_setting_is_missing_and_that_nobody_answers(self) -> None:
        one, all_of_them = await providers(read(MARKET_DATA="tiingo", WATCHLIST="AAPL"))

        assert (one.state, all_of_them.state) == ("!", "x")
        assert "EVIL2ROOT_TIINGO__API_KEY is not set" in one.says

    async def test_says_why_a_source_is_not_to_be_had(self, tmp_path: Path) -> None:
        gone = tmp_path / "gone"

        one, _ = await providers(read(MARKET_DATA="folder", FOLDER__PATH=str(gone), WATCHLIST="AAPL"))

        assert (one.part, one.state) == ("folder", "!")
        assert "is no folder, or is away" in one.says


class TestWhoIsWatched:
    def test_is_the_folders_files_by_default(self, tmp_path: Path) -> None:
        for name in ("MSFT_1d.csv", "AAPL_1d.parquet", "IBM_1h.csv", "notes.txt"):
            (tmp_path / name).touch()

        assert watched(read(MARKET_DATA="folder", FOLDER__PATH=str(tmp_path))) == ("AAPL", "MSFT")

    def test_is_named_in_the_settings_with_the_pairs_that_only_tell_rates(self) -> None:
        assert watched(read(MARKET_DATA="simulated", WATCHLIST="SAP.DE", RATES="EURUSD=X")) == ("SAP.DE", "EURUSD=X")

    def test_without_a_watchlist_the_present_is_not_asked_for_a_name_that_is_gone(self) -> None:
        assert watched(read(MARKET_DATA="yfinance")) == ("AAPL", "GOOG", "IBM", "MSFT")

    @pytest.mark.parametrize(
        ("named", "interval", "example"),
        [("ccxt:binance", "1d", "BTC-USDT,ETH-USDT"), ("alpaca", "1h", "AAPL,MSFT"), ("tiingo", "1h", "AAPL,MSFT")],
    )
    def test_has_to_be_named_where_no_source_tells_of_the_usual_symbols(
        self, named: str, interval: str, example: str
    ) -> None:
        with pytest.raises(Failure, match=f"{named} tells of none of the usual {interval} .*WATCHLIST={example}"):
            watched(read(MARKET_DATA=named, INTERVAL=interval, **KEYS))

    def test_need_not_be_named_where_one_of_the_sources_tells_of_them(self) -> None:
        assert watched(read(MARKET_DATA="ccxt:binance,yfinance", INTERVAL="1h")) == ("EURUSD=X",)
        assert watched(read(MARKET_DATA="ccxt:binance", WATCHLIST="BTC-USDT")) == ("BTC-USDT",)

    def test_a_start_that_would_watch_nothing_ends_before_it_starts_a_database(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("EVIL2ROOT_DATA_DIR", str(tmp_path / "data"))
        monkeypatch.setenv("EVIL2ROOT_MARKET_DATA", "ccxt:binance")

        with pytest.raises(Failure, match="WATCHLIST is not set"), begun({}, port=0, say=print):
            pass

        assert not (tmp_path / "data").exists()


@pytest.mark.postgres
class TestWhatIsKept:
    async def test_real_bars_are_not_gone_on_with_by_invented_ones_nor_the_other_way_round(
        self, engine: AsyncEngine
    ) -> None:
        simulated, yahoo = (read(MARKET_DATA=name, WATCHLIST="AAPL") for name in ("simulated", "yfinance"))
        history = packaged(Interval.D1)["AAPL"]
        await PostgresBars(engine).add(history)
        with pytest.raises(Failure, match="real prices are not gone on with by invented ones"):
            await check_kept(simulated, engine)
        await check_kept(yahoo, engine)

        await PostgresBars(engine).add(replace(history, stored=history.stored.with_columns(close=pl.col("open"))),
                                       source="simulated", replace=True)  # fmt: skip

        with pytest.raises(Failure, match="invented prices are not gone on with by real ones"):
            await check_kept(yahoo, engine)
        await check_kept(simulated, engine)
