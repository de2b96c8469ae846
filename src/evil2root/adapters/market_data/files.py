"""Bars in files of one's own: CSV and Parquet in, Parquet out."""

import csv
import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import polars as pl

from evil2root.domain.core.instrument import instrument_for, require_symbol
from evil2root.domain.core.timeframe import Interval, interval
from evil2root.domain.market.bars import BarsUnavailable
from evil2root.domain.market.history import History
from evil2root.domain.market.importing import FILE_NAME, BadTable, check_columns, history_from

FILE_BYTES_MAX = 512 * 1024 * 1024
"""Some eight million bars of CSV; more is better split by symbol or year than held in memory at once."""

FOLDER_FILES_MAX = 2_000
"""Files one replay folder may hold."""


def read_history(path: Path, *, symbol: str, interval: Interval, now: datetime) -> History:
    """Read a whole file, checked to its last row. Raises `BadTable`: one sentence with file, line, value and limit."""
    instrument = instrument_for(symbol)
    where = path.name
    return history_from(
        read_table(path), instrument=instrument, interval=interval, now=now, origin=f"file {where}", where=where,
        first_line=2 if path.suffix.lower() == ".csv" else None,
    )  # fmt: skip


def read_table(path: Path) -> pl.DataFrame:
    """Read a file as it is: cells of CSV as text, those of Parquet as they are typed. Raises `BadTable`."""
    _require_file(path)
    if path.suffix.lower() == ".parquet":
        return _parquet(path)
    if path.suffix.lower() == ".csv":
        return _csv(path)
    msg = f"{path.name} is neither .csv nor .parquet by its name: rename it, or convert it."
    raise BadTable(msg)


def read_folder(folder: Path, *, wanted: Interval, now: datetime) -> dict[str, History]:
    """Read every `SYMBOL_INTERVAL.csv` (or .parquet) of one interval, by symbol in the order of their names.

    Raises `BadTable` for a file that can't be taken in, `BarsUnavailable` when there is none for the interval.
    """
    if not folder.is_dir():
        msg = f"{folder} is not a folder: EVIL2ROOT_REPLAY__PATH names a folder of SYMBOL_INTERVAL.csv files."
        raise BarsUnavailable(msg)
    files = sorted(path for path in folder.iterdir() if path.suffix.lower() in {".csv", ".parquet"})
    if len(files) > FOLDER_FILES_MAX:
        msg = f"{folder} holds {len(files)} files of bars; at most {FOLDER_FILES_MAX} are read: split it."
        raise BarsUnavailable(msg)
    found: dict[str, History] = {}
    for path in files:
        symbol, interval_ = _named(path)
        if interval_ is wanted:
            if symbol in found:
                msg = f"{path.name}: there are two files of {symbol} {wanted} in {folder}; keep one of them."
                raise BadTable(msg)
            found[symbol] = read_history(path, symbol=symbol, interval=wanted, now=now)
    if not found:
        names = ", ".join(path.name for path in files[:5]) or "no .csv or .parquet file"
        msg = f"{folder} has no history of {wanted} bars (it has {names}): name files SYMBOL_{wanted}.csv."
        raise BarsUnavailable(msg)
    return found


def write_parquet(stored: pl.DataFrame, path: Path) -> None:
    """Write raw bars and factors so that `read_history` takes them in again, bit for bit. All or nothing.

    Raises `BadTable` when the file can't be written.
    """
    write_table(stored.rename({"opened_at": "time"}).drop("closed_at"), path)


def write_table(table: pl.DataFrame, path: Path, *, metadata: Mapping[str, str] | None = None) -> None:
    """Write a Parquet file with words beside its columns, all or nothing. Raises `BadTable` when it can't be written."""
    half = path.with_name(f".{path.name}.part")
    if path.exists() and not path.is_file():
        msg = f"{path} is no ordinary file: name one, or one that is not there yet."
        raise BadTable(msg)
    try:
        table.write_parquet(half, metadata=None if metadata is None else dict(metadata))
        os.replace(half, path)  # noqa: PTH105 - says that it replaces
    except OSError as error:
        half.unlink(missing_ok=True)
        msg = f"{path} can't be written ({error.strerror or error}): choose a place this user may write to."
        raise BadTable(msg) from error


