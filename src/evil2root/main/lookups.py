"""What a short command looks up: the same shapes the API serves, straight from the database."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import polars as pl
from sqlalchemy.ext.asyncio import AsyncEngine

from evil2root.adapters.postgres.bars import PostgresBars
from evil2root.adapters.postgres.policies import PostgresPolicies
from evil2root.adapters.postgres.reads import PostgresReads
from evil2root.adapters.postgres.verify import first_breach
from evil2root.api.schemas.book import FillOut, OrderOut, TradeOut
from evil2root.api.schemas.decisions import DecisionOut, DecisionRowOut, RecomputedOut
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.kernel.policy import Policy
from evil2root.domain.kernel.record import Decision, Outcome
from evil2root.engine.desk import Recomputed
from evil2root.engine.reads import PAGE_MAX, Breach, DecisionFilter, Fate
from evil2root.engine.trading_desk import recomputed
from evil2root.main.commands import opened
from evil2root.main.failure import Failure
from evil2root.main.trading import ACCOUNT


def _reads(database: AsyncEngine) -> PostgresReads:
    return PostgresReads(database, account=ACCOUNT)


async def decisions(*, symbol: str | None, outcome: str | None, limit: int) -> list[dict[str, Any]]:
    """Return the newest decisions as rows."""
    which = DecisionFilter(symbol=symbol, outcomes=(Outcome(outcome),) if outcome else ())
    found: list[dict[str, Any]] = []
    cursor: str | None = None
    async with opened() as (_, database):
        while len(found) < limit:
            page = await _reads(database).decisions(which, limit=min(PAGE_MAX, limit - len(found)), cursor=cursor)
            found += [DecisionRowOut.model_validate(row).model_dump(mode="json") for row in page.items]
            cursor = page.next
            if cursor is None:
                break
    return found


async def decision(decision_id: str) -> tuple[Decision, Fate]:
    """Return a decision and what it led to; raises `Failure` when there is none."""
    async with opened() as (_, database):
        reads = _reads(database)
        found = await reads.decision(decision_id)
        if found is None:
            raise Failure(_unknown(decision_id))
        return found, await reads.fate(decision_id)


def as_json(found: Decision) -> dict[str, Any]:
    """Write a decision as the API does."""
    return DecisionOut.of(found).model_dump(mode="json")


async def latest(symbol: str, *, at: datetime | None) -> tuple[Decision, Fate]:
    """Return the latest decision on a symbol, at or before a time."""
    async with opened() as (_, database):
        reads = _reads(database)
        found = await reads.latest_decision(symbol, at=at)
        if found is None:
            known = ", ".join(row.symbol for row in await reads.symbols(until=None)) or "none"
            text = (
                f"Nothing was decided on {symbol}{f' until {at.isoformat()}' if at else ''}. Stored symbols: {known}."
            )
            raise Failure(text)
        return found, await reads.fate(found.id)


async def replay_one(decision_id: str) -> dict[str, Any]:
    """Recompute one decision from what was stored."""
    async with opened() as (_, database):
        found = await _reads(database).decision(decision_id)
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


async def replay_all(progress: Callable[[int, int], None]) -> tuple[int, dict[str, Recomputed]]:
    """Recompute every decision; how many there are, and those that came out otherwise."""
    different: dict[str, Recomputed] = {}
    async with opened() as (_, database):
        reads, kept = _reads(database), _Kept(database)
        carry = await reads.carry()
        total = 0 if carry is None else carry.decisions
        for number in range(1, total + 1):
            found = await reads.decision(f"D-{number}")
            if found is None:
                text = f"Decision D-{number} is missing: run `evil2root ledger verify`."
                raise Failure(text)
            result = await recomputed(found, windows=kept, policies=kept)
            if not result.identical:
                different[found.id] = result
            progress(number, total)
    return total, different


async def orders(*, symbol: str | None, only_open: bool, limit: int) -> list[dict[str, Any]]:
    """Return orders, newest first."""
    async with opened() as (_, database):
        reads = _reads(database)
        if only_open:
            rows = [o for o in await reads.open_orders() if symbol in (None, o.symbol)]
        else:
            rows = list((await reads.orders(symbol=symbol, limit=min(limit, PAGE_MAX), cursor=None)).items)
    return [OrderOut.model_validate(row).model_dump(mode="json") for row in rows[:limit]]


async def fills(*, symbol: str | None, limit: int) -> list[dict[str, Any]]:
    """Return fills, newest first."""
    async with opened() as (_, database):
        page = await _reads(database).fills(symbol=symbol, limit=min(limit, PAGE_MAX), cursor=None)
    return [FillOut.model_validate(row).model_dump(mode="json") for row in page.items]


async def trades(*, symbol: str | None, limit: int) -> list[dict[str, Any]]:
    """Return closed round trips, newest first."""
    async with opened() as (_, database):
        page = await _reads(database).trades(symbol=symbol, limit=min(limit, PAGE_MAX), cursor=None)
    return [TradeOut.model_validate(row).model_dump(mode="json") for row in page.items]


async def positions() -> list[dict[str, Any]]:
    """Return what is held, marked at the last close."""
    async with opened() as (_, database):
        reads = _reads(database)
        held, carry = await reads.positions(), await reads.carry()
    marks = {} if carry is None else carry.marks
    rows = []
    for p in held:
        mark = marks.get(p.symbol, p.average_price)
        rows.append(
            {"symbol": p.symbol, "side": p.side.value, "quantity": p.quantity, "average_price": p.average_price,
             "last": mark, "value": p.value(mark), "unrealised": p.unrealised(mark), "stop": p.stop,
             "target": p.target, "opened_at": p.opened_at, "decision_id": p.decision_id}
        )  # fmt: skip
    return rows


async def account() -> dict[str, Any] | None:
    """Return how the account stands; none when nothing ever ran."""
    async with opened() as (_, database):
        reads = _reads(database)
        carry = await reads.carry()
        if carry is None:
            return None
        held, cash = await reads.positions(), await reads.cash()
    return {
        "account": ACCOUNT, "worked_through": carry.closed_at, "decisions": carry.decisions, "equity": carry.equity,
        "cash": cash, "positions": len(held), "peak": carry.peak, "breaker": carry.breaker.state.value,
        "reason": carry.breaker.reason,
    }  # fmt: skip


async def verify() -> Breach | None:
    """Recompute every balance and invariant; the first breach."""
    async with opened() as (_, database):
        return await first_breach(database)


def _unknown(decision_id: str) -> str:
    return f"There is no decision {decision_id}: `evil2root decisions list` shows them, as D-1, D-2, ..."
