"""Which provider is which: the names in `EVIL2ROOT_MARKET_DATA` as sources of bars, each with its manners."""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Protocol

from evil2root.adapters.market_data.packaged import DAILY, RENAMED, SYMBOLS
from evil2root.domain.core.clock import Clock
from evil2root.domain.core.instrument import AssetClass, instrument_for
from evil2root.domain.market.calendars import Calendars
from evil2root.domain.market.sources import BarSource
from evil2root.domain.market.streams import QuoteStream
from evil2root.engine.asking import Manners
from evil2root.engine.fail_over import FailOver, Plan
from evil2root.settings import Settings, SettingsProblem
from evil2root.settings.tree import PREFIX


class OpenSource(BarSource, Protocol):
    """A source with connections or files of its own: closed once, when the program ends."""

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What a source may be made from."""

    settings: Settings
    clock: Clock
    calendars: Calendars
    name: str
    """As in the settings; the source answers to it."""
    exchange: str = ""
    """What stands behind the colon."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """A line of the table."""

    make: Callable[[Place], OpenSource]
    """Imports the adapter itself, so that a start loads only what it uses; opens no connection yet."""
    lacks: Callable[[Settings], str] = lambda _: ""
    """One sentence on a setting it can't work without, or nothing."""
    package: str = ""
    """What an extra brings that it can't work without."""
    manners: Manners = Manners()  # noqa: RUF009 - frozen
    tells: frozenset[AssetClass] = frozenset(AssetClass)
    """What it has prices of at all; whether it has a symbol's only its answer shows."""
    stream: Callable[[Place], QuoteStream] | None = None
    """Its stream, for those that have one: it only says when to ask sooner."""


ON_DISK = Manners(requests_a_minute=6_000, tries=1, failures_max=20)
"""Nobody else is bothered by reading our own disk, and a folder that was away is back at once."""


BY_CUSTOM = Manners(requests_a_minute=60)
"""Yahoo names no limit; a request a second is what its users report it to bear for long."""


def _folder(place: Place) -> OpenSource:
    from evil2root.adapters.market_data.folder import FolderSource  # noqa: PLC0415 - see `Provider.make`

    assert place.settings.folder.path is not None, "`lacks` was asked"
    return FolderSource(place.settings.folder.path, clock=place.clock)


def _simulated(place: Place) -> OpenSource:
    from evil2root.adapters.market_data.simulated import SimulatedSource  # noqa: PLC0415 - see `Provider.make`

    return SimulatedSource(place.settings.simulated.seed, clock=place.clock, calendars=place.calendars)


def _yfinance(place: Place) -> OpenSource:
    import yfinance  # noqa: F401, PLC0415 - a package that is not installed is missed now, not at the first question

    from evil2root.adapters.market_data.yahoo import YahooBars  # noqa: PLC0415 - see `Provider.make`
    from evil2root.adapters.market_data.yahoo_wire import YahooWire  # noqa: PLC0415

    wire = YahooWire(place.settings.yfinance.base_url, folder=place.settings.data_folder / "yfinance")
    return YahooBars(wire, calendars=place.calendars, clock=place.clock)


def _alpaca(place: Place) -> OpenSource:
    from evil2root.adapters.market_data.alpaca import AlpacaSource  # noqa: PLC0415 - see `Provider.make`

    given = place.settings.alpaca
    assert given.api_key is not None, "`lacks` was asked"
    assert given.api_secret is not None, "`lacks` was asked"
    return AlpacaSource(
        given.data_url, given.api_key, given.api_secret, clock=place.clock, calendars=place.calendars, feed=given.feed
    )


def _alpaca_stream(place: Place) -> QuoteStream:
    from evil2root.adapters.market_data.alpaca_stream import AlpacaStream  # noqa: PLC0415 - see `Provider.make`

    given = place.settings.alpaca
    assert given.api_key is not None, "`lacks` was asked"
    assert given.api_secret is not None, "`lacks` was asked"
    return AlpacaStream(given.data_url, given.api_key, given.api_secret, feed=given.feed)


def _yahoo_stream(place: Place) -> QuoteStream:
    from evil2root.adapters.market_data.yahoo_stream import YahooStream  # noqa: PLC0415 - see `Provider.make`

    return YahooStream(place.settings.yfinance.base_url)


def _tiingo(place: Place) -> OpenSource:
    from evil2root.adapters.market_data.tiingo import TiingoSource  # noqa: PLC0415 - see `Provider.make`

    given = place.settings.tiingo
    assert given.api_key is not None, "`lacks` was asked"
    return TiingoSource(given.base_url, given.api_key, clock=place.clock, calendars=place.calendars)


def _ccxt(place: Place) -> OpenSource:
    from evil2root.adapters.market_data.ccxt import CcxtSource  # noqa: PLC0415 - see `Provider.make`

    try:
        return CcxtSource(place.exchange, clock=place.clock, base_url=place.settings.ccxt.data_url, name=place.name)
    except ValueError as unknown:
        msg = f"{PREFIX}MARKET_DATA names {place.name}. {unknown}"
        raise SettingsProblem(msg) from unknown


def _unset(key: str, value: object, *, needs: str) -> str:
    return "" if value else f"{PREFIX}{key} is not set: {needs}."


