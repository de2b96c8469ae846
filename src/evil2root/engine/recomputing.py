"""Fetch what a stored decision rests on, and recompute it."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Protocol

import polars as pl

from evil2root.domain.core.timeframe import Interval
from evil2root.domain.decision.strategies.strategy import Sourced
from evil2root.domain.kernel.policy import Policy
from evil2root.domain.kernel.record import Decision
from evil2root.domain.signals.standing import SYMBOLS_MIN, with_standings
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
    others = await _others(stored, policy, now)
    window = await _window(stored, now, others)
    found = await asyncio.to_thread(recompute, stored, window, policy)
    if found.identical:
        return found
    # A split, a dividend or a late bar since then changed what is stored: what was known then decides.
    known = await _window(stored, then, others)
    if not known.equals(window):
        found = await asyncio.to_thread(recompute, stored, known, policy)
    if found.identical or not others:
        return found
    # Of the others too, in the end: what they returned is seldom restated, and bars of theirs may be stored later.
    known = await _window(stored, then, await _others(stored, policy, then))
    return await asyncio.to_thread(recompute, stored, known, policy)


Get = Callable[..., Awaitable[pl.DataFrame]]


async def _others(stored: Decision, policy: Policy, get: Get) -> Mapping[str, pl.DataFrame]:
    """Whole series of the others of the watchlist; empty where no standing among them is read."""
    if len(policy.instruments) < SYMBOLS_MIN or not isinstance(policy.strategy, Sourced):
        return {}
    names = [symbol for symbol in policy.instruments if symbol != stored.symbol]
    until = stored.bar.closed_at
    return {name: await get(name, stored.interval, start=_BEGINNING, until=until) for name in names}


async def _window(stored: Decision, get: Get, others: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """The window of the decision, with standings where there are others."""
    own = partial(get, stored.symbol, stored.interval, until=stored.bar.closed_at)
    if not others:
        return await own(start=stored.window_from)
    frames = {stored.symbol: await own(start=_BEGINNING), **others}
    ranked = await asyncio.to_thread(with_standings, frames, of=(stored.symbol,))
    return ranked[stored.symbol].filter(pl.col("opened_at") >= stored.window_from)
