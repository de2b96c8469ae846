"""Sums over the last bars, added anew at each row and always in one order, so that their bits depend on nothing else."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def trailing_sum(values: Floats, *, length: int) -> Floats:
    """Sum of the last `length` values, for each bar that has them: `length - 1` fewer than `values`, a new array.

    Added anew at each row, in one order: neighbours in pairs, pairs of pairs, and so on; what is left over before a
    doubling is added to the sum, newest first. So 20 values are the newest 4 plus the 16 before, in 5 additions of
    arrays. One absurd value leaves no trace once it is `length` rows back, and the bits of a row do not depend on
    where the array starts.
    """
    if values.size < length:
        return np.empty(0)
    total: Floats | None = None
    blocks, width = values, 1  # blocks[k] is the sum of `width` values from k on
    while 2 * width <= length:
        if length & width:
            total = blocks if total is None else total[width:] + blocks[: total.size - width]
        blocks, width = blocks[width:] + blocks[:-width], 2 * width
    if total is not None:
        return total[width:] + blocks[: total.size - width]
    return blocks if width > 1 else values.copy()


def trailing_mean(values: Floats, *, length: int) -> Floats:
    """Mean of the last `length` values, by `trailing_sum`. Warm-up: `length - 1` rows."""
    made = np.empty_like(values)
    made[: length - 1] = np.nan
    np.divide(trailing_sum(values, length=length), length, out=made[length - 1 :])
    return made


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
