"""What a short command looks up: the same shapes the API serves, straight from the database."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, TypeVar

import polars as pl
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncEngine

from evil2root.adapters.postgres import tables
from evil2root.adapters.postgres.bars import PostgresBars
from evil2root.adapters.postgres.data_lock import app_runs
from evil2root.adapters.postgres.policies import PostgresPolicies
from evil2root.adapters.postgres.reads import PostgresReads
from evil2root.adapters.postgres.verify import first_breach
from evil2root.api.schemas.book import FillOut, OrderOut, PositionOut, TradeOut
from evil2root.api.schemas.decisions import DecisionOut, DecisionRowOut, RecomputedOut
from evil2root.domain.book.portfolio import Portfolio
from evil2root.domain.core.money import Money
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.kernel.policy import Policy
from evil2root.domain.kernel.record import Decision, Outcome
from evil2root.engine.desk import Recomputed
from evil2root.engine.reads import PAGE_MAX, Breach, DecisionFilter, Fate, Page
from evil2root.engine.recomputing import recomputed
from evil2root.main.commands import opened
from evil2root.main.failure import Failure
from evil2root.main.venues import account_of
from evil2root.settings import Settings

T = TypeVar("T")

COUNTED = ("decisions", "orders", "fills", "trades", "ledger_entries", "audit_log")
"""What a check of the books says it has gone through."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A decision, what it led to, and what its symbol costs now."""

    decision: Decision
    fate: Fate
    mark: Decimal | None
    """The last close; none when its symbol has none yet."""
    rate: Decimal | None
    """Account currency for a price of 1; none where its symbol is quoted in that."""


def _reads(settings: Settings, database: AsyncEngine) -> PostgresReads:
    return PostgresReads(database, account=account_of(settings))


async def _newest(limit: int, look: Callable[[int, str | None], Awaitable[Page[T]]]) -> list[T]:
    """Gather `limit` items, a page at a time; `look` is told how many and from which cursor."""
    found: list[T] = []
    cursor: str | None = None
    while len(found) < limit:
        page = await look(min(PAGE_MAX, limit - len(found)), cursor)
        found += page.items
        cursor = page.next
        if cursor is None:
            break
    return found


async def decisions(*, symbol: str | None, outcome: str | None, limit: int) -> list[dict[str, Any]]:
    """Return the newest decisions as rows."""
    which = DecisionFilter(symbol=symbol, outcomes=(Outcome(outcome),) if outcome else ())
    async with opened() as (settings, database):
        reads = _reads(settings, database)
        rows = await _newest(limit, lambda most, cursor: reads.decisions(which, limit=most, cursor=cursor))
    return [DecisionRowOut.model_validate(row).model_dump(mode="json") for row in rows]


async def decision(decision_id: str) -> Told:
    """Return a decision and what it led to; raises `Failure` when there is none."""
    async with opened() as (settings, database):
        reads = _reads(settings, database)
        found = await reads.decision(decision_id)
        if found is None:
            raise Failure(_unknown(decision_id))
        return await _told(reads, found)


async def _told(reads: PostgresReads, found: Decision) -> Told:
    carry = await reads.carry()
    mark = None if carry is None else carry.marks.get(found.symbol)
    return Told(decision=found, fate=await reads.fate(found.id), mark=mark,
                rate=None if carry is None else carry.rates.get(found.symbol))  # fmt: skip


def as_json(found: Decision) -> dict[str, Any]:
    """Write a decision as the API does."""
    return DecisionOut.of(found).model_dump(mode="json")


async def latest(symbol: str, *, at: datetime | None) -> Told:
    """Return the latest decision on a symbol, at or before a time."""
    async with opened() as (settings, database):
        reads = _reads(settings, database)
        found = await reads.latest_decision(symbol, at=at)
        if found is None:
            known = ", ".join(row.symbol for row in await reads.symbols(until=None)) or "none"
            text = (
                f"Nothing was decided on {symbol}{f' until {at.isoformat()}' if at else ''}. Stored symbols: {known}."
            )
            raise Failure(text)
        return await _told(reads, found)


async def replay_one(decision_id: str) -> dict[str, Any]:
    """Recompute one decision from what was stored."""
    async with opened() as (settings, database):
        found = await _reads(settings, database).decision(decision_id)
        if found is None:
            raise Failure(_unknown(decision_id))
        try:
            result = await recomputed(found, windows=PostgresBars(database), policies=PostgresPolicies(database))
        except LookupError as problem:
            raise Failure(str(problem)) from problem
    return RecomputedOut.of(result).model_dump(mode="json")


