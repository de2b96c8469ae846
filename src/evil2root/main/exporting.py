"""Stored bars and their features into files, for who studies them elsewhere."""

import asyncio
import json
import shlex
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import polars as pl

from evil2root import __version__
from evil2root.adapters.market_data.files import write_parquet, write_table
from evil2root.adapters.postgres.bars import PostgresBars
from evil2root.adapters.system_clock import SystemClock
from evil2root.domain.core.instrument import AssetClass, Instrument, instrument_for, require_symbol
from evil2root.domain.core.timeframe import Interval, interval
from evil2root.domain.market.around.family import Around
from evil2root.domain.market.around.registry import AROUND_HASH, features_around
from evil2root.domain.market.catalogue.measures import MEASURES
from evil2root.domain.market.catalogue.registry import CATALOGUE_HASH
from evil2root.domain.market.catalogue.states import STATES
from evil2root.domain.market.features import FEATURES_HASH
from evil2root.domain.market.fundamentals import Company, Fundamentals, FundamentalsUnavailable
from evil2root.domain.market.indicators import INDICATORS
from evil2root.domain.market.window import features_series, windowed
from evil2root.engine.surroundings import Surroundings
from evil2root.main.commands import opened
from evil2root.main.failure import USAGE, Failure
from evil2root.settings import Settings

EVENTS_FROM = "yfinance"
"""The one provider that tells of companies."""

Tell = Callable[[str, int], None]
"""Takes what is done now, and how many symbols are done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A file, and what is in it."""

    symbol: str
    file: Path
    bars: int
    first: datetime
    last: datetime
    """Opening of the first bar and close of the last."""
    features: int = 0
    empty: tuple[str, ...] = ()
    """Features without a single value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeaturesWritten:
    """Files of features, and what they lack."""

    files: tuple[Written, ...]
    lacking: tuple[str, ...]
    """Neighbours of which nothing is stored, or nothing new enough."""
    fetch: str
    """The command that brings them; empty when none lacks."""
    events_from: str | None
    """Who told of companies; none when nobody was asked."""
    no_events: Mapping[str, str]
    """Why there are no events: by symbol, or of all under an empty name."""


async def bars_out(symbols: Sequence[str], output: Path, *, step: str) -> tuple[Written, ...]:
    """Write stored series as they are, raw prices and factors; each file all or nothing. Raises `Failure`."""
    names, length = _named(symbols, step)
    files = _files(names, length, output, ending="parquet")
    async with opened() as (_, database):
        bars, made = PostgresBars(database), []
        await _require_stored(bars, names, length)
        for name in names:
            stored = await bars.stored(name, length)
            write_parquet(stored, _ready(files[name]))
            made.append(_written(name, files[name], stored))
    return tuple(made)


async def features_out(symbols: Sequence[str], output: Path, *, step: str, tell: Tell) -> FeaturesWritten:
    """Write every feature of stored series, and of what is around them; each file all or nothing. Raises `Failure`."""
    names, length = _named(symbols, step)
    files = _files(names, length, output, ending="features.parquet")
    instruments, until = [instrument_for(name) for name in names], SystemClock().now()
    async with opened() as (settings, database), _companies(settings) as (companies, unasked):
        bars = PostgresBars(database)
        await _require_stored(bars, names, length)
        tell("what is around", 0)
        surroundings = Surroundings(bars, neighbours=settings.features.neighbours(), fundamentals=companies)
        around = await surroundings.around(instruments, length, until=until)
        words = _words(length, names, events_from=None if companies is None else companies.name)
        made = []
        for done, instrument in enumerate(instruments):
            name = instrument.symbol
            tell(name, done)
            series = await bars.series(name, length, until=until)
            table = await asyncio.to_thread(feature_table, series, around[name])
            told = words | {"evil2root.symbol": name}
            await asyncio.to_thread(write_table, table, _ready(files[name]), metadata=told)
            made.append(_written(name, files[name], table))
        tell("done", len(names))
        lacking = surroundings.lacking(instruments, around, last={one.symbol: one.last for one in made})
        begins = min(one.first for one in made)
    return FeaturesWritten(
        files=tuple(made), lacking=lacking, fetch=_fetching(lacking, length, begins),
        events_from=None if companies is None else companies.name,
        no_events=_unknown(companies, unasked, instruments),
    )  # fmt: skip


EXPORTED = (*INDICATORS, *MEASURES, *STATES)
"""What decisions read, and what is made for studies: returns, volatilities, liquidity, regimes, fractional differences."""


def feature_table(bars: pl.DataFrame, around: Around) -> pl.DataFrame:
    """The bars' times and close, then one column a feature; both kinds start where a decision's window would."""
    own = features_series(bars, indicators=EXPORTED)
    beside = windowed(bars, partial(features_around, around=around)).drop("opened_at", "closed_at")
    return own.hstack(beside)


class _Heard:
    """A `Fundamentals` that notes who could not be told of, and why."""

    def __init__(self, source: Fundamentals) -> None:
        self._source, self.name = source, source.name
        self.silent: dict[str, str] = {}

    async def company(self, symbol: str) -> Company:
        """Ask the source."""
        try:
            return await self._source.company(symbol)
        except FundamentalsUnavailable as problem:
            self.silent[symbol] = str(problem)
            raise


@asynccontextmanager
async def _companies(settings: Settings) -> AsyncIterator[tuple[_Heard | None, str]]:
    """Yield who tells of companies, or none and why."""
    if EVENTS_FROM not in settings.market_data:
        yield None, f"Nobody is set who tells of companies: EVIL2ROOT_MARKET_DATA does not name {EVENTS_FROM}"
    elif not find_spec("yfinance"):
        yield None, f"The package yfinance is not installed: ./evil2root setup --with {EVENTS_FROM}"
    else:
        from evil2root.adapters.market_data.yahoo_fundamentals import YahooFundamentals  # noqa: PLC0415 - an extra
        from evil2root.adapters.market_data.yahoo_wire import YahooWire  # noqa: PLC0415

        wire = YahooWire(settings.yfinance.base_url, folder=settings.data_folder / "yfinance")
        source = YahooFundamentals(wire, clock=SystemClock())
        try:
            yield _Heard(source), ""
        finally:
            await source.close()


def _unknown(companies: _Heard | None, unasked: str, instruments: Sequence[Instrument]) -> dict[str, str]:
    if companies is None:  # coins and currencies publish nothing: there is nothing to say of them
        return {"": unasked} if any(one.asset_class is AssetClass.EQUITY for one in instruments) else {}
    return {one.symbol: companies.silent[one.symbol] for one in instruments if one.symbol in companies.silent}


def _named(symbols: Sequence[str], step: str) -> tuple[list[str], Interval]:
    try:
        return [require_symbol(symbol) for symbol in dict.fromkeys(symbols)], interval(step)
    except ValueError as problem:
        raise Failure(str(problem), code=USAGE) from problem


def _files(names: Sequence[str], length: Interval, output: Path, *, ending: str) -> dict[str, Path]:
    """Name a file for each symbol: the output itself for one, else `SYMBOL_INTERVAL` in the folder it names.

    A name without an ending is a folder for one symbol, too: a script need not know how many there are.
    """
    if len(names) == 1 and (output.is_file() or (output.suffix and not output.is_dir())):
        return {names[0]: output}
    if output.suffix == ".parquet" and not output.is_dir():
        text = f"{output} names one file, and {len(names)} symbols are exported: name a folder with -o."
        raise Failure(text, code=USAGE)
    files = {name: output / f"{name.replace('/', '-')}_{length}.{ending}" for name in names}
    for name, file in files.items():
        if (other := next(one for one, path in files.items() if path == file)) != name:
            text = f"{other} and {name} would both be written to {file.name}: export one of them to a file of its own."
            raise Failure(text, code=USAGE)
    return files


def _ready(path: Path) -> Path:
    """Make the folder of a file. Raises `Failure` when that can't be."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        text = f"{path.parent} can't be made ({problem.strerror}): name a folder you may write to."
        raise Failure(text) from problem
    return path


