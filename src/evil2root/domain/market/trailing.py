"""Sums over the last bars, added anew at each row and always in one order, so that their bits depend on nothing else."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

_LINE = 8
"""Floats in a cache line."""

_FEW = 5
"""So many rows are added sooner one by one than as a table."""


def trailing_mean(values: Floats, *, length: int) -> Floats:
    """Mean of the last `length` values, added from newest to oldest, anew at each row. Warm-up: `length - 1` rows.

    Slower than a running sum, but one absurd value leaves no trace once it is `length` rows back, and the bits
    of a row do not depend on where the array starts.
    """
    made = np.empty_like(values)
    made[: length - 1] = np.nan
    if values.size < length:
        return made
    total = made[length - 1 :]
    if 1 < length <= _FEW:
        rows = total.size
        np.add(values[length - 1 :], values[length - 2 : -1], out=total)
        for start in range(length - 3, -1, -1):
            total += values[start : start + rows]
        total /= length
    else:
        np.divide(added_up(lagged(values, length=length)), length, out=total)
    return made


def lagged(values: Floats, *, length: int) -> Floats:
    """Row k holds the values k bars earlier, one column a bar that has them all: a view, of at least `length` values."""
    values = np.ascontiguousarray(values)
    step = values.itemsize
    shape, newest = (length, values.size - length + 1), (length - 1) * step
    return np.ndarray(shape, np.float64, values, newest, (-step, step))


def added_up(rows: Floats) -> Floats:
    """Each column's sum, first row first: NumPy adds a table row by row, but a single column in an order of its own."""
    total: Floats = np.add.reduce(rows, axis=0) if rows.shape[1] > 1 else np.add.accumulate(rows, axis=0)[-1]
    return total


def aligned(rows: int, columns: int) -> Floats:
    """An empty table whose rows each start on a cache line: what writes them takes half the time."""
    width = -(-columns // _LINE) * _LINE
    room = np.empty(rows * width + _LINE)
    start = -(room.__array_interface__["data"][0] // room.itemsize) % _LINE
    return room[start : start + rows * width].reshape(rows, width)[:, :columns]


def nan_where(flags: npt.NDArray[np.bool_], values: Floats) -> Floats:
    """The same array, NaN where `flags` says so, which is nearly always nowhere."""
    if flags.any():
        values[flags] = np.nan
    return values


def shifted(values: Floats, *, by: int) -> Floats:
    """The value `by` rows earlier; NaN in the first `by` rows."""
    moved = np.empty_like(values)
    moved[:by] = np.nan
    moved[by:] = values[:-by]
    return moved
