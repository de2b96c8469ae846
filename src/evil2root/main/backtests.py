"""Backtests for the command line: stored bars or the packaged history through the kernel, measured and written out."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl

from evil2root import __version__
from evil2root.adapters.market_data.packaged import packaged
from evil2root.adapters.postgres.quality import PostgresQuality
from evil2root.adapters.postgres.snapshots import Snapshots
from evil2root.domain.book.export import trades_csv
from evil2root.domain.book.performance import Performance, measure
from evil2root.domain.core.instrument import instrument_for, require_symbol
from evil2root.domain.core.money import ZERO, Money
from evil2root.domain.core.timeframe import Interval, interval
from evil2root.domain.kernel.policy import Policy
from evil2root.domain.kernel.profiles import data_options, make_policy
from evil2root.domain.market.adjust import adjusted
from evil2root.domain.market.bars import BarsUnavailable
from evil2root.domain.market.calendars import sessions_or_nowhere
from evil2root.domain.market.history import History
from evil2root.engine.observe import Background
from evil2root.engine.replay import Run, backtest
from evil2root.engine.report import Sheet, tear_sheet
from evil2root.main.commands import opened
from evil2root.main.failure import USAGE, Failure
from evil2root.main.trading import calendars_of
from evil2root.settings import Settings, load

SNAPSHOTS = "snapshots"
"""Folder of series as files, in the data directory; it may be emptied at any time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A run as it was asked for; texts as they were typed."""

    symbols: Sequence[str]
    """Empty: all symbols the packaged history has for the interval."""
    interval: str
    start: datetime | None
    end: datetime | None
    strategy: str | None
    cash: str | None
    options: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A finished run with its measures."""

    policy: Policy
    options: Mapping[str, str]
    run: Run
    performance: Performance
    start: datetime
    end: datetime
    cash: Decimal
    seconds: float
    origin: str


async def perform(asked: Asked, progress: Callable[[int, int], None]) -> Done:
    """Run it. Raises `Failure` with exit code 2 for what was asked wrongly, `BarsUnavailable` where bars are missing."""
    settings = load()
    with _wrong_usage():
        step = interval(asked.interval)
        symbols = [require_symbol(symbol) for symbol in asked.symbols] or list(packaged(step))
        rates = [symbol for symbol in settings.rates if symbol not in symbols]
        watched = [*symbols, *rates]
        name = asked.strategy or settings.strategy
        options = {**settings.policy_options(name), **asked.options}
        policy = make_policy(
            name, options, account="backtest", currency=settings.paper.currency, interval=step,
            instruments={symbol: instrument_for(symbol) for symbol in watched}, rates=rates,
        )  # fmt: skip
        raw = not data_options(name, options).adjusted
        cash = _cash(asked.cash, settings)
        if asked.start is not None and asked.end is not None and asked.start >= asked.end:
            msg = f"--start {asked.start.isoformat()} is not before --end {asked.end.isoformat()}."
            raise ValueError(msg)
    histories, marks = await _histories(settings, watched, step)
    frames = {symbol: _bars(history.stored, raw=raw, end=asked.end) for symbol, history in histories.items()}
    began = time.perf_counter()
    try:
        run = await asyncio.to_thread(
            backtest, policy, frames, cash=Money(cash), start=asked.start, progress=progress,
            backgrounds=_backgrounds(settings, histories, marks),
        )  # fmt: skip
    except ValueError as problem:
        raise Failure(str(problem)) from problem
    seconds = time.perf_counter() - began
    open_borrow = sum((p.borrow for p in run.state.portfolio.positions.values()), ZERO)
    performance = measure(run.points, trades=run.trades, fills=run.fills, borrow=Money(open_borrow))
    origin = "; ".join(dict.fromkeys(history.origin for history in histories.values()))
    return Done(
        policy=policy, options=options, run=run, performance=performance, start=run.points[0].at, end=run.points[-1].at,
        cash=cash, seconds=seconds, origin=origin,
    )  # fmt: skip


