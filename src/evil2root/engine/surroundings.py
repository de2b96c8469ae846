"""Gathers what is around symbols: bars of an index, of rates and sectors, the universe, what companies announce."""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import polars as pl
import structlog

from evil2root.domain.core.instrument import AssetClass, Instrument
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.around.family import Around, Neighbours, Role
from evil2root.domain.market.around.universe import standings
from evil2root.domain.market.cross import STALE_DAYS
from evil2root.domain.market.fundamentals import CompanyEvent, Fundamentals, FundamentalsUnavailable
from evil2root.domain.market.sources import BarStore

log = structlog.get_logger()

AT_ONCE = 4
"""Companies asked for at the same time."""


class Surroundings:
    """Makes an `Around` a symbol from stored bars; what is not stored, set or told is missing there."""

    def __init__(self, store: BarStore, *, neighbours: Neighbours, fundamentals: Fundamentals | None = None) -> None:
        self._store, self._neighbours, self._fundamentals = store, neighbours, fundamentals

    async def around(
        self, instruments: Sequence[Instrument], interval: Interval, *, until: datetime
    ) -> dict[str, Around]:
        """Return what is around each instrument, the others of them as its universe.

        Raises `BarsUnavailable` when the store is away. A company nobody tells of has no events, and is reported.
        """
        wanted = {role: {i.symbol: self._neighbours.of(role, sector=i.sector) for i in instruments} for role in Role}
        names = {name for symbols in wanted.values() for name in symbols.values() if name is not None}
        bars = {
            name: await self._store.series(name, interval, until=until)
            for name in sorted(names | {i.symbol for i in instruments})
        }
        ranks = await asyncio.to_thread(standings, {i.symbol: bars[i.symbol] for i in instruments})
        events = await self._events(instruments)
        return {
            i.symbol: Around(
                session=i.session, events=events.get(i.symbol, ()), ranks=ranks[i.symbol],
                series=_series({role: wanted[role][i.symbol] for role in Role}, bars, but=i.symbol),
            )
            for i in instruments
        }  # fmt: skip

    def lacking(
        self, instruments: Sequence[Instrument], around: Mapping[str, Around], *, last: Mapping[str, datetime]
    ) -> tuple[str, ...]:
        """Return neighbours that are set and of which nothing is stored, or nothing new enough for the last bars.

        `last` is the close of the last bar by symbol. Who has these fetched has their features.
        """
        found = set()
        for one in instruments:
            for role in Role:
                name, series = self._neighbours.of(role, sector=one.sector), around[one.symbol].series.get(role)
                is_old = series is None or series["closed_at"][-1] < last[one.symbol] - timedelta(days=STALE_DAYS)
                if name is not None and name != one.symbol and is_old:
                    found.add(name)
        return tuple(sorted(found))

    async def _events(self, instruments: Sequence[Instrument]) -> dict[str, tuple[CompanyEvent, ...]]:
        if self._fundamentals is None:
            return {}
        source, slots, found = self._fundamentals, asyncio.Semaphore(AT_ONCE), dict[str, tuple[CompanyEvent, ...]]()

        async def bring(symbol: str) -> None:
            async with slots:
                try:
                    found[symbol] = (await source.company(symbol)).events
                except FundamentalsUnavailable as problem:
                    log.warning("company.unknown", symbol=symbol, source=source.name, why=str(problem))

        async with asyncio.TaskGroup() as tasks:
            for instrument in instruments:
                if instrument.asset_class is AssetClass.EQUITY:
                    tasks.create_task(bring(instrument.symbol))
        return found


def _series(
    names: Mapping[Role, str | None], bars: Mapping[str, pl.DataFrame], *, but: str
) -> dict[Role, pl.DataFrame]:
    """Bars by role, where there are any; a symbol is not its own neighbour."""
    return {
        role: bars[name].select("closed_at", "close")
        for role, name in names.items()
        if name is not None and name != but and bars[name].height
    }
