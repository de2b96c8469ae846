"""The table of bars: its columns, and the check every bar passes before it is stored."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

BARS_SCHEMA = pl.Schema(
    {
        "opened_at": pl.Datetime("us", "UTC"),
        "closed_at": pl.Datetime("us", "UTC"),
        "open": pl.Float64(),
        "high": pl.Float64(),
        "low": pl.Float64(),
        "close": pl.Float64(),
        "volume": pl.Float64(),
    }
)
"""One row a bar, oldest first, no nulls. Prices in the quote currency, volume in units of the instrument."""

PRICES = ("open", "high", "low", "close")
TIMES = ("opened_at", "closed_at")

Flags = npt.NDArray[np.bool_]


class BadBars(ValueError):  # noqa: N818 - named for what is wrong, as the trade says it
    """A table that is no history of bars; the message names the place, the value, the limit and the remedy.

    `row` counts from 0 and is None when the whole table is wrong; the message counts rows from 1.
    """

    def __init__(self, message: str, *, row: int | None, column: str, value: object, limit: str) -> None:
        super().__init__(message)
        self.row = row
        self.column = column
        self.value = value
        self.limit = limit


def check_bars(frame: pl.DataFrame) -> None:
    """Raise `BadBars` for the first row that can't be true, or for columns that are not `BARS_SCHEMA`'s.

    Checked: names and types of columns (any order), nulls, prices finite and above zero, high and low around
    open and close, volume finite and not negative, bars of positive length, in order, once each, not overlapping.
    An empty table is fine.
    """
    _check_columns(frame)
    faults = [fault for fault in _faults(frame) if fault is not None]
    if faults:
        row, column, problem, limit = min(faults, key=lambda fault: fault[0])
        value: object = frame[column][row]
        opened_at = frame["opened_at"][row]
        where = f"Row {row + 1} of {frame.height} (opened at {_said(opened_at)})"
        message = f"{where}: {column} {_said(value)} {problem}; {limit}."
        raise BadBars(message, row=row, column=column, value=value, limit=limit)


Fault = tuple[int, str, str, str]
"""First row at fault, its column, what is wrong with the value, the limit."""


def _check_columns(frame: pl.DataFrame) -> None:
    expected = ", ".join(BARS_SCHEMA.names())
    for column in BARS_SCHEMA.names():
        if column not in frame.columns:
            message = (
                f"The column {column} is missing; bars have {expected}, and these have {', '.join(frame.columns)}."
            )
            raise BadBars(message, row=None, column=column, value=None, limit=f"bars have {expected}")
    for column in frame.columns:
        if column not in BARS_SCHEMA:
            message = f"The column {column} is not one of a bar's: drop it; bars have {expected}."
            raise BadBars(message, row=None, column=column, value=None, limit=f"bars have {expected}")
    for column, wanted in BARS_SCHEMA.items():
        found = frame.schema[column]
        if found != wanted:
            remedy = f"it must be {wanted}; convert it before the check"
            if isinstance(found, pl.Datetime) and found.time_zone is None:
                remedy = "its times have no time zone: attach one where they enter the program"
            message = f"The column {column} is {found}; {remedy}."
            raise BadBars(message, row=None, column=column, value=str(found), limit=f"{column} is {wanted}")


def _faults(frame: pl.DataFrame) -> list[Fault | None]:
    nulls = [
        _first(frame[column].is_null().to_numpy(), column, "is missing", "every bar has every value")
        for column in BARS_SCHEMA.names()
    ]
    if any(fault is not None for fault in nulls):
        return nulls
    price = {column: frame[column].to_numpy() for column in PRICES}
    volume = frame["volume"].to_numpy()
    at = {column: frame[column].to_physical().to_numpy() for column in TIMES}
    faults = [
        _first(~(np.isfinite(price[column]) & (price[column] > 0.0)), column, "is no price", _PRICE)
        for column in PRICES
    ]
    faults += [
        _first(price["high"] < price[column], "high", f"is below the row's {column}", _HIGH)
        for column in ("low", "open", "close")
    ]
    faults += [
        _first(price["low"] > price[column], "low", f"is above the row's {column}", _LOW)
        for column in ("open", "close")
    ]
    step = np.diff(at["opened_at"])
    faults += [
        _first(~(np.isfinite(volume) & (volume >= 0.0)), "volume", "is no volume", _VOLUME),
        _first(at["closed_at"] <= at["opened_at"], "closed_at", "is not after the row's opened_at", _LENGTH),
        _first(_after_first_row(step == 0), "opened_at", "is the same as the row before", _ONCE),
        _first(_after_first_row(step < 0), "opened_at", "is earlier than the row before", _ORDER),
        _first(
            _after_first_row((at["opened_at"][1:] < at["closed_at"][:-1]) & (step > 0)),
            "opened_at",
            "is before the close of the row before",
            _OVERLAP,
        ),
    ]
    return faults


_PRICE = "a price must be finite and above zero"
_HIGH = "the high must be at least the open, the low and the close"
_LOW = "the low must be at most the open, the high and the close"
_VOLUME = "a volume must be finite and not negative"
_LENGTH = "a bar must close after it opens"
_ONCE = "a bar may appear once: drop the duplicate"
_ORDER = "bars must be sorted by opened_at, oldest first"
_OVERLAP = "a bar must be over before the next one opens"


def _first(flags: Flags, column: str, problem: str, limit: str) -> Fault | None:
    return (int(np.argmax(flags)), column, problem, limit) if flags.any() else None


def _after_first_row(flags: Flags) -> Flags:
    """Flags about each row and the one before it; the first row has none before it."""
    return np.concatenate((np.zeros(1, dtype=np.bool_), flags))


def _said(value: Any) -> str:
    return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else str(value)