def _named(path: Path) -> tuple[str, Interval]:
    match = FILE_NAME.fullmatch(path.name)
    if match is None:
        msg = f"{path.name} is not named SYMBOL_INTERVAL.csv, like AAPL_1d.csv: rename it or take it out of the folder."
        raise BadTable(msg)
    try:
        return require_symbol(match["symbol"]), interval(match["interval"])
    except ValueError as error:
        msg = f"{path.name} is not named SYMBOL_INTERVAL.csv, like AAPL_1d.csv: {error}"
        raise BadTable(msg) from error


def _require_file(path: Path) -> None:
    if not path.is_file():
        problem = "is a folder, not a file" if path.is_dir() else "is not there" if not path.exists() else "is no file"
        msg = f"{path} {problem}: name a .csv or .parquet file."
        raise BadTable(msg)
    size = path.stat().st_size
    if size == 0:
        msg = f"{path.name} is empty: it needs a header and rows of bars."
        raise BadTable(msg)
    if size > FILE_BYTES_MAX:
        msg = f"{path.name} has {size} bytes; at most {FILE_BYTES_MAX} are read at once: split it by year."
        raise BadTable(msg)


def _parquet(path: Path) -> pl.DataFrame:
    try:
        return pl.read_parquet(path)
    except (OSError, pl.exceptions.PolarsError) as error:
        msg = f"{path.name} can't be read as Parquet ({_first_line(error)}): write it anew."
        raise BadTable(msg) from error


def _csv(path: Path) -> pl.DataFrame:
    """Read all cells as text, so that a bad one can be shown as it was written."""
    header = _header(path)
    check_columns(header, where=path.name)
    try:
        return _without_blank_end(pl.read_csv(path, infer_schema=False, encoding="utf8"))
    except OSError as error:
        msg = f"{path.name} can't be read ({error.strerror or error})."
        raise BadTable(msg) from error
    except pl.exceptions.PolarsError as error:
        raise BadTable(_broken_line(path, columns=len(header), error=error)) from error


def _without_blank_end(table: pl.DataFrame) -> pl.DataFrame:
    """Drop the blank lines an editor left at the end; one between bars is refused as an empty value."""
    filled = table.select(~pl.all_horizontal(pl.all().is_null())).to_series().arg_true()
    return table.head(filled[-1] + 1 if filled.len() else 0)


def _header(path: Path) -> list[str]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            header = next(csv.reader([lines.readline(10_000)]), [])
    except UnicodeDecodeError as error:
        msg = f"{path.name} is not UTF-8 text ({error.reason} at byte {error.start}): save it as UTF-8."
        raise BadTable(msg) from error
    except OSError as error:
        msg = f"{path} can't be read ({error.strerror}): name a file that this user may read."
        raise BadTable(msg) from error
    if len(header) <= 1:
        msg = f"{path.name}, line 1: {header[:1]} is no header; columns are separated by commas: time,open,high,low,close,volume."
        raise BadTable(msg)
    return header


def _broken_line(path: Path, *, columns: int, error: Exception) -> str:
    """Say which line the reader stumbled over."""
    try:
        with path.open(encoding="utf-8", newline="") as lines:
            rows = csv.reader(lines)
            for row in rows:
                if len(row) != columns:
                    return f"{path.name}, line {rows.line_num}: it has {len(row)} values; the header names {columns}."
    except UnicodeDecodeError as wrong:
        return f"{path.name} is not UTF-8 text ({wrong.reason} at byte {wrong.start}): save it as UTF-8."
    except csv.Error as wrong:
        return f"{path.name} is no CSV ({wrong})."
    return f"{path.name} is no CSV ({_first_line(error)})."


def _first_line(error: Exception) -> str:
    return " ".join(str(error).strip().split("\n", 1)[0][:200].split())