async def _require_stored(bars: PostgresBars, names: Sequence[str], length: Interval) -> None:
    without = sorted(set(names) - (await bars.newest_sources(names, length)).keys())
    if without:
        text = f"There are no {length} bars of {', '.join(without)} to export: `evil2root data check` lists what is stored."
        raise Failure(text)


def _words(length: Interval, universe: Sequence[str], *, events_from: str | None) -> dict[str, str]:
    """What stands in the file beside the columns."""
    return {
        "evil2root.version": __version__, "evil2root.interval": length.value,
        "evil2root.features_hash": FEATURES_HASH, "evil2root.catalogue_hash": CATALOGUE_HASH, "evil2root.around_hash": AROUND_HASH,
        "evil2root.universe": json.dumps(list(universe)), "evil2root.events_from": events_from or "",
    }  # fmt: skip


def _written(symbol: str, file: Path, table: pl.DataFrame) -> Written:
    features = [name for name in table.columns if name not in {"opened_at", "closed_at", "close"}]
    empty = [name for name in features if table[name].null_count() == table.height]
    return Written(
        symbol=symbol, file=file, bars=table.height, first=table["opened_at"][0], last=table["closed_at"][-1],
        features=len(features), empty=tuple(empty),
    )  # fmt: skip


def _fetching(lacking: Sequence[str], length: Interval, begins: datetime) -> str:
    if not lacking:
        return ""
    return f"evil2root data fetch {shlex.join(lacking)} --interval {length} --start {begins.date().isoformat()}"
