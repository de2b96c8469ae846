"""The table the rules work on: rows, a verdict a row, and the issues found so far. Lives only inside `clean`."""

from datetime import datetime

import numpy as np
import numpy.typing as npt
import polars as pl

from evil2root.domain.market.cleaning.values import QUARANTINE_MAX, QUARANTINE_SCHEMA
from evil2root.domain.market.quality import Issue
from evil2root.domain.market.sessions import Micros, moment
from evil2root.domain.market.sources import RAW_SCHEMA, Fetched

Flags = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]

NO_TIME = np.iinfo(np.int64).min
"""In place of a time that could not be read."""

VALUES = ("open", "high", "low", "close", "volume", "factor")


class Table:
    """Columns as arrays, as many values as rows are left. Rules set rows aside; nothing is ever lost."""

    def __init__(self, fetched: Fetched) -> None:
        rows = fetched.rows.select(list(RAW_SCHEMA)).cast(RAW_SCHEMA)
        self.fetched_at = fetched.fetched_at
        self.raw = rows
        at = rows["opened_at"].to_physical()
        self.at: Micros = at.fill_null(NO_TIME).to_numpy().astype(np.int64)
        self.values: dict[str, Floats] = {
            name: rows[name].fill_null(float("nan")).to_numpy().astype(np.float64) for name in VALUES
        }
        self.row: npt.NDArray[np.intp] = np.arange(rows.height)
        """Where in the answer each row that is left stood."""
        self.closed: Micros = np.full(rows.height, -1, np.int64)
        self.issues: list[Issue] = []
        self.repaired: set[int] = set()
        self.agreed: set[int] = set()
        self._aside: list[pl.DataFrame] = []
        self._aside_rows = 0

    def __len__(self) -> int:
        return len(self.at)

    def note(self, kind: str, flags: Flags, *, action: str, detail: str) -> None:
        """Name one issue about the rows that are flagged; nothing when none is."""
        if flags.any():
            at = self.at[flags]
            at = at[at != NO_TIME]
            start, end = (self._said(int(at.min())), self._said(int(at.max()))) if len(at) else (self.fetched_at,) * 2
            self.issues.append(
                Issue(kind=kind, start=start, end=end, rows=int(flags.sum()), action=action, detail=detail)
            )

    def set_aside(self, kind: str, flags: Flags, *, reason: str, detail: str) -> None:
        """Quarantine the rows that are flagged."""
        if not flags.any():
            return
        self.note(kind, flags, action="quarantined", detail=detail)
        room = QUARANTINE_MAX - self._aside_rows
        kept = self.raw[self.row[flags][: max(room, 0)]]
        self._aside_rows += kept.height
        self._aside.append(kept.with_columns(kind=pl.lit(kind), reason=pl.lit(reason), detail=pl.lit(detail)))
        self.keep(~flags)

    def gap(self, absent: Micros) -> None:
        """Name a run of bars that are not there."""
        start, end = self._said(int(absent[0])), self._said(int(absent[-1]))
        detail = f"{len(absent)} bars missing while the market was open"
        self.issues.append(Issue(kind="gap", start=start, end=end, rows=len(absent), action="none", detail=detail))

    def keep(self, flags: Flags) -> None:
        """Go on with the flagged rows only."""
        self.at, self.closed, self.row = self.at[flags], self.closed[flags], self.row[flags]
        self.values = {name: column[flags] for name, column in self.values.items()}

    def sort(self, order: npt.NDArray[np.intp]) -> None:
        """Bring the rows into an order."""
        self.at, self.closed, self.row = self.at[order], self.closed[order], self.row[order]
        self.values = {name: column[order] for name, column in self.values.items()}

    def quarantined(self) -> pl.DataFrame:
        """All rows set aside, `QUARANTINE_SCHEMA`."""
        return pl.concat([pl.DataFrame(schema=QUARANTINE_SCHEMA), *self._aside])

    def _said(self, at: int) -> datetime:
        """A row's time; one no calendar has is told as the moment of the answer."""
        try:
            return moment(at)
        except OverflowError:
            return self.fetched_at
