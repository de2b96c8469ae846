"""From a question to stored bars: ask, clean, keep. The same for the live feed and for a fetch by hand."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

import polars as pl
import structlog

from evil2root.domain.core.instrument import Instrument
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.bars import AskedTooOften, BarsUnavailable
from evil2root.domain.market.calendars import Calendars
from evil2root.domain.market.cleaning import Cleaned, Known, clean
from evil2root.domain.market.cleaning.values import CONTEXT_BARS
from evil2root.domain.market.sources import Fetched, Heard

log = structlog.get_logger()

SLACK = timedelta(days=2)
"""How far behind the end of a question an answer may still overlap stored bars, by their closes."""


OVERLAP_BARS, OVERLAP_MOST = 8, timedelta(days=7)
"""Stored bars before a question that are asked for again, if they are not older: an answer that joins what is stored is
known to be the same series, and a jump that was set aside is believed once the bars after it stay there. Where they are
older, the newest of them are asked for by a question of their own: a split since then changed their factors."""
JOINED_MIN = 2
"""Stored bars told again that it takes to see that their factors are others now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """What keeping an answer did to the stored series."""

    new: int
    changed: int
    """Bars that said something else before, those among them whose factor alone is another one now."""


class Teller(Protocol):
    """Asks sources; `FailOver` does. Raises `BarsUnavailable` when none has the symbol."""

    async def heard(self, symbol: str, interval: Interval, *, start: datetime, end: datetime) -> Heard: ...


class Shelf(Protocol):
    """Where cleaned answers are kept. Raises `BarsUnavailable` while it is away."""

    async def stored(
        self, symbol: str, interval: Interval, *, start: datetime | None = None, until: datetime | None = None,
        limit: int | None = None,
    ) -> pl.DataFrame:  # fmt: skip
        """Return raw bars with their factors, `STORED_SCHEMA`, oldest first; with a `limit` the newest of them."""
        ...

    async def take(self, cleaned: Cleaned) -> Taken:
        """Keep believed bars, rows set aside and oddities of one answer, all or nothing."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Gathered:
    """What one question brought."""

    new: int
    """Bars that were not stored before."""
    changed: int
    """Bars that were stored with other values."""
    told: int
    """Bars that were believed, those among them that were asked for again."""
    set_aside: int
    silent: tuple[tuple[str, str], ...]
    """Sources that gave no answer, and why."""


class Gatherer:
    """Asks for bars, cleans what is told beside what is stored, keeps it."""

    def __init__(self, *, teller: Teller, calendars: Calendars, shelf: Shelf) -> None:
        self._teller, self._calendars, self.shelf = teller, calendars, shelf

    async def gather(self, instrument: Instrument, interval: Interval, *, start: datetime, end: datetime) -> Gathered:
        """Bring the bars that open in `[start, end)`. Doing it again adds nothing.

        Raises `BarsUnavailable` when no source answers or the store is away: nothing is kept then.
        """
        symbol = instrument.symbol
        before = await self.shelf.stored(symbol, interval, until=start, limit=CONTEXT_BARS)
        joins = before.filter(pl.col("opened_at") >= start - OVERLAP_MOST)["opened_at"].tail(OVERLAP_BARS)
        asked_from = joins[0] if len(joins) else start
        heard = await self._teller.heard(symbol, interval, start=asked_from, end=end)
        answer = heard.answer
        if len(joins) < JOINED_MIN <= before.height and answer.rows.height:
            answer = await self._joined(answer, before.tail(OVERLAP_BARS), until=asked_from)
        overlapped = await self.shelf.stored(symbol, interval, start=start, until=end + SLACK)
        stored = pl.concat([before, overlapped]).unique("opened_at").sort("opened_at")
        known = Known(stored=stored, peers=heard.peers, has_volume=instrument.has_volume, currency=instrument.told_in)
        cleaned = clean(answer, self._calendars.sessions(instrument), known)
        taken = await self.shelf.take(cleaned)
        return Gathered(
            new=taken.new,
            changed=taken.changed,
            told=cleaned.good.height,
            set_aside=cleaned.quarantined.height,
            silent=heard.silent,
        )

    async def _joined(self, answer: Fetched, older: pl.DataFrame, *, until: datetime) -> Fetched:
        """Return the answer with what its source tells today of stored bars long before it; as it is without that."""
        start, end = older["opened_at"][0], older["closed_at"][-1]
        try:
            again = (await self._teller.heard(answer.symbol, answer.interval, start=start, end=end)).answer
        except AskedTooOften:
            raise
        except BarsUnavailable as problem:
            log.warning(
                "bars.unjoined", symbol=answer.symbol, interval=answer.interval, start=start, problem=str(problem)
            )
            return answer
        if again.source != answer.source:
            mixed = f"{again.source} told them, and {answer.source} what comes after"
            log.warning("bars.unjoined", symbol=answer.symbol, interval=answer.interval, start=start, problem=mixed)
            return answer
        rows = pl.concat([again.rows.filter(pl.col("opened_at") < until), answer.rows])
        return replace(answer, rows=rows, splits=tuple(sorted({*again.splits, *answer.splits})))