class _wrong_usage:  # noqa: N801 - read as a word in a with statement
    """Turn a refused value into a failure of exit code 2."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, _kind: object, problem: BaseException | None, _trace: object) -> None:
        if isinstance(problem, ValueError):
            raise Failure(str(problem), code=USAGE) from problem


def _cash(text: str | None, settings: Settings) -> Decimal:
    if text is None:
        return settings.paper.cash
    try:
        cash = Decimal(text)
    except ArithmeticError:
        cash = Decimal("NaN")
    if not cash.is_finite() or not 0 < cash <= Decimal("1e12"):
        msg = f"--cash {text} must be an amount above 0 and at most 1000000000000, for example --cash 10000."
        raise ValueError(msg)
    return cash


def _backgrounds(
    settings: Settings, histories: Mapping[str, History], marks: Mapping[str, pl.DataFrame]
) -> dict[str, Background]:
    """What data passports are made from: for the packaged history, what a replay would have stored of it."""
    calendars, made = calendars_of(settings), {}
    for symbol, history in histories.items():
        told = marks.get(symbol)
        if told is None:
            origin = pl.lit(history.origin).alias("source")
            told = history.stored.select("opened_at", origin, repaired=False, agreed=False)
        made[symbol] = Background(sessions=sessions_or_nowhere(calendars, instrument_for(symbol)), marks=told)
    return made


async def _histories(
    settings: Settings, symbols: Sequence[str], step: Interval
) -> tuple[dict[str, History], dict[str, pl.DataFrame]]:
    """Return stored bars with their marks where there are any, else the packaged ones."""
    found: dict[str, History] = {}
    marks: dict[str, pl.DataFrame] = {}
    if settings.database_url is not None or (settings.data_folder / "postgres").exists():
        async with opened() as (_, database):
            bars = Snapshots(database, settings.data_folder / SNAPSHOTS)
            for symbol in symbols:
                stored = await bars.stored(symbol, step)
                if stored.height:
                    found[symbol] = History(symbol=symbol, interval=step, stored=stored, origin="stored bars")
                    marks[symbol] = await PostgresQuality(database).marks(symbol, step)
    left = [symbol for symbol in symbols if symbol not in found]
    known = packaged(step) if left else {}
    missing = [symbol for symbol in left if symbol not in known]
    if missing:
        have = ", ".join(known) or "nothing"
        msg = (
            f"There are no {step} bars of {', '.join(missing)}: import some with `evil2root data import FILE "
            f"--symbol {missing[0]} --interval {step}`. Recorded history has {have} for this interval."
        )
        raise BarsUnavailable(msg)
    return {symbol: found.get(symbol) or known[symbol] for symbol in symbols}, marks


def _bars(stored: pl.DataFrame, *, raw: bool, end: datetime | None) -> pl.DataFrame:
    frame = stored.drop("factor") if raw else adjusted(stored.drop("factor"), factor=stored["factor"])
    return frame if end is None else frame.filter(pl.col("opened_at") < end)


def as_json(done: Done) -> dict[str, Any]:
    """Give a run for programs: exact decimals, times, and none where there is no figure."""
    run, state = done.run, done.run.state
    return {
        "strategy": done.policy.strategy.name,
        "options": dict(done.options),
        "symbols": list(done.policy.traded),
        "rates": sorted(done.policy.rates),
        "currency": done.policy.currency,
        "interval": done.policy.interval.value,
        "start": done.start,
        "end": done.end,
        "bars": run.bars,
        "initial_cash": done.cash,
        "final_equity": run.points[-1].equity,
        "closed_trades": len(run.trades),
        "open_trades": len(state.portfolio.positions),
        "trades": [
            {"symbol": t.symbol, "side": t.side.value, "quantity": t.quantity, "entry_time": t.entry_time,
             "entry_price": t.entry_price, "exit_time": t.exit_time, "exit_price": t.exit_price,
             "exit_reason": t.exit_reason, "fees": t.fees, "borrow": t.borrow, "pnl": t.pnl}
            for t in run.trades
        ],
        "open_positions": [
            {"symbol": p.symbol, "quantity": p.quantity, "average_price": p.average_price, "opened_at": p.opened_at,
             "unrealised": state.portfolio.unrealised_of(p), "rate": state.portfolio.rate(p)}
            for p in state.portfolio.positions.values()
        ],
        "performance": _plain(asdict(done.performance)),
        "buy_and_hold": None if done.performance.benchmark is None else _plain(asdict(done.performance.benchmark)),
        "decisions": {outcome.value: n for outcome, n in run.outcomes.items() if n},
        "fees": sum((f.fee for f in run.fills), ZERO),
        "slippage": sum((f.slippage for f in run.fills), ZERO),
        "borrow": done.performance.paid.borrow if done.performance.paid is not None else ZERO,
        "parked": len(run.parked),
        "stopped": None if state.carry.breaker.lets_in else {
            "at": state.carry.breaker.at, "reason": state.carry.breaker.reason, "ends": state.carry.breaker.ends,
        },
        "seconds": round(done.seconds, 3),
    }  # fmt: skip


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return value.total_seconds() if hasattr(value, "total_seconds") else value


def write_files(done: Done, *, html: Path | None, trades: Path | None) -> None:
    """Write the tear sheet and the trades, each whole or not at all."""
    if html is not None:
        sheet = Sheet(
            title=f"{done.policy.strategy.name} on {', '.join(done.policy.traded)}",
            strategy=done.policy.strategy.name, symbols=done.policy.traded,
            interval=done.policy.interval, start=done.start, end=done.end, options=done.options,
            points=tuple(done.run.points), trades=tuple(done.run.trades), performance=done.performance,
            costs=done.policy.costs, currency=done.policy.currency, history=done.origin,
            made_by=f"EVIL2ROOT {__version__}",
        )  # fmt: skip
        _write(html, tear_sheet(sheet))
    if trades is not None:
        _write(trades, trades_csv(done.run.trades))


def _write(path: Path, text: str) -> None:
    fresh = path.with_name(f".{path.name}.part")
    try:
        fresh.write_text(text, encoding="utf-8")
        fresh.replace(path)
    except OSError as problem:
        with suppress(OSError):
            fresh.unlink()
        says = (
            f"{path} can't be written ({problem.strerror}): name a file in a folder that exists and you may write to."
        )
        raise Failure(says) from problem