PROVIDERS: Mapping[str, Provider] = {
    "yfinance": Provider(make=_yfinance, package="yfinance", manners=BY_CUSTOM, stream=_yahoo_stream),
    "folder": Provider(
        make=_folder, manners=ON_DISK,
        lacks=lambda s: _unset("FOLDER__PATH", s.folder.path, needs="it names the folder of SYMBOL_INTERVAL.csv files"),
    ),
    "alpaca": Provider(
        make=_alpaca, stream=_alpaca_stream, tells=frozenset({AssetClass.EQUITY, AssetClass.CRYPTO}), manners=Manners(requests_a_minute=60),  # each question is two requests and more, of 200 a minute
        lacks=lambda s: _unset("ALPACA__API_KEY", s.alpaca.api_key and s.alpaca.api_secret,
                               needs="Alpaca tells prices only to who has a key; set ALPACA__API_SECRET too"),
    ),
    "tiingo": Provider(
        make=_tiingo, tells=frozenset({AssetClass.EQUITY}), manners=Manners(requests_a_minute=10, tries=1),  # free: 50 an hour; what more costs is answered 429
        lacks=lambda s: _unset("TIINGO__API_KEY", s.tiingo.api_key, needs="Tiingo tells prices only to who has a key"),
    ),
    "ccxt": Provider(make=_ccxt, package="ccxt", tells=frozenset({AssetClass.CRYPTO}), manners=Manners(requests_a_minute=120)),
    "simulated": Provider(make=_simulated, manners=ON_DISK),
}  # fmt: skip
"""One line a provider. Those of the present are named in `settings.tree.LIVE_SOURCES` too (a test holds them equal)."""


def provider_of(name: str) -> Provider:
    """Return the table's line for a name of the settings."""
    return PROVIDERS[name.split(":", 1)[0]]


def lacking(settings: Settings) -> dict[str, str]:
    """Return what the named sources can't work without and have not got, by name."""
    said = {name: provider_of(name).lacks(settings) for name in settings.market_data}
    return {name: f"{PREFIX}MARKET_DATA names {name}. {says}" for name, says in said.items() if says}


def uninstalled(settings: Settings) -> dict[str, str]:
    """Return what to do about named sources whose package is not installed, by name."""
    packages = {name: provider_of(name).package for name in settings.market_data}
    return {name: _missing(name, package) for name, package in packages.items() if package and not find_spec(package)}


def _missing(name: str, package: str) -> str:
    return (
        f"{PREFIX}MARKET_DATA names {name}, which needs the package {package}: "
        f"./evil2root setup --with {name.split(':', 1)[0]}"
    )


def usual_symbols(settings: Settings) -> list[str]:
    """Return what is watched without a watchlist: the replay's symbols that are still traded and any source tells of."""
    told = frozenset[AssetClass]().union(*(provider_of(name).tells for name in settings.market_data))
    usual = SYMBOLS.get(settings.interval, DAILY)
    return [symbol for symbol in usual if symbol not in RENAMED and instrument_for(symbol).asset_class in told]


def unwatched(settings: Settings) -> str:
    """Say that nothing would be watched, and what to set; nothing where something would be."""
    if settings.watchlist or usual_symbols(settings):
        return ""
    told = frozenset[AssetClass]().union(*(provider_of(name).tells for name in settings.market_data))
    example = "AAPL,MSFT" if AssetClass.EQUITY in told else "BTC-USDT,ETH-USDT"
    usual = ", ".join(SYMBOLS.get(settings.interval, DAILY))
    return (
        f"{PREFIX}WATCHLIST is not set, and {','.join(settings.market_data)} tells of none of the usual "
        f"{settings.interval} symbols ({usual}): name what to watch, e.g. {PREFIX}WATCHLIST={example}."
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Live:
    """Where bars of the present come from."""

    sources: FailOver
    stream: QuoteStream | None
    """Of the first source that has one."""


@asynccontextmanager
async def opened_sources(settings: Settings, *, clock: Clock, calendars: Calendars) -> AsyncIterator[Live]:
    """Yield the sources that the settings name behind one port, in their order; close them afterwards.

    Raises `SettingsProblem` when one lacks a setting, or a package that is not installed.
    """
    lacks = lacking(settings)
    if lacks:
        raise SettingsProblem("\n".join(lacks.values()))
    async with AsyncExitStack() as stack:
        sources = []
        for name in settings.market_data:
            source = made(settings, name, clock=clock, calendars=calendars)
            stack.push_async_callback(source.close)
            sources.append(source)
        manners = {name: provider_of(name).manners for name in settings.market_data}
        voices = min(settings.market_data_voices, len(sources))
        fail_over = FailOver(sources, clock=clock, plan=Plan(manners=manners, voices=voices))
        yield Live(sources=fail_over, stream=stream_of(settings, clock=clock, calendars=calendars))


def stream_of(settings: Settings, *, clock: Clock, calendars: Calendars) -> QuoteStream | None:
    """Make the stream of the first named source that has one; none when none has. Opens no connection yet."""
    for name in settings.market_data:
        stream = provider_of(name).stream
        if stream is not None:
            return stream(Place(settings=settings, clock=clock, calendars=calendars, name=name))
    return None


def made(settings: Settings, name: str, *, clock: Clock, calendars: Calendars) -> OpenSource:
    """Make one source. Raises `SettingsProblem` when it lacks a setting or a package."""
    lacks = lacking(settings).get(name)
    if lacks is not None:
        raise SettingsProblem(lacks)
    place = Place(settings=settings, clock=clock, calendars=calendars, name=name, exchange=name.partition(":")[2])
    try:
        return provider_of(name).make(place)
    except ModuleNotFoundError as missing:
        raise SettingsProblem(_missing(name, missing.name or "that it imports")) from missing
