"""Bars in files: what is taken in, and the one sentence for what is not."""

import os
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evil2root.adapters.market_data import files
from evil2root.adapters.market_data.files import read_folder, read_history, write_parquet, write_table
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.bars import BarsUnavailable
from evil2root.domain.market.history import History
from evil2root.domain.market.importing import BadTable

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HEADER = "time,open,high,low,close,volume\n"
DAY_1, DAY_2 = "2024-07-01,10,12,9,11,1000\n", "2024-07-02,11,13,10,12,2000\n"


def read(
    folder: Path, content: str | bytes, *, symbol: str = "AAPL", interval: Interval = Interval.D1, name: str = "x.csv"
) -> History:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_history(path, symbol=symbol, interval=interval, now=NOW)


def refusal(folder: Path, content: str | bytes, *, interval: Interval = Interval.D1, name: str = "x.csv") -> str:
    with pytest.raises(BadTable) as caught:
        read(folder, content, interval=interval, name=name)
    return str(caught.value)


CELLS = st.lists(
    st.sampled_from(
        ["2024-07-01", "2024-07-02T10:00:00Z", "1", "0", "-1", "nan", "1e400", "", '"', "é", "\n", "\r", "\0", "٣"]
    ),
    max_size=30,
).map(",".join)


def as_rows(text: str) -> bytes:
    return (HEADER + text).encode("utf-8", "replace")


class TestReading:
    def test_takes_plain_dates_as_sessions_of_the_exchange(self, tmp_path: Path) -> None:
        stored = read(tmp_path, HEADER + DAY_1 + DAY_2).stored

        assert stored.height == 2
        assert stored.row(0) == (
            datetime(2024, 7, 1, 13, 30, tzinfo=UTC), datetime(2024, 7, 1, 20, tzinfo=UTC), 10, 12, 9, 11, 1000, 1
        )  # fmt: skip

    def test_takes_times_with_any_offset_as_moments(self, tmp_path: Path) -> None:
        rows = (
            "2024-01-02T14:30:00Z,1,2,0.5,1,1\n2024-01-02 10:30:00-05:00,1,2,0.5,1,1\n2024-01-02T16:30Z,1,2,0.5,1,1\n"
        )

        stored = read(tmp_path, HEADER + rows, interval=Interval.H1).stored

        assert [at.hour for at in stored["opened_at"]] == [14, 15, 16]
        assert stored["closed_at"][0] == datetime(2024, 1, 2, 15, 30, tzinfo=UTC)

    @pytest.mark.parametrize("column", ["adj_close", "factor"])
    def test_takes_the_adjustment_from_a_further_column(self, column: str, tmp_path: Path) -> None:
        value = "5.5" if column == "adj_close" else "0.5"

        history = read(tmp_path, f"time,open,high,low,close,volume,{column}\n2024-07-01,10,12,9,11,1000,{value}\n")

        assert history.stored["factor"][0] == 0.5
        assert history.adjusted.row(0)[2:] == (5, 6, 4.5, 5.5, 2000)

    def test_does_not_mind_windows_or_an_editor_s_last_lines(self, tmp_path: Path) -> None:
        plain = read(tmp_path, HEADER + DAY_1).stored

        assert read(tmp_path, "\ufeff" + (HEADER + DAY_1 + "\n\n").replace("\n", "\r\n")).stored.equals(plain)
        assert read(tmp_path, HEADER.upper() + DAY_1).stored.equals(plain)

    def test_knows_markets_that_never_close(self, tmp_path: Path) -> None:
        stored = read(tmp_path, HEADER + "2024-07-01T00:00:00Z,1,1,1,1,1\n", symbol="BTC-USD").stored

        assert stored["closed_at"][0] == datetime(2024, 7, 2, tzinfo=UTC)


