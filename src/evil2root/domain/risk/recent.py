"""What the market did lately, handed to the kernel as data."""

from dataclasses import dataclass
from math import fsum

import numpy as np
import numpy.typing as npt

PERIODS = 60
"""Bars a symbol that the rules look back on: about three months of sessions."""

VOLUME_BARS = 20
"""Bars that an average volume is the mean of."""

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Recent:
    """The last bars of a watchlist, ending at one close; nothing in it was known later.

    Rows are closes, oldest first, T of them; columns are symbols, N of them. Symbols that close at other times of the
    same period (a share at 21:00, a currency at midnight) have rows of their own: `by_period` joins them.
    """

    symbols: tuple[str, ...]
    periods: npt.NDArray[np.int64]
    """Shape (T,): the period of each row, counted from 1970 in bar lengths; never falling."""
    returns: Floats
    """Shape (T, N): logarithm of a close over the symbol's close before. 0 in rows without a bar of the symbol, NaN up
    to and including its first bar."""
    closes: Floats
    """Shape (T, N): quote currency, NaN in rows without a bar of the symbol."""
    volumes: Floats
    """Shape (T, N): units, NaN in rows without a bar of the symbol."""

    def __post_init__(self) -> None:
        shape = (len(self.periods), len(self.symbols))
        for name in ("returns", "closes", "volumes"):
            table = getattr(self, name)
            if table.shape != shape or table.dtype != np.float64:
                msg = f"{name} has the shape {table.shape}; {shape} of float64 is asked."
                raise ValueError(msg)
        for table in (self.periods, self.returns, self.closes, self.volumes):
            table.flags.writeable = False

    def by_period(self, columns: list[int]) -> Floats:
        """Return one row a period of the given columns, in their order. Cost: T x columns."""
        chosen = self.returns[:, columns]
        starts = np.flatnonzero(np.diff(self.periods, prepend=self.periods[:1] - 1))
        return chosen if len(starts) == len(self.periods) else np.add.reduceat(chosen, starts, axis=0)

    def column(self, symbol: str) -> int | None:
        """Return the place of a symbol, none for one that is not watched."""
        return self.symbols.index(symbol) if symbol in self.symbols else None

    def previous_close(self, symbol: str) -> float | None:
        """Return the close of the bar before the symbol's last one; none when there is none here."""
        place = self.column(symbol)
        seen = [] if place is None else _seen(self.closes[:, place])
        return seen[-2] if len(seen) > 1 else None

    def average_volume(self, symbol: str) -> float | None:
        """Return the mean volume of the symbol's last 20 bars, of fewer while there are fewer; none without a bar."""
        place = self.column(symbol)
        seen = [] if place is None else _seen(self.volumes[:, place])[-VOLUME_BARS:]
        return fsum(seen) / len(seen) if seen else None


def _seen(column: Floats) -> list[float]:
    values: list[float] = column[~np.isnan(column)].tolist()
    return values
