"""Where bars come from: a replay of recorded history, or sources that are asked after every close."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncEngine

from evil2root.adapters.market_data.folder import symbols_in
from evil2root.adapters.market_data.replay import ReplayFeed, load_histories
from evil2root.adapters.postgres.bars import PostgresBars
from evil2root.adapters.postgres.intake import PostgresShelf
from evil2root.adapters.postgres.reads import PostgresReads
from evil2root.adapters.system_clock import SystemClock
from evil2root.domain.core.clock import Clock
from evil2root.domain.core.instrument import instrument_for
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.market.calendars import Calendars
from evil2root.domain.market.history import History
from evil2root.domain.market.sources import BarFeed
from evil2root.engine.asking import Standing
from evil2root.engine.event_clock import EventClock
from evil2root.engine.gathering import Gatherer
from evil2root.engine.listening import Hearing, Listener
from evil2root.engine.polling import Patience, PolledFeed
from evil2root.engine.warming import warm_up
from evil2root.main.failure import Failure
from evil2root.main.sources import Live, unwatched, usual_symbols
from evil2root.main.venues import account_of
from evil2root.settings import Settings

CATCH_UP_BARS, CATCH_UP_DAYS = 1_000, timedelta(days=30)
"""Longest absence that is caught up on, the longer of both: an account older than that is one of a replay."""

SIMULATED = "simulated"

ELSEWHERE = "set EVIL2ROOT_DATA_DIR (or EVIL2ROOT_DATABASE_URL) to another place"

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """A feed, and what the rest has to know of it."""

    feed: BarFeed
    symbols: tuple[str, ...]
    """Watched ones, in order, those that only tell rates among them."""
    starts_after: datetime
    """Cursor of a fresh account."""
    prepare: Callable[[Say], Awaitable[None]]
    """Stores what has to be there before the account recovers; may be done again."""
    clock: EventClock
    present: Clock | None
    """The machine's clock, when the feed tells of the present."""
    source: str
    origin: str
    simulated: bool
    """The prices are none of today's market."""
    speed: float | None = None
    total: int | None = None
    shown: Callable[[datetime | None], int] | None = None
    """Counts bars told until a time; none where nobody knows how many there are to come."""
    missing: Callable[[], Mapping[str, str]] = dict
    due: Callable[[], datetime | None] = lambda: None
    providers: Callable[[], tuple[Standing, ...]] = tuple
    streams: Callable[[], tuple[Hearing, ...]] = tuple
    listen: Callable[[], Awaitable[None]] | None = None
    """Hears of bars before they are asked for, for as long as it is run; none without a stream."""


def is_replay(settings: Settings) -> bool:
    """Is recorded history played, and nobody asked?"""
    return settings.market_data == ("replay",)


def recorded(settings: Settings, database: AsyncEngine) -> Market:
    """Return a replay. Raises `BarsUnavailable` or `BadTable` when the history can't be read."""
    histories = load_histories(
        path=settings.replay.path, watchlist=_watched(settings, ()), interval=settings.interval, now=SystemClock().now()
    )
    bars = PostgresBars(database)

    async def keep(found: Sequence[History]) -> None:
        for history in found:
            await bars.add(history)

    async def prepare(_: Say) -> None:
        await keep(feed.histories)

    feed = ReplayFeed(histories, speed=settings.replay.speed, loop=settings.replay.loop, keep=keep)
    total = feed.total(feed.starts_after)

    def shown(until: datetime | None) -> int:
        return (total or 0) - (feed.total(until) or 0) if until is not None else 0

    return Market(
        feed=feed, symbols=tuple(histories), starts_after=feed.starts_after, prepare=prepare,
        clock=EventClock(feed.starts_after), present=None, source="replay", origin=feed.origin, simulated=True,
        speed=feed.speed, total=total, shown=shown,
    )  # fmt: skip