class TestRefusals:
    @pytest.mark.parametrize(
        ("content", "said"),
        [
            (HEADER + DAY_1 + "2024-07-02,-1,13,10,12,9\n", "x.csv, line 3: open -1.0 is no price; a price must be finite and above zero."),
            (HEADER + DAY_1 + "2024-07-02,NaN,13,10,12,9\n", "x.csv, line 3: open 'NaN' is not a finite number"),
            (HEADER + "2024-07-02,1e999,13,10,12,9\n", "x.csv, line 2: open '1e999' is not a finite number"),
            (HEADER + "2024-07-02,,13,10,12,9\n", "x.csv, line 2: open is empty; every bar has every value."),
            (HEADER + "2024-07-02,eleven,13,10,12,9\n", "x.csv, line 2: open 'eleven' is not a finite number"),
            (HEADER + '2024-07-02,"11,5",13,10,12,9\n', "x.csv, line 2: open '11,5' is not a finite number"),
            (HEADER + "2024-07-02,11,10,9,12,9\n", "x.csv, line 2: high 10.0 is below the row's open; the high must be at least"),
            (HEADER + "2024-07-02,11,13,10,12,-9\n", "x.csv, line 2: volume -9.0 is no volume"),
            (HEADER + "0000-01-01,11,13,10,12,9\n", "x.csv, line 2: time '0000-01-01' lies before 1800"),
            (HEADER + "1799-12-31T23:59:59Z,11,13,10,12,9\n", "x.csv, line 2: time '1799-12-31T23:59:59Z' lies before 1800"),
            (HEADER + DAY_1 + DAY_1, "x.csv, line 3: opened_at 2024-07-01T13:30:00+00:00 is the same as the row before"),
            (HEADER + DAY_2 + DAY_1, "x.csv, line 3: opened_at 2024-07-01T13:30:00+00:00 is earlier than the row before"),
            (HEADER + DAY_1 + "\n" + DAY_2, "x.csv, line 3: open is empty"),
            (HEADER + DAY_1 + "2024-07-02T13:30:00Z,1,1,1,1,1\n", "line 3: time '2024-07-02T13:30:00Z' is written otherwise"),
            (HEADER + "2024-07-02T13:30:00,1,1,1,1,1\n", "line 2: time '2024-07-02T13:30:00' has no time zone"),
            (HEADER + "2024-07-02T00:00:00Z,1,1,1,1,1\n", "write daily bars as plain dates"),
            (HEADER + "2024-06-31,1,1,1,1,1\n", "line 2: time '2024-06-31' is no day of the calendar."),
            (HEADER + "02/07/2024,1,1,1,1,1\n", "line 2: time '02/07/2024' is no time"),
            (HEADER + "2026-02-01,1,1,1,1,1\n", "bars may open until 2026-01-02T00:00:00+00:00 at the latest"),
            (HEADER + DAY_1 + "2024-07-02,1,1,1,1,1,1,1\n", "x.csv, line 3: it has 8 values; the header names 6."),
            (HEADER, "x.csv has no rows"),
            ("", "x.csv is empty"),
            ("time;open;high\n", "columns are separated by commas"),
            ("time,open,high,low,close\n" + DAY_1, "x.csv lacks the column volume. Needed are time,open,high,low,close,volume"),
            ("time,open,high,low,close,volum\n" + DAY_1, "the column 'volum', which is not one of a bar's. Did you mean volume?"),
            ("time,open,open,low,close,volume\n" + DAY_1, "has the column 'open' 2 times"),
            (HEADER.encode() + b"2024-07-02,\xff,1,1,1,1\n", "x.csv is not UTF-8 text"),
            (HEADER.encode("utf-16"), "x.csv is not UTF-8 text"),
            (b"time,open,high,low,close,volume,factor\n2024-07-02,1,1,1,1,1,0\n", "line 2: factor is 0.0; it must be finite"),
            ("time,open,high,low,close,volume,factor,adj_close\n" + DAY_1, "both adj_close and factor, which say the same thing twice"),
        ],
    )  # fmt: skip
    def test_name_file_line_value_and_limit_in_one_sentence(
        self, content: str | bytes, said: str, tmp_path: Path
    ) -> None:
        answer = refusal(tmp_path, content)

        assert said in answer
        assert "\n" not in answer

    def test_of_dates_for_bars_within_the_day(self, tmp_path: Path) -> None:
        assert "names a daily session; bars of 1h need times" in refusal(tmp_path, HEADER + DAY_1, interval=Interval.H1)

    def test_of_bars_longer_than_the_time_between_them(self, tmp_path: Path) -> None:
        rows = "2024-07-02T10:00:00Z,1,1,1,1,1\n2024-07-02T10:30:00Z,1,1,1,1,1\n"

        assert "line 3: opened_at 2024-07-02T10:30:00+00:00 is before the close" in refusal(
            tmp_path, HEADER + rows, interval=Interval.H1
        )

    def test_of_what_is_no_file_or_too_much_of_one(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        with pytest.raises(BadTable, match="is a folder, not a file"):
            read_history(tmp_path, symbol="AAPL", interval=Interval.D1, now=NOW)
        with pytest.raises(BadTable, match="is not there"):
            read_history(tmp_path / "no.csv", symbol="AAPL", interval=Interval.D1, now=NOW)
        assert "neither .csv nor .parquet" in refusal(tmp_path, HEADER, name="x.xlsx")
        monkeypatch.setattr(files, "FILE_BYTES_MAX", 10)
        assert "at most 10 are read at once" in refusal(tmp_path, HEADER + DAY_1)

    @settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
    @given(
        content=st.one_of(
            st.binary(max_size=200), st.text(max_size=200).map(lambda t: (HEADER + t).encode("utf-8", "replace"))
        )
    )
    def test_are_the_only_answer_to_garbage(self, content: bytes, tmp_path: Path) -> None:
        for name in ("x.csv", "x.parquet"):
            try:
                found = read(tmp_path, content, name=name)
            except BadTable as problem:
                assert not set(str(problem)) & {"\n", "\r"}  # noqa: PT017
            else:
                assert found.stored.height


class TestParquet:
    def test_comes_back_bit_for_bit(self, tmp_path: Path) -> None:
        made = read(tmp_path, "time,open,high,low,close,volume,factor\n2024-07-01,10,12,9,11,1000,0.123456789012345\n")

        write_parquet(made.stored, tmp_path / "out.parquet")
        found = read_history(tmp_path / "out.parquet", symbol="AAPL", interval=Interval.D1, now=NOW)

        assert found.stored.equals(made.stored)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["out.parquet", "x.csv"]

    def test_leaves_nothing_half_written(self, tmp_path: Path) -> None:
        made = read(tmp_path, HEADER + DAY_1)

        with pytest.raises(BadTable, match="can't be written"):
            write_parquet(made.stored, tmp_path / "no such folder" / "out.parquet")

        assert [path.name for path in tmp_path.iterdir()] == ["x.csv"]

    def test_takes_dates_and_whole_numbers(self, tmp_path: Path) -> None:
        table = {"time": [date(2024, 7, 1)], "open": [10], "high": [12], "low": [9], "close": [11], "volume": [1000]}
        pl.DataFrame(table).write_parquet(tmp_path / "in.parquet")

        found = read_history(tmp_path / "in.parquet", symbol="AAPL", interval=Interval.D1, now=NOW)

        assert found.stored.equals(read(tmp_path, HEADER + DAY_1).stored)

    @pytest.mark.parametrize(
        ("time", "close", "said"),
        [
            (datetime(2024, 7, 1, 13, 30), 11, "row 1: time 2024-07-01 13:30:00 has no time zone"),  # noqa: DTZ001
            (12, 11, "the column time holds Int64; it must hold times with a zone, or dates"),
            (date(2024, 7, 1), True, "the column close holds Boolean; it must hold numbers"),
            (date(2024, 7, 1), None, "row 1: close is empty"),
        ],
    )
    def test_is_refused_by_row_and_type(self, time: object, close: object, said: str, tmp_path: Path) -> None:
        closes = pl.Series("close", [close], dtype=pl.Float64 if close is None else None)
        table = {"time": [time], "open": [10], "high": [12], "low": [9], "close": closes, "volume": [1000]}
        pl.DataFrame(table).write_parquet(tmp_path / "in.parquet")

        with pytest.raises(BadTable) as caught:
            read_history(tmp_path / "in.parquet", symbol="AAPL", interval=Interval.D1, now=NOW)

        assert said in str(caught.value)


class TestFolder:
    @pytest.mark.parametrize("name", ["prices.csv", "AAPL_2h.csv", "aa pl_1d.csv"])
    def test_refuses_a_file_whose_name_says_nothing(self, name: str, tmp_path: Path) -> None:
        (tmp_path / name).write_text(HEADER + DAY_1)

        with pytest.raises(BadTable, match=r"is not named SYMBOL_INTERVAL\.csv"):
            read_folder(tmp_path, wanted=Interval.D1, now=NOW)

    def test_says_when_it_has_nothing_of_the_interval(self, tmp_path: Path) -> None:
        (tmp_path / "AAPL_1d.csv").write_text(HEADER + DAY_1)

        with pytest.raises(BarsUnavailable, match=r"no history of 1h bars \(it has AAPL_1d.csv\)"):
            read_folder(tmp_path, wanted=Interval.H1, now=NOW)
        with pytest.raises(BarsUnavailable, match="is not a folder"):
            read_folder(tmp_path / "none", wanted=Interval.D1, now=NOW)

    def test_refuses_two_files_of_one_series(self, tmp_path: Path) -> None:
        read(tmp_path, HEADER + DAY_1, name="AAPL_1d.csv")
        write_parquet(read(tmp_path, HEADER + DAY_1, name="AAPL_1d.csv").stored, tmp_path / "AAPL_1d.parquet")

        with pytest.raises(BadTable, match="two files of AAPL 1d"):
            read_folder(tmp_path, wanted=Interval.D1, now=NOW)


def test_a_file_that_is_none_is_not_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    with pytest.raises(BadTable, match="is no ordinary file"):
        write_table(pl.DataFrame({"a": [1]}), tmp_path / "pipe")

    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]
