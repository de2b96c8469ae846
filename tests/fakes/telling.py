"""A world of bars that come to be as a clock goes by, and a shelf in memory."""

from datetime import datetime

import polars as pl

from evil2root.domain.core.instrument import Instrument
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.bars import BarsUnavailable
from evil2root.domain.market.calendars import NoCalendar
from evil2root.domain.market.cleaning import Cleaned
from evil2root.domain.market.frame import PRICES
from evil2root.domain.market.history import STORED_SCHEMA
from evil2root.domain.market.quality import Issue
from evil2root.domain.market.sessions import Sessions, computed
from evil2root.domain.market.sources import RAW_SCHEMA, Fetched, Heard
from evil2root.engine.gathering import Taken
from tests.fakes.sources import SteppedClock


class ComputedCalendars:
    """Markets that need no calendar."""

    def __init__(self) -> None:
        self._made: dict[str, Sessions] = {}

    def sessions(self, instrument: Instrument) -> Sessions:
        if instrument.symbol not in self._made:
            found = computed(instrument)
            if found is None:
                msg = f"{instrument.symbol} can't be traded: it needs a calendar."
                raise NoCalendar(msg)
            self._made[instrument.symbol] = found
        return self._made[instrument.symbol]


class Market:
    """Tells every hour's bar of every symbol as soon as it is over, and the running one; not those in `holes`."""

    def __init__(self, clock: SteppedClock) -> None:
        self.clock = clock
        self.away: set[str] = set()
        self.holes: set[tuple[str, datetime]] = set()
        """Symbols and openings."""
        self.rubbish: set[datetime] = set()
        """Openings of bars whose close is below zero."""

    async def heard(self, symbol: str, interval: Interval, *, start: datetime, end: datetime, **_: object) -> Heard:
        if symbol in self.away:
            msg = f"No source has {symbol}."
            raise BarsUnavailable(msg)
        at, rows = start, []
        while at < min(end, self.clock.now()):
            close = 100.0 + at.hour / 10 + at.day % 7 / 100
            if (symbol, at) not in self.holes:
                rows.append((at, close, close + 1, close - 1, -close if at in self.rubbish else close, 5.0, None))
            at += interval.length
        frame = pl.DataFrame(rows, schema=RAW_SCHEMA, orient="row")
        told = Fetched(symbol=symbol, interval=interval, rows=frame, source="market", fetched_at=self.clock.now())
        return Heard(answer=told)


class MemoryShelf:
    """Keeps bars in memory."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, Interval], pl.DataFrame] = {}
        self.sources: dict[tuple[str, datetime], str] = {}
        """Who told a bar, by symbol and opening."""
        self.notes: list[tuple[str, Interval, str, datetime, Issue]] = []
        """Series, sources, when, and what was odd about answers without rows."""

    async def stored(
        self, symbol: str, interval: Interval, *, start: datetime | None = None, until: datetime | None = None,
        limit: int | None = None,
    ) -> pl.DataFrame:  # fmt: skip
        found = self.kept.get((symbol, interval), pl.DataFrame(schema=STORED_SCHEMA))
        if start is not None:
            found = found.filter(pl.col("opened_at") >= start)
        if until is not None:
            found = found.filter(pl.col("closed_at") <= until)
        return found if limit is None else found.tail(limit)

    async def note(self, issue: Issue, *, symbol: str, interval: Interval, source: str, at: datetime) -> None:
        self.notes.append((symbol, interval, source, at, issue))

    async def take(self, cleaned: Cleaned) -> Taken:
        self.sources |= {(cleaned.symbol, at): cleaned.source for at in cleaned.good["opened_at"]}
        key = (cleaned.symbol, cleaned.interval)
        before = await self.stored(*key)
        scaled = before
        if cleaned.rescale != 1.0:
            older = pl.col("opened_at") < cleaned.good["opened_at"][0]
            scaled = before.with_columns(
                factor=pl.when(older).then(pl.col("factor") * cleaned.rescale).otherwise("factor")
            )
        self.kept[key] = pl.concat([scaled, cleaned.good]).unique("opened_at", keep="last").sort("opened_at")
        again = before.join(self.kept[key], on="opened_at", suffix="_now")
        changed = again.filter(
            pl.any_horizontal(pl.col(name) != pl.col(f"{name}_now") for name in (*PRICES, "volume", "factor"))
        )
        return Taken(new=self.kept[key].height - before.height, changed=changed.height)
