"""`evil2root data` as a user starts it: bars in, out, and looked over."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from evil2root.adapters.market_data.packaged import packaged
from evil2root.domain.core.timeframe import Interval
from tests.cli.cli_process import Ended, call, call_each, is_one_line
from tests.postgres_fixtures import quick_folder

HEADER = "time,open,high,low,close,volume\n"
GOOD = "2024-03-01,10,11,9,10,100\n"

BAD_FILES: dict[str, tuple[str | bytes, str]] = {
    "negative.csv": (HEADER + GOOD + "2024-03-04,10,11,-9,10,100\n", "line 3: low -9.0 is no price"),
    "nan.csv": (HEADER + GOOD + "2024-03-04,10,11,9,NaN,100\n", "line 3: close 'NaN' is not a finite number"),
    "crossed.csv": (HEADER + GOOD + "2024-03-04,10,8,9,10,100\n", "line 3: high 8.0 is below the row's low"),
    "double.csv": (HEADER + GOOD + GOOD, "line 3: opened_at 2024-03-01T14:30:00+00:00 is the same as the row before"),
    "columns.csv": ("date,open,high,low,close\n2024-03-01,1,1,1,1\n", "has the column 'date'"),
    "garbage.csv": (bytes(range(256)) * 20, "is not UTF-8 text"),
    "empty.csv": ("", "is empty"),
}


@pytest.fixture(scope="module")
def data_dir() -> Iterator[Path]:
    """A data directory with the raw bars of GOOG stored as TEST; tests only add other symbols to it."""
    folder = quick_folder()
    try:
        done = call(
            folder, "data", "import", str(goog_as_csv(folder)), "--symbol", "TEST", "--interval", "1d", "--json"
        )
        assert (done.code, done.err) == (0, ""), done
        counts = json.loads(done.out)
        assert (counts["new"], counts["same"], counts["different"]) == (2148, 0, 0)
        yield folder
    finally:
        shutil.rmtree(folder)


def goog_as_csv(folder: Path) -> Path:
    """The raw prices with plain dates, as a user would have them."""
    path = folder / "GOOG.csv"
    raw = packaged(Interval.D1)["GOOG"].raw
    raw.select(
        pl.col("opened_at").dt.convert_time_zone("America/New_York").dt.date().alias("time"),
        "open", "high", "low", "close", "volume",
    ).write_csv(path)  # fmt: skip
    return path


def take_in(data_dir: Path, path: Path, *more: str, symbol: str) -> Ended:
    return call(data_dir, "data", "import", str(path), "--symbol", symbol, "--interval", "1d", *more)


@pytest.mark.slow
def test_imported_bars_give_the_reference_result(data_dir: Path) -> None:
    rules = ["prices=raw", "fast=10", "slow=30", "stop=0.02", "target=0.04", "pct=0.95", "fee=0.001"]
    words = [word for rule in rules for word in ("--set", rule)]

    done = call(
        data_dir, "backtest", "--symbols", "TEST", "--strategy", "sma_cross", "--cash", "10000", *words, "--json"
    )

    assert (done.code, done.err) == (0, "")
    found = json.loads(done.out)
    assert found["final_equity"] == pytest.approx(14601.002132, rel=1e-9)
    assert (found["closed_trades"], found["bars"]) == (33, 2148)


@pytest.mark.slow
def test_a_second_import_adds_nothing_and_a_differing_bar_stays_unless_replaced(data_dir: Path, tmp_path: Path) -> None:
    first, other = tmp_path / "first.csv", tmp_path / "other.csv"
    first.write_text(HEADER + GOOD)
    other.write_text(HEADER + GOOD.replace(",10,100", ",10.5,100"))

    told = [
        json.loads(take_in(data_dir, path, "--json", *more, symbol="AGAIN").out)
        for path, *more in ((first,), (first,), (other,), (other, "--replace"), (other,))
    ]

    counts = [(one["new"], one["same"], one["different"]) for one in told]
    assert counts == [(1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 0, 1), (0, 1, 0)]
    assert told[2]["first_different"] == "2024-03-01T14:30:00Z"


@pytest.mark.slow
def test_what_a_file_tells_that_can_not_be_true_is_set_aside_with_its_reason(data_dir: Path, tmp_path: Path) -> None:
    path, prices = tmp_path / "slipped.csv", ("open", "high", "low", "close")
    table = pl.read_csv(data_dir / "GOOG.csv").with_row_index("row")
    slipped, halved = pl.col("row").is_between(500, 504), pl.col("row").is_between(900, 939)
    times = pl.when(slipped).then(100.0).when(halved).then(0.5).otherwise(1.0)
    table.select("time", *(pl.col(name) * times for name in prices), "volume").write_csv(path)

    told = take_in(data_dir, path, symbol="SLIPPED")
    again = json.loads(take_in(data_dir, path, "--json", symbol="SLIPPED").out)
    (report,) = json.loads(call(data_dir, "data", "check", "SLIPPED", "--json").out)
    believed = json.loads(take_in(data_dir, path, "--json", "--as-is", symbol="SLIPPED").out)
    split = pl.when(pl.col("row") < 1000).then(4.0).otherwise(1.0)
    table.select("time", *(pl.col(name) * split for name in prices), "volume").write_csv(path)
    unadjusted = take_in(data_dir, path, symbol="SPLIT")

    assert told.out.startswith("2103 new bars of SLIPPED 1d, 0 already there.\n45 rows were set aside")
    assert (again["new"], again["same"], again["set_aside"]) == (0, 2103, 45)
    named = [issue for issue in report["issues"] if issue["action"] == "quarantined"]
    assert sum(issue["rows"] for issue in named) == 45
    assert ("unit", 5) in [(issue["kind"], issue["rows"]) for issue in named]
    assert (believed["new"], believed["same"], believed["set_aside"]) == (45, 2103, 0)
    assert (unadjusted.code, is_one_line(unadjusted)) == (1, True)
    assert "1000 of the 2148 bars can't be believed, so nothing was stored (" in unadjusted.err
    assert "no split is confirmed" in unadjusted.err
    assert "factor or adj_close column; --as-is" in unadjusted.err


@pytest.mark.slow
def test_refuses_bad_files_in_one_line_and_stores_none_of_their_rows(data_dir: Path, tmp_path: Path) -> None:
    for name, (content, _) in BAD_FILES.items():
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    (tmp_path / "good.csv").write_text(HEADER + GOOD)
    expected = [(name, "BAD", "1d", 1, says) for name, (_, says) in BAD_FILES.items()] + [
        ("missing.csv", "BAD", "1d", 1, "is not there"),
        (".", "BAD", "1d", 1, "is a folder, not a file"),
        ("good.csv", "BAD", "9d", 2, "'9d' is not an interval"),
    ]

    ends = call_each(
        data_dir,
        [
            ("data", "import", str(tmp_path / name), "--symbol", symbol, "--interval", step)
            for name, symbol, step, _, _ in expected
        ],
    )

    for (name, _, _, code, says), end in zip(expected, ends, strict=True):
        assert (end.code, is_one_line(end)) == (code, True), (name, end)
        assert says in end.err, name
    stored = call(data_dir, "data", "check", "BAD")
    assert (stored.code, is_one_line(stored)) == (1, True)
    assert "There are no bars of BAD" in stored.err


@pytest.mark.slow
def test_exports_what_can_be_imported_again_bit_for_bit(data_dir: Path, tmp_path: Path) -> None:
    path = tmp_path / "TEST.parquet"

    out = call(data_dir, "data", "export", "TEST", "--interval", "1d", "-o", str(path))
    back = take_in(data_dir, path, "--json", symbol="TEST")
    into = call(data_dir, "data", "export", "TEST", "--interval", "1d", "-o", f"{tmp_path / 'folder'}/")
    nothing = call(data_dir, "data", "export", "NOPE", "--interval", "1d", "-o", str(tmp_path / "nope.parquet"))

    assert (out.code, out.out) == (0, f"2148 bars of TEST 1d written to {path}.\n")
    assert json.loads(back.out)["same"] == 2148
    assert (nothing.code, is_one_line(nothing)) == (1, True)
    assert into.out == f"2148 bars of TEST 1d written to {tmp_path / 'folder' / 'TEST_1d.parquet'}.\n"
    assert (tmp_path / "folder" / "TEST_1d.parquet").read_bytes() == path.read_bytes()
    assert sorted(one.name for one in tmp_path.iterdir()) == ["TEST.parquet", "folder"]


@pytest.mark.slow
def test_check_lists_the_series_with_what_is_odd(data_dir: Path) -> None:
    done = call(data_dir, "data", "check", "TEST", "--json")

    assert (done.code, done.err) == (0, "")
    (found,) = json.loads(done.out)
    assert (found["symbol"], found["interval"], found["bars"]) == ("TEST", "1d", 2148)
    assert (found["first"], found["last"]) == ("2004-08-19T13:30:00Z", "2013-03-01T14:30:00Z")
    (issue,) = found["issues"]
    assert set(issue) == {"kind", "start", "end", "rows", "action", "detail"}
    assert (issue["kind"], issue["start"], issue["action"]) == ("spike", "2008-04-18T13:30:00Z", "none")
