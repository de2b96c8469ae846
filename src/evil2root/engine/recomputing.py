"""Fetch what a stored decision rests on, and recompute it."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Protocol

import polars as pl

from evil2root.domain.core.timeframe import Interval
from evil2root.domain.decision.strategies.strategy import Sourced
from evil2root.domain.kernel.policy import Policy
from evil2root.domain.kernel.record import Decision
from evil2root.domain.signals.standing import SYMBOLS_MIN, returns_by, with_standing
from evil2root.engine.desk import Recomputed
from evil2root.engine.replaying import recompute

_BEGINNING = datetime(1, 1, 1, tzinfo=UTC)


class WindowStore(Protocol):
    """Bars as a decision saw them."""

    async def window(self, symbol: str, interval: Interval, *, start: datetime, until: datetime) -> pl.DataFrame:
        """Return adjusted bars opened at or after `start` and closed at or before `until`, oldest first."""
        ...

    async def window_then(
        self, symbol: str, interval: Interval, *, start: datetime, until: datetime, of: tuple[str, datetime]
    ) -> pl.DataFrame:
        """Return the same as they were stored when the bar `of` a symbol and an opening was: nothing restated since."""
        ...


class PolicyBook(Protocol):
    """The policies decisions were made by, found again by their digest."""

    async def find(self, digest: str) -> Policy | None: ...


async def recomputed(stored: Decision, *, windows: WindowStore, policies: PolicyBook) -> Recomputed:
    """Fetch what a decision rests on and recompute it; raises `LookupError` when its policy was not kept."""
    policy = await policies.find(stored.policy_digest)
    if policy is None:
        msg = f"The policy {stored.policy_digest} that {stored.id} was made by is not in the database."
        raise LookupError(msg)
    now, then = windows.window, partial(windows.window_then, of=(stored.symbol, stored.bar.opened_at))
    others = _others(stored, policy)
    window = await _window(stored, now, others, now)
    found = await asyncio.to_thread(recompute, stored, window, policy)
    if found.identical:
        return found
    # A split, a dividend or a late bar since then changed what is stored: what was known then decides.
    known = await _window(stored, then, others, now)
    if not known.equals(window):
        found = await asyncio.to_thread(recompute, stored, known, policy)
    if found.identical or not others:
        return found
    # Of the others too, in the end: what they returned is seldom restated, and bars of theirs may be stored later.
    known = await _window(stored, then, others, then)
    return await asyncio.to_thread(recompute, stored, known, policy)


Get = Callable[..., Awaitable[pl.DataFrame]]


def _others(stored: Decision, policy: Policy) -> tuple[str, ...]:
    """Those a decision's symbol is compared with; empty where no standing among them is read."""
    traded = policy.traded
    if stored.symbol not in traded or len(traded) < SYMBOLS_MIN or not isinstance(policy.strategy, Sourced):
        return ()
    return tuple(symbol for symbol in traded if symbol != stored.symbol)


async def _window(stored: Decision, get: Get, others: Sequence[str], get_others: Get) -> pl.DataFrame:
    """The window of the decision, with standings where there are others.

    These are looked up one by one: whole series are long, and their returns at the window's openings short.
    """
    until = {"until": stored.bar.closed_at}
    if not others:
        return await get(stored.symbol, stored.interval, start=stored.window_from, **until)
    series = await get(stored.symbol, stored.interval, start=_BEGINNING, **until)
    window = series.filter(pl.col("opened_at") >= stored.window_from)
    opened = window["opened_at"].to_physical().to_numpy()
    returns = []
    for name in others:
        frame = await get_others(name, stored.interval, start=_BEGINNING, **until)
        returns.append(await asyncio.to_thread(returns_by, opened, frame))
    return await asyncio.to_thread(with_standing, window, series, returns)
