"""`evil2root data export --features` as a user starts it."""

import asyncio
import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from evil2root.adapters.market_data.files import write_parquet
from evil2root.adapters.market_data.packaged import packaged
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.around.registry import AROUND_HASH, AROUND_NAMES
from evil2root.domain.market.catalogue.measures import MEASURES
from evil2root.domain.market.catalogue.registry import CATALOGUE_HASH
from evil2root.domain.market.catalogue.states import STATES
from evil2root.domain.market.features import FEATURE_NAMES, FEATURES_HASH
from evil2root.domain.market.indicators import INDICATORS
from evil2root.domain.market.window import features_series
from tests.cli.cli_process import Ended, call, is_one_line
from tests.postgres_fixtures import quick_folder
from tests.servers.serving import served
from tests.servers.yahoo import YahooServer
from tests.servers.yahoo_charts import Listed

NOBODY = {"EVIL2ROOT_YFINANCE__BASE_URL": "http://127.0.0.1:9"}
EARNINGS = (
    "<html><table><thead><tr><th>Symbol</th><th>Company</th><th>Earnings Date</th><th>EPS Estimate</th>"
    "<th>Reported EPS</th><th>Surprise (%)</th></tr></thead><tbody><tr><td>AAPL</td><td>Apple</td>"
    "<td>April 24, 2012 at 4 PM EDT</td><td>1.5</td><td>1.65</td><td>2</td></tr></tbody></table></html>"
)
STORED = {"AAPL": "AAPL", "MSFT": "MSFT", "^GSPC": "IBM"}
"""Symbols, and whose recorded bars stand for them."""


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A data directory with two shares and an index."""
    folder = quick_folder()
    try:
        for symbol, recorded in STORED.items():
            file = tmp_path_factory.mktemp("bars") / "bars.parquet"
            write_parquet(packaged(Interval.D1)[recorded].stored, file)
            assert call(folder, "data", "import", str(file), "--symbol", symbol, "--interval", "1d").code == 0
        yield folder
    finally:
        shutil.rmtree(folder)


def export(data_dir: Path, *words: str) -> Ended:
    return call(data_dir, "data", "export", *words, "--interval", "1d", "--features", settings=NOBODY)


@pytest.mark.slow
def test_writes_every_feature_with_the_hashes_and_says_what_to_fetch(data_dir: Path, tmp_path: Path) -> None:
    done = export(data_dir, "AAPL", "MSFT", "-o", str(tmp_path / "out"), "--json")

    assert done.code == 0, done
    assert "company.unknown" in done.err  # logs are not among what is printed
    told = json.loads(done.out)
    hashes = {"features_hash": FEATURES_HASH, "catalogue_hash": CATALOGUE_HASH, "around_hash": AROUND_HASH}
    assert {name: told[name] for name in hashes} == hashes
    assert told["lacking"] == ["XLK", "^TNX", "^VIX"]
    assert told["fetch"] == "evil2root data fetch XLK '^TNX' '^VIX' --interval 1d --start 2000-03-01"
    assert [one["symbol"] for one in told["no_events"]] == ["AAPL", "MSFT"]
    file = tmp_path / "out" / "AAPL_1d.features.parquet"
    assert told["files"][0]["file"] == str(file)
    words = pl.read_parquet_metadata(file)
    assert {name: words[f"evil2root.{name}"] for name in hashes} == hashes
    assert json.loads(words["evil2root.universe"]) == ["AAPL", "MSFT"]


@pytest.mark.slow
def test_a_file_holds_the_features_of_the_windows_and_nulls_for_what_is_not_stored(
    data_dir: Path, tmp_path: Path
) -> None:
    file = tmp_path / "AAPL.parquet"

    done = export(data_dir, "AAPL", "-o", str(file))

    table, bars = pl.read_parquet(file), packaged(Interval.D1)["AAPL"].adjusted
    own = features_series(bars, indicators=(*INDICATORS, *MEASURES, *STATES))
    assert table.columns == [*own.columns, *AROUND_NAMES]
    assert {*FEATURE_NAMES, "yang_zhang_20", "amihud_20", "market_state"} <= {*own.columns}
    assert table.select(own.columns).equals(own)
    empty = {name for name in AROUND_NAMES if table[name].null_count() == table.height}
    assert {"vix", "rate", "sector_excess_5", "earnings_in_days", "rank_ret_5"} <= empty  # one symbol has no rank
    assert not {"index_beta_60", "session_part", "weekday"} & empty
    assert "To have them: evil2root data fetch XLK '^TNX' '^VIX' --interval 1d" in done.err
    assert "No company dates of AAPL: features of them are null." in done.err


@pytest.mark.slow
async def test_dates_of_a_company_count_from_when_they_were_known(data_dir: Path, tmp_path: Path) -> None:
    file, server = tmp_path / "AAPL.parquet", YahooServer()
    bar = (datetime(2012, 4, 24, 13, 30, tzinfo=UTC), 10.0, 11.0, 9.0, 10.5, 100.0)
    told: dict[str, Any] = {"summaryDetail": {"marketCap": 3e12}}
    server.listed["AAPL"] = Listed(bars={"1d": [bar]}, modules=told, earnings_page=EARNINGS)
    async with served(server) as address:
        words = ("data", "export", "AAPL", "--interval", "1d", "--features", "-o", str(file), "--json")
        done = await asyncio.to_thread(call, data_dir, *words, settings={"EVIL2ROOT_YFINANCE__BASE_URL": address})

    assert (json.loads(done.out)["events_from"], json.loads(done.out)["no_events"]) == ("yfinance", []), done.err
    table, announced = pl.read_parquet(file), datetime(2012, 4, 24, 20, tzinfo=UTC)
    since = table.select("closed_at", "earnings_since_bars", "earnings_in_days")
    before = since.filter(pl.col("closed_at") < announced)
    assert before["earnings_since_bars"].null_count() == before.height > 3_000
    assert since.filter(pl.col("closed_at") >= announced)["earnings_since_bars"].head(3).to_list() == [0.0, 1.0, 2.0]
    assert since["earnings_in_days"].null_count() == table.height  # nobody says when it was announced


@pytest.mark.slow
def test_without_a_provider_of_company_dates_it_says_which_setting_names_one(data_dir: Path, tmp_path: Path) -> None:
    words = ("data", "export", "AAPL", "--interval", "1d", "--features", "-o", str(tmp_path / "x.parquet"))

    done = call(data_dir, *words, settings={"EVIL2ROOT_MARKET_DATA": "replay"})

    assert done.code == 0
    assert "No company dates: features of them are null. Nobody is set" in done.err


@pytest.mark.slow
def test_refuses_several_symbols_in_one_file_and_symbols_without_bars(data_dir: Path, tmp_path: Path) -> None:
    one_file = export(data_dir, "AAPL", "MSFT", "-o", str(tmp_path / "both.parquet"))
    unknown = export(data_dir, "AAPL", "NOPE", "-o", str(tmp_path / "out"))

    assert (one_file.code, is_one_line(one_file)) == (2, True)
    assert "name a folder with -o" in one_file.err
    assert (unknown.code, is_one_line(unknown)) == (1, True)
    assert "There are no 1d bars of NOPE" in unknown.err
    assert list(tmp_path.iterdir()) == []
