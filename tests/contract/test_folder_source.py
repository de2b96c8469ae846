"""A folder of files is a source of bars."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from evil2root.adapters.market_data.folder import FolderSource
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.bars import BarsUnavailable, NotCovered
from tests.contract.bar_source import BarSourceContract, Rig, TickingClock

MINUTE = timedelta(minutes=1)
FIRST = datetime(2026, 1, 5, 15, 0, tzinfo=UTC)
HEADER = "time,open,high,low,close,volume\n"


class FolderRig:
    """A folder with eight bars of a minute, or of a day, the last not over."""

    unknown = "NOBODY"

    def __init__(self, folder: Path, interval: Interval) -> None:
        self.interval, self.symbol = interval, "AAPL"
        days = [datetime(2026, 1, day, 14, 30, tzinfo=UTC) for day in (5, 6, 7, 8, 9, 12, 13, 14)]
        self.opened = days if interval is Interval.D1 else [FIRST + MINUTE * i for i in range(8)]
        self.clock = TickingClock(self.opened[-1] + timedelta(seconds=5))
        self.source = FolderSource(folder, clock=self.clock)
        names = [at.date().isoformat() if interval is Interval.D1 else at.isoformat() for at in self.opened]
        rows = "".join(f"{name},{10 + i},{11 + i},{9 + i},{10.5 + i},{100 + i}\n" for i, name in enumerate(names))
        (folder / f"AAPL_{interval}.csv").write_text(HEADER + rows)


class TestFolderOfMinutes(BarSourceContract):
    @pytest.fixture
    def rig(self, tmp_path: Path) -> Rig:
        return FolderRig(tmp_path, Interval.M1)


class TestFolderOfDays(BarSourceContract):
    @pytest.fixture
    def rig(self, tmp_path: Path) -> Rig:
        return FolderRig(tmp_path, Interval.D1)


class TestFiles:
    async def rows(self, rig: FolderRig) -> pl.DataFrame:
        fetched = await rig.source.bars("AAPL", rig.interval, start=rig.opened[0], end=rig.opened[-1])
        return fetched.rows

    async def test_are_read_again_when_they_changed(self, tmp_path: Path) -> None:
        rig = FolderRig(tmp_path, Interval.M1)
        before = await self.rows(rig)

        (tmp_path / "AAPL_1m.csv").write_text(HEADER + f"{FIRST.isoformat()},1,2,1,1.5,7\n")

        assert (before.height, (await self.rows(rig))["close"].to_list()) == (7, [1.5])

    async def test_may_be_parquet(self, tmp_path: Path) -> None:
        rig = FolderRig(tmp_path, Interval.M1)
        told = await self.rows(rig)
        (tmp_path / "AAPL_1m.csv").unlink()
        told.rename({"opened_at": "time"}).write_parquet(tmp_path / "AAPL_1m.parquet")

        assert (await self.rows(rig)).equals(told)

    async def test_tell_cells_that_cannot_be_read_as_nothing(self, tmp_path: Path) -> None:
        rig = FolderRig(tmp_path, Interval.M1)
        first = FIRST.isoformat()
        (tmp_path / "AAPL_1m.csv").write_text(
            f"{HEADER}{first},1,2,x,,7\nlater,1,1,1,1,1\n2026-01-05T15:01:00,1,1,1,1,1\n2026-01-05,1,1,1,1,1\n"
        )

        rows = await self.rows(rig)

        assert rows["opened_at"].to_list() == [FIRST, None, None, None]
        assert rows.row(0)[1:] == (1.0, 2.0, None, None, 7.0, None)

    async def test_tell_factors_by_adjusted_closes(self, tmp_path: Path) -> None:
        rig = FolderRig(tmp_path, Interval.M1)
        rows = f"{FIRST.isoformat()},2,2,2,2,7,1\n{(FIRST + MINUTE).isoformat()},2,2,2,0,7,1\n"
        (tmp_path / "AAPL_1m.csv").write_text("time,open,high,low,close,volume,adj_close\n" + rows)

        assert (await self.rows(rig))["factor"].to_list() == [0.5, None]

    async def test_that_are_no_table_are_unavailable(self, tmp_path: Path) -> None:
        rig = FolderRig(tmp_path, Interval.M1)
        (tmp_path / "AAPL_1m.csv").write_text("<html>no</html>")

        with pytest.raises(BarsUnavailable, match=r"AAPL_1m\.csv"):
            await self.rows(rig)

    async def test_a_folder_that_is_away_is_no_missing_symbol(self, tmp_path: Path) -> None:
        source = FolderSource(tmp_path / "gone", clock=TickingClock(FIRST))

        with pytest.raises(BarsUnavailable, match="EVIL2ROOT_FOLDER__PATH") as caught:
            await source.bars("AAPL", Interval.M1, start=FIRST, end=FIRST + MINUTE)
        assert not isinstance(caught.value, NotCovered)

    async def test_no_symbol_leads_out_of_the_folder(self, tmp_path: Path) -> None:
        (tmp_path / "AAPL_1m.csv").write_text(HEADER)
        inside = tmp_path / "inside"
        inside.mkdir()
        source = FolderSource(inside, clock=TickingClock(FIRST))

        with pytest.raises(NotCovered):
            await source.bars("../AAPL", Interval.M1, start=FIRST, end=FIRST + MINUTE)
