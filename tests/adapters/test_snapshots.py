"""Files of series are believed only as far as the database and their own hash vouch for them."""

from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from sqlalchemy.ext.asyncio import AsyncEngine

from evil2root.adapters.postgres.bars import PostgresBars
from evil2root.adapters.postgres.snapshots import Snapshots
from evil2root.domain.core.timeframe import Interval
from tests.adapters.bar_histories import a_history, changed

pytestmark = pytest.mark.postgres

D1 = Interval.D1


def other_prices(path: Path) -> None:
    pl.read_parquet(path).with_columns(pl.col("close") * 2).write_parquet(path)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def one_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


async def test_the_second_reading_is_the_file_s_and_the_same_to_the_last_bit(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    await PostgresBars(engine).add(history := a_history(40, symbol="EURUSD=X"))
    snapshots = Snapshots(engine, tmp_path / "snapshots")
    first = await snapshots.stored("EURUSD=X", D1)
    [path] = (tmp_path / "snapshots").iterdir()
    written = path.stat().st_mtime_ns

    again = await snapshots.stored("EURUSD=X", D1)

    assert first.equals(history.stored)
    assert again.equals(history.stored)
    assert again.schema == history.stored.schema
    assert [p.stat().st_mtime_ns for p in (tmp_path / "snapshots").iterdir()] == [written]
    assert path.name.startswith("EURUSD%3DX_1d.")


@pytest.mark.parametrize("damage", [other_prices, cut, one_bit, a_folder])
async def test_a_damaged_file_is_noticed_and_made_again(
    engine: AsyncEngine, tmp_path: Path, damage: Callable[[Path], None]
) -> None:
    await PostgresBars(engine).add(history := a_history(40))
    snapshots = Snapshots(engine, tmp_path)
    await snapshots.stored("AAPL", D1)
    [path] = tmp_path.iterdir()
    damage(path)

    told = await snapshots.stored("AAPL", D1)

    assert told.equals(history.stored)
    if damage is not a_folder:
        assert pl.read_parquet(path).equals(history.stored)


async def test_a_file_of_bars_that_have_changed_since_is_replaced(engine: AsyncEngine, tmp_path: Path) -> None:
    bars, history = PostgresBars(engine), a_history(40)
    await bars.add(history)
    snapshots = Snapshots(engine, tmp_path)
    await snapshots.stored("AAPL", D1)

    restated = changed(history, row=7, close=history.stored["close"][7] + 0.5)
    await bars.add(restated, replace=True)

    assert (await snapshots.stored("AAPL", D1)).equals(restated.stored)
    assert len(list(tmp_path.iterdir())) == 1


async def test_without_a_place_to_write_or_without_bars_the_database_answers(
    engine: AsyncEngine, tmp_path: Path
) -> None:
    await PostgresBars(engine).add(history := a_history(40))
    (tmp_path / "taken").write_text("a file where the folder should be")

    told = await Snapshots(engine, tmp_path / "taken").stored("AAPL", D1)

    assert told.equals(history.stored)
    assert (await Snapshots(engine, tmp_path / "fresh").stored("MSFT", D1)).is_empty()
    assert not (tmp_path / "fresh").exists()