class _Kept:
    """Policies and series looked up once for many decisions."""

    def __init__(self, database: AsyncEngine) -> None:
        self._bars, self._policies = PostgresBars(database), PostgresPolicies(database)
        self._series: dict[tuple[str, Interval], pl.DataFrame] = {}
        self._found: dict[str, Policy | None] = {}

    async def find(self, digest: str) -> Policy | None:
        """Return a policy by its digest."""
        if digest not in self._found:
            self._found[digest] = await self._policies.find(digest)
        return self._found[digest]

    async def window(self, symbol: str, interval: Interval, *, start: datetime, until: datetime) -> pl.DataFrame:
        """Return the bars a decision saw."""
        key = symbol, interval
        if key not in self._series:
            self._series[key] = await self._bars.series(symbol, interval)
        return self._series[key].filter((pl.col("opened_at") >= start) & (pl.col("closed_at") <= until))

    async def window_then(
        self, symbol: str, interval: Interval, *, start: datetime, until: datetime, of: tuple[str, datetime]
    ) -> pl.DataFrame:
        """Return them as they were stored when the bar `of` a symbol and an opening was."""
        return await self._bars.window_then(symbol, interval, start=start, until=until, of=of)


async def replay_all(progress: Callable[[int, int], None]) -> tuple[int, dict[str, Recomputed]]:
    """Recompute every decision; how many there are, and those that came out otherwise."""
    different: dict[str, Recomputed] = {}
    async with opened() as (settings, database):
        reads, kept = _reads(settings, database), _Kept(database)
        carry = await reads.carry()
        total = 0 if carry is None else carry.decisions
        for number in range(1, total + 1):
            found = await reads.decision(f"D-{number}")
            if found is None:
                text = f"Decision D-{number} is missing: run `evil2root ledger verify`."
                raise Failure(text)
            try:
                result = await recomputed(found, windows=kept, policies=kept)
            except LookupError as problem:
                raise Failure(str(problem)) from problem
            if not result.identical:
                different[found.id] = result
            progress(number, total)
    return total, different


async def orders(*, symbol: str | None, only_open: bool, limit: int) -> list[dict[str, Any]]:
    """Return orders, newest first."""
    async with opened() as (settings, database):
        reads = _reads(settings, database)
        if only_open:
            rows = [o for o in await reads.open_orders() if symbol in (None, o.symbol)]
        else:
            rows = await _newest(limit, lambda most, cursor: reads.orders(symbol=symbol, limit=most, cursor=cursor))
    return [OrderOut.model_validate(row).model_dump(mode="json") for row in rows[:limit]]


async def fills(*, symbol: str | None, limit: int) -> list[dict[str, Any]]:
    """Return fills, newest first."""
    async with opened() as (settings, database):
        reads = _reads(settings, database)
        rows = await _newest(limit, lambda most, cursor: reads.fills(symbol=symbol, limit=most, cursor=cursor))
    return [FillOut.model_validate(row).model_dump(mode="json") for row in rows]


async def trades(*, symbol: str | None, limit: int) -> list[dict[str, Any]]:
    """Return closed round trips, newest first."""
    async with opened() as (settings, database):
        reads = _reads(settings, database)
        rows = await _newest(limit, lambda most, cursor: reads.trades(symbol=symbol, limit=most, cursor=cursor))
    return [TradeOut.model_validate(row).model_dump(mode="json") for row in rows]


async def positions() -> list[dict[str, Any]]:
    """Return what is held, marked at the last close."""
    async with opened() as (settings, database):
        reads = _reads(settings, database)
        held, carry, cash = await reads.positions(), await reads.carry(), await reads.cash()
    portfolio = Portfolio(
        cash=Money(cash),
        positions={p.symbol: p for p in held},
        marks={} if carry is None else carry.marks,
        rates={} if carry is None else carry.rates,
    )
    return [PositionOut.of(p, portfolio).model_dump(mode="json") for p in held]


async def account() -> dict[str, Any] | None:
    """Return how the account stands; none when nothing ever ran."""
    async with opened() as (settings, database):
        reads = _reads(settings, database)
        carry = await reads.carry()
        if carry is None:
            return None
        held, cash = await reads.positions(), await reads.cash()
    # Whoever shares a database server may run anywhere: only the embedded one tells.
    runs = None if settings.database_url is not None else app_runs(settings.data_folder)
    return {
        "account": account_of(settings), "worked_through": carry.closed_at, "decisions": carry.decisions, "equity": carry.equity,
        "cash": cash, "positions": len(held), "peak": carry.peak, "breaker": carry.breaker.state.value,
        "reason": carry.breaker.reason, "by": carry.breaker.by, "since": carry.breaker.at, "app_running": runs,
        "data_dir": str(settings.data_folder),
    }  # fmt: skip


async def verify() -> tuple[Breach | None, dict[str, int]]:
    """Recompute every balance and invariant: the first breach, and how many rows of each table there are."""
    async with opened() as (_, database):
        breach = await first_breach(database)
        query = select(
            *(select(func.count()).select_from(getattr(tables, name)).scalar_subquery().label(name) for name in COUNTED)
        )
        async with database.connect() as connection:
            return breach, dict((await connection.execute(query)).mappings().one())


def _unknown(decision_id: str) -> str:
    return f"There is no decision {decision_id}: `evil2root decisions list` shows them, as D-1, D-2, ..."