def present(settings: Settings, database: AsyncEngine, live: Live, calendars: Calendars) -> Market:
    """Return a feed that asks the sources after every close, sooner again when the stream has told of a bar."""
    clock, interval, symbols = SystemClock(), settings.interval, watched(settings)
    instruments = [instrument_for(symbol) for symbol in symbols]
    gatherer = Gatherer(teller=live.sources, calendars=calendars, shelf=PostgresShelf(database))
    listener = None if live.stream is None else Listener(live.stream, symbols)
    feed = PolledFeed(instruments, interval, gatherer=gatherer, calendars=calendars, clock=clock,
                      starts_after=clock.now(), patience=Patience.of(interval),
                      sleep=asyncio.sleep if listener is None else listener.sleep)  # fmt: skip

    async def prepare(say: Say) -> None:
        without = await warm_up(
            instruments, interval, gatherer=gatherer, calendars=calendars, clock=clock, say=say
        )  # fmt: skip
        feed.missing.update(without)

    is_invented = settings.market_data == (SIMULATED,)
    return Market(
        feed=feed, symbols=symbols, starts_after=feed.starts_after, prepare=prepare,
        # The account's clock is that of the bars it was told: one set of rules for paper, replay and backtest.
        clock=EventClock(), present=clock, source=",".join(settings.market_data),
        origin=f"invented prices, seed {settings.simulated.seed}" if is_invented else "", simulated=is_invented,
        missing=lambda: feed.missing, due=feed.overdue_since, providers=lambda: live.sources.standing,
        streams=tuple if listener is None else lambda: (listener.hearing,),
        listen=None if listener is None else listener.run,
    )  # fmt: skip


def watched(settings: Settings) -> tuple[str, ...]:
    """Return the symbols a feed of the present asks for: by default those of the folder, or of the packaged history.

    Raises `Failure` when that is none.
    """
    default: Sequence[str] = usual_symbols(settings)
    if settings.market_data[0] == "folder" and settings.folder.path is not None:
        default = symbols_in(settings.folder.path, settings.interval)
    found = _watched(settings, default)
    if not found:
        text = unwatched(settings) or (
            f"The folder {settings.folder.path} has no {settings.interval} bars of any symbol: set EVIL2ROOT_WATCHLIST."
        )
        raise Failure(text)
    return found


def _watched(settings: Settings, default: Sequence[str]) -> tuple[str, ...]:
    if not settings.watchlist and not default:
        return ()
    chosen = settings.watchlist or tuple(default)
    return (*chosen, *(symbol for symbol in settings.rates if symbol not in chosen))


async def check_kept(settings: Settings, database: AsyncEngine) -> None:
    """Refuse a database whose account or bars are of another kind of market than the feed that is to go on with them.

    Raises `Failure`.
    """
    await check_unmixed(settings, database, watched(settings), settings.interval)
    carry = await PostgresReads(database, account=account_of(settings)).carry()
    until = None if carry is None else carry.closed_at
    if until is not None and SystemClock().now() - until > _caught_up(settings.interval):
        text = (
            f"The account {account_of(settings)} was worked through until {until.date()}, by a replay it seems: nobody "
            f"trades through all the bars since. To trade on {','.join(settings.market_data)}, {ELSEWHERE}."
        )
        raise Failure(text)


async def check_unmixed(settings: Settings, database: AsyncEngine, symbols: Sequence[str], interval: Interval) -> None:
    """Refuse to go on with invented bars behind real ones, or the other way round. Raises `Failure`."""
    invents = settings.market_data == (SIMULATED,)
    for symbol, source in (await PostgresBars(database).newest_sources(symbols, interval)).items():
        if (source == SIMULATED) != invents:
            kind = ("real", "invented") if invents else ("invented", "real")
            text = (
                f"The stored {interval} bars of {symbol} come from {source[:60]}: {kind[0]} prices are not gone on with "
                f"by {kind[1]} ones. To use {','.join(settings.market_data)}, {ELSEWHERE}."
            )
            raise Failure(text)


def _caught_up(interval: Interval) -> timedelta:
    return max(CATCH_UP_BARS * interval.length, CATCH_UP_DAYS)
