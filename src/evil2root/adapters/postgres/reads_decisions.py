"""Reads of decisions: the list, one with all it rests on, and what it led to."""

from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping, Select, case, func, or_, select, true
from sqlalchemy.ext.asyncio import AsyncEngine

from evil2root.adapters.postgres import tables
from evil2root.adapters.postgres.codec import FILL, ORDER, ORDER_EVENT, POSITION, TRADE, decision_of
from evil2root.adapters.postgres.paging import page
from evil2root.domain.core.side import Side
from evil2root.domain.core.timeframe import Interval
from evil2root.domain.kernel.record import Decision, Outcome
from evil2root.engine.reads import DecisionFilter, DecisionRow, Fate, Page

_LISTED = "id sequence at symbol interval strategy wants side outcome score why why_not"


class DecisionReads:
    """The part of `Reads` that looks into the decisions of one account."""

    _engine: AsyncEngine
    _account: str

    async def decisions(self, which: DecisionFilter, *, limit: int, cursor: str | None) -> Page[DecisionRow]:
        """Return decisions as lines, newest first."""
        decision, order, trade = tables.decisions, tables.orders, tables.trades
        first = (
            select(order.c.state)
            .where(order.c.account == decision.c.account, order.c.decision_id == decision.c.id)
            .order_by(order.c.number)
            .limit(1)
            .scalar_subquery()
        )
        entered = (
            select(trade.c.pnl, trade.c.risk)
            .where(trade.c.account == decision.c.account, trade.c.entry_decision_id == decision.c.id)
            .limit(1)
            .lateral()
        )
        query = (
            select(*(decision.c[name] for name in _LISTED.split()), first.label("state"), entered.c.pnl, entered.c.risk)
            .select_from(decision.outerjoin(entered, true()))
            .where(*self._narrowed(which))
        )
        async with self._engine.connect() as connection:
            return await page(
                connection, query, key=decision.c.sequence, limit=limit, cursor=cursor, value=_line
            )  # fmt: skip

    async def decision_counts(self, which: DecisionFilter) -> dict[Outcome, int]:
        """Count decisions by outcome."""
        decision = tables.decisions.c
        query = select(decision.outcome, func.count()).where(*self._narrowed(which)).group_by(decision.outcome)
        async with self._engine.connect() as connection:
            return {Outcome(outcome): count for outcome, count in await connection.execute(query)}

    def _narrowed(self, which: DecisionFilter) -> list[Any]:
        decision = tables.decisions.c
        narrowed = [decision.account == self._account]
        if which.symbol is not None:
            narrowed.append(decision.symbol == which.symbol)
        if which.outcomes:
            narrowed.append(decision.outcome.in_(which.outcomes))
        if which.since is not None:
            narrowed.append(decision.at >= which.since)
        if which.until is not None:
            narrowed.append(decision.at < which.until)
        return narrowed

    async def decision(self, decision_id: str) -> Decision | None:
        """Return a decision with all it rests on."""
        return await self._one(self._mine().where(tables.decisions.c.id == decision_id))

    async def latest_decision(self, symbol: str, *, at: datetime | None) -> Decision | None:
        """Return the newest decision about a symbol, made at or before `at`."""
        decision = tables.decisions.c
        query = self._mine().where(decision.symbol == symbol)
        if at is not None:
            query = query.where(decision.at <= at)
        return await self._one(query.order_by(decision.sequence.desc()).limit(1))

    def _mine(self) -> Select[Any]:
        return select(tables.decisions).where(tables.decisions.c.account == self._account)

    async def _one(self, query: Select[Any]) -> Decision | None:
        async with self._engine.connect() as connection:
            row = (await connection.execute(query)).mappings().first()
        return None if row is None else decision_of(row)

    async def fate(self, decision_id: str) -> Fate:
        """Return what a decision led to; for an exit the round trip it ended."""
        order, event, fill = tables.orders, tables.order_events, tables.fills
        trade, position, decision = tables.trades, tables.positions, tables.decisions
        mine = (order.c.account == self._account) & (order.c.decision_id == decision_id)
        orders = select(order).where(mine).order_by(order.c.number)
        events = select(event).join(order).where(mine).order_by(order.c.number, event.c.seq)
        fills = select(fill).join(order).where(mine).order_by(fill.c.number)
        ends = or_(trade.c.entry_decision_id == decision_id, trade.c.exit_decision_id == decision_id)
        entered_first = case((trade.c.entry_decision_id == decision_id, 0), else_=1)
        trades = select(trade).where(trade.c.account == self._account, ends).order_by(entered_first).limit(1)
        positions = select(position).where(
            position.c.account == self._account, position.c.decision_id == decision_id
        )  # fmt: skip
        here = select(decision.c.sequence).where(decision.c.account == self._account, decision.c.id == decision_id)
        around = select(decision.c.id, decision.c.sequence, here.scalar_subquery().label("here")).where(
            decision.c.account == self._account,
            decision.c.sequence.in_([here.scalar_subquery() - 1, here.scalar_subquery() + 1]),
        )
        async with self._engine.connect() as connection:
            ended = (await connection.execute(trades)).mappings().first()
            held = (await connection.execute(positions)).mappings().first()
            neighbours = {row.sequence - row.here: row.id for row in await connection.execute(around)}
            return Fate(
                orders=tuple(ORDER.value(row) for row in (await connection.execute(orders)).mappings()),
                events=tuple(ORDER_EVENT.value(row) for row in (await connection.execute(events)).mappings()),
                fills=tuple(FILL.value(row) for row in (await connection.execute(fills)).mappings()),
                trade=None if ended is None else TRADE.value(ended),
                position=None if held is None else POSITION.value(held),
                previous=neighbours.get(-1),
                next=neighbours.get(1),
            )


def _line(row: RowMapping) -> DecisionRow:
    told = {name: row[name] for name in _LISTED.split()}
    told |= {"interval": Interval(row["interval"]), "outcome": Outcome(row["outcome"])}
    told["side"] = None if row["side"] is None else Side(row["side"])
    r = row["pnl"] / row["risk"] if row["risk"] else None
    return DecisionRow(**told, order_state=row["state"], pnl=row["pnl"], r=r)
